"""Preconditioning: eqs 8-10 hold, nothing large is formed, and every solver gains by wrapping."""

import functools

import numpy as np
import pytest
from helpers import Quadratic, complains, overlapping
from scipy.linalg import block_diag, cholesky, qr

from soo_lib.curvature import (
    adagrad_diagonal,
    exact_diagonal,
    hessian_diagonal,
    kronecker_cholesky,
    kronecker_factors,
    layer_cholesky,
    layer_hessians,
    martens,
    squared_gradients,
)
from soo_lib.gradient_test import gradient_test
from soo_lib.losses import Batched, Logistic, Loss, Network, Preconditioned, Rosenbrock, partition
from soo_lib.solvers import minimize, minimize_refreshed, refresh
from soo_lib.solvers.minimize import OWN
from soo_lib.solvers.scipy import SCIPY
from soo_lib.solvers.stop import Status

KINDS = [adagrad_diagonal, martens, exact_diagonal, layer_cholesky, kronecker_cholesky]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_method = pytest.mark.parametrize("method", [*OWN, *SCIPY])
rng = np.random.default_rng(0)


@functools.cache
def small(l2=0.02, activation="tanh", m=40):
    """A network, its loss on random rows, and a point."""
    rng = np.random.default_rng(1)
    net = Network([4, 5, 3], activation)
    loss = net.loss(rng.normal(size=(m, 4)), rng.integers(0, 3, m), l2=l2)
    return net, loss, net.init(2) + 0.1


@functools.cache
def penalised():
    """A loss with curvature in every direction, and its minimum by Newton's method."""
    net, loss, x = small()
    loss = net.loss(loss.X, loss.y, l2=0.02, penalize_bias=True)
    found = minimize(loss, x, "newton", gtol=1e-12)
    assert found.success and np.linalg.eigvalsh(loss.hess(found.x))[0] > 1e-3
    return loss, found.x


def upper(n):
    return qr(rng.normal(size=(n, n)))[1] + np.eye(n)


PS = {  # P as it is given, and the matrix that it stands for; 43 parameters
    "diagonal": (d := rng.uniform(0.5, 2, 43), np.diag(d)),
    "matrix": (M := rng.normal(size=(43, 43)), M),
    "triangular": (R := upper(43), R),
    "pairs": (
        [(A := upper(5), G := upper(5)), (B := upper(6), H := upper(3))],
        block_diag(np.kron(A, G), np.kron(B, H)),
    ),
    "mixed": ([M[:25, :25], (d[:6], H)], block_diag(M[:25, :25], np.kron(np.diag(d[:6]), H))),
    "diagonal blocks": ([d[:20], d[20:]], np.diag(d)),
}
every_P = pytest.mark.parametrize("name", PS)


# ---- the change of variables


@every_P
def test_the_loss_in_p(name):
    P, dense = PS[name]
    _, loss, x = small()
    change, p, v = Preconditioned(loss, P), dense @ x, rng.normal(size=43)
    np.testing.assert_allclose(change.to_p(x), p, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(change.to_x(p), x, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(change.to_x(change.to_p(v)), v, rtol=1e-8, atol=1e-10)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-9)
    close(change.fun(p), loss.fun(x))
    close(dense.T @ change.jac(p), loss.jac(x))  # eq. 9
    close(dense.T @ change.hess(p) @ dense, loss.hess(x))  # eq. 10
    close(change.hessp(p, v), change.hess(p) @ v)
    close(dense.T @ change.ggnp(p, dense @ v), loss.ggnp(x, v))
    f, g = change.fun_and_jac(p)
    assert f == change.fun(p)
    np.testing.assert_array_equal(g, change.jac(p))
    close(change.gnorm(g), np.abs(loss.jac(x)).max())


@every_P
def test_the_gradient_test_passes_in_p(name):
    _, loss, x = small()
    change = Preconditioned(loss, PS[name][0])
    result = gradient_test(change, change.to_p(x))
    assert result.ok and abs(result.order - 2) < 0.1, result


def test_what_the_loss_says_of_itself_is_passed_on():
    net, loss, x = small()
    change = Preconditioned(loss, np.ones(43))
    assert (change.n_params, change.n_samples, change.dtype) == (43, 40, np.float64)
    single = Preconditioned(net.loss(loss.X, loss.y, dtype=np.float32), np.ones(43))
    assert single.dtype == np.float32
    assert not hasattr(Preconditioned(Rosenbrock(), np.ones(2)), "n_samples")
    rows = np.arange(7)
    np.testing.assert_array_equal(change.subset(rows).jac(x), loss.subset(rows).jac(x))
    assert change.subset(rows).n_samples == 7 and change.n_samples == 40
    separable = Logistic(np.c_[np.ones(4), np.arange(4.0)], [0, 0, 1, 1])
    found = minimize(Preconditioned(separable, np.array([2.0, 3.0])), np.zeros(2), maxiter=500)
    assert not found.success and "no minimum" in found.message


def test_it_combines_with_batches_and_with_itself():
    _, loss, x = small()
    P, dense = PS["pairs"]
    batches = partition(40, 8)
    inside = Preconditioned(Batched(loss, batches), P)
    outside = Batched(Preconditioned(loss, P), batches)
    p = inside.to_p(x)
    np.testing.assert_allclose(inside.jac(p), outside.jac(p), rtol=1e-9)
    np.testing.assert_allclose(inside.ggnp(p, x), outside.ggnp(p, x), rtol=1e-9, atol=1e-12)
    twice = Preconditioned(Preconditioned(loss, P), d)
    np.testing.assert_allclose(twice.to_p(dense @ x), d * p, rtol=1e-12)
    g = twice.jac(d * p)
    np.testing.assert_allclose(dense.T @ (d * g), loss.jac(x), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(twice.gnorm(g), np.abs(loss.jac(x)).max(), rtol=1e-8)


def test_no_kronecker_product_is_formed(monkeypatch):
    """784-300-10: P would have 235,500 rows and 444 GB in its first block alone."""
    monkeypatch.setattr(np, "kron", None)
    net = Network([784, 300, 10])
    loss = net.loss(rng.normal(size=(20, 784)), rng.integers(0, 10, 20), l2=1e-4)
    x = net.init(0)
    change = Preconditioned(loss, kronecker_cholesky(loss, x))
    np.testing.assert_allclose(change.to_x(change.to_p(x)), x, atol=1e-9)
    np.testing.assert_allclose(change.push(change.jac(change.to_p(x))), loss.jac(x), atol=1e-9)


# ---- a perfect P


@pytest.mark.parametrize("method", ["gradient", "nlcg", "bfgs", "lbfgs", "CG", "L-BFGS-B"])
def test_with_the_cholesky_factor_a_quadratic_takes_an_iteration_or_two(method):
    """In p the Hessian is I, so that the first direction, -g, points at the minimum."""
    loss, x0 = Quadratic(n=30, condition=1e6), np.full(30, 3.0)
    change = Preconditioned(loss, cholesky(loss.A))
    found = minimize(change, change.to_p(x0), method, gtol=1e-6)
    assert found.success and found.nit <= (2 if method == "L-BFGS-B" else 1)
    np.testing.assert_allclose(change.to_x(found.x), loss.minimum, atol=1e-9)
    plain = minimize(loss, x0, method, maxiter=50)
    assert plain.nit > 20 * found.nit


def test_a_diagonal_p_undoes_a_bad_choice_of_units():
    """A well conditioned quadratic, each variable in another unit: Jacobi's P mends it exactly."""
    loss, units = Quadratic(n=10, condition=4.0), np.geomspace(1e-3, 1e3, 10)
    badly = Preconditioned(loss, units)
    mended = Preconditioned(badly, np.sqrt(np.diag(badly.hess(np.zeros(10)))))
    assert np.linalg.cond(badly.hess(np.zeros(10))) > 1e10
    assert np.linalg.cond(mended.hess(np.zeros(10))) < 10


@every_method
def test_every_solver_finds_the_plain_minimum(method):
    loss, x0 = overlapping(l2=0.1), np.ones(3)
    plain = minimize(loss, x0, "newton", gtol=1e-12).x
    for P in (np.array([0.5, 2.0, 1.0]), cholesky(loss.hess(x0))):
        change = Preconditioned(loss, P)
        found = minimize(change, change.to_p(x0), method, gtol=1e-6, maxiter=2000)
        assert found.success, found.message
        np.testing.assert_allclose(change.to_x(found.x), plain, atol=1e-4)
        assert np.abs(loss.jac(change.to_x(found.x))).max() <= 1.01e-6  # gtol speaks of x


# ---- kinds of P


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
def test_squared_gradients_are_those_of_each_sample(activation):
    net, loss, x = small(0.0, activation)
    each = [loss.subset([i]).jac(x) for i in range(loss.n_samples)]
    expected = np.mean(np.square(each), axis=0)
    np.testing.assert_allclose(squared_gradients(loss, x), expected, rtol=1e-9, atol=1e-15)
    penalised = net.loss(loss.X, loss.y, l2=1.0)
    np.testing.assert_array_equal(squared_gradients(penalised, x), squared_gradients(loss, x))


def test_the_diagonals():
    _, loss, x = small()
    squares = squared_gradients(loss, x)
    np.testing.assert_allclose(
        adagrad_diagonal(loss, x, 1e-8) ** 2, np.sqrt(squares + 1e-8)
    )  # eq. 14
    np.testing.assert_allclose(martens(loss, x, 1e-3) ** 2, (squares + 1e-3) ** 0.75)
    diagonal = np.abs(np.diag(loss.hess(x))) + 1e-3
    np.testing.assert_allclose(exact_diagonal(loss, x, 1e-3) ** 2, diagonal, rtol=1e-9)
    assert hessian_diagonal(loss, x).min() < 0.02  # the absolute value is put to use


def product(P):
    """PᵀP, dense."""
    if isinstance(P, np.ndarray):
        return np.diag(P**2)
    dense = block_diag(*(np.kron(*part) if isinstance(part, tuple) else part for part in P))
    return dense.T @ dense


def test_the_blocks():
    net, loss, x = small()
    expected = block_diag(*layer_hessians(loss, x, "ggn")) + 1e-3 * np.eye(43)
    np.testing.assert_allclose(product(layer_cholesky(loss, x, 1e-3)), expected, atol=1e-12)
    for damping in (1e-4, 1.0):
        found = product(kronecker_cholesky(loss, x, damping))
        gamma = np.sqrt(damping + loss.penalty.l2)
        for (A, G), part in zip(kronecker_factors(loss, x), net.layer_slices):
            pi = np.sqrt(np.trace(A) / len(A) / (np.trace(G) / len(G)))
            damped = np.kron(A + pi * gamma * np.eye(len(A)), G + gamma / pi * np.eye(len(G)))
            np.testing.assert_allclose(found[part, part], damped, rtol=1e-9, atol=1e-12)


def test_kronecker_is_exact_for_a_sample():
    """With one sample x xᵀ and H_Z are uncorrelated: with little damping PᵀP is the GGN block."""
    net, loss, x = small(l2=0.0)
    one = loss.subset([3])
    blocks = layer_hessians(one, x, "ggn")
    found = product(kronecker_cholesky(one, x, 1e-14))
    for H, part in zip(blocks, net.layer_slices):
        np.testing.assert_allclose(found[part, part], H, atol=2e-6 * np.abs(H).max())


@every_kind
def test_a_dead_layer_still_gives_a_p(kind):
    """ReLU units that no sample wakes: no gradient and no curvature, so the damping alone."""
    net = Network([3, 4, 2], "relu")
    loss = net.loss(rng.uniform(size=(10, 3)), rng.integers(0, 2, 10))
    x = net.init(0)
    net.unpack(x)[0][0][:] = -1.0
    change = Preconditioned(loss, kind(loss, x))
    assert np.isfinite(change.jac(change.to_p(x))).all()
    np.testing.assert_allclose(change.to_x(change.to_p(x)), x, atol=1e-8)


# ---- refreshed


@every_kind
@pytest.mark.parametrize("method", ["nlcg", "lbfgs", "CG", "L-BFGS-B", "hessian-free"])
def test_refreshed_finds_the_plain_minimum(kind, method):
    loss, minimum = penalised()
    x0 = minimum + 0.02 * np.random.default_rng(1).normal(size=43)  # near it: there are others
    found = minimize_refreshed(loss, x0, kind, method=method, every=7, maxiter=1000, gtol=1e-6)
    assert found.success, found.message
    np.testing.assert_allclose(found.x, minimum, atol=2e-4)
    np.testing.assert_allclose(found.jac, loss.jac(found.x), atol=1e-12)
    np.testing.assert_allclose(found.fun, loss.fun(found.x), rtol=1e-12)


@pytest.mark.parametrize("every", [1, 3, 7, 50])
def test_the_trace_of_a_refreshed_run_is_whole(every):
    net, loss, x0 = small()
    seen, made = [], []

    def kind(part, x):
        made.append(x)
        return kronecker_cholesky(part, x)

    found = minimize_refreshed(
        loss, x0, kind, every=every, maxiter=20, method="lbfgs", callback=seen.append
    )
    trace = found.trace
    assert found.nit == 20 == len(seen) and len(trace) == len(trace.x) == 21
    assert len(made) == -(-20 // every)
    assert "maxiter = 20 before" in found.message
    np.testing.assert_allclose(trace.x[0], x0, atol=1e-12)
    for k, x in enumerate(seen, 1):
        np.testing.assert_allclose(trace.x[k], x, atol=1e-12)
    for k, x in enumerate(trace.x):
        np.testing.assert_allclose(trace.fun[k], loss.fun(x), rtol=1e-9)
        np.testing.assert_allclose(trace.gnorm[k], np.abs(loss.jac(x)).max(), rtol=1e-6)
    assert (np.diff(trace.fun) <= 1e-12).all() and (np.diff(trace.seconds) >= 0).all()
    assert (np.diff(trace.nfev) >= 1).all() and trace.nfev[-1] == found.nfev
    assert found.nfev >= 20 + len(made)  # each part looks at its own start


def test_one_refresh_is_no_refresh():
    _, loss, x0 = small()
    change = Preconditioned(loss, kronecker_cholesky(loss, x0))
    once = minimize(change, change.to_p(x0), "lbfgs", maxiter=15)
    found = minimize_refreshed(loss, x0, kronecker_cholesky, every=15, method="lbfgs", maxiter=15)
    np.testing.assert_array_equal(found.x, change.to_x(once.x))
    np.testing.assert_array_equal(found.trace.fun, once.trace.fun)


def test_the_rows_of_p_are_drawn_anew_from_the_seed():
    _, loss, x0 = small()
    parts = []

    def kind(part, x):
        parts.append(part.X)
        return adagrad_diagonal(part, x)

    run = functools.partial(minimize_refreshed, loss, x0, kind, every=2, maxiter=4, rows=10)
    first, again = run(seed=3), run(seed=3)
    other = run(seed=4)
    assert [len(X) for X in parts] == [10] * 6
    assert not np.array_equal(parts[0], parts[1])
    np.testing.assert_array_equal(first.trace.fun, again.trace.fun)
    assert not np.array_equal(first.trace.fun, other.trace.fun)


def test_the_seconds_of_p_count(monkeypatch):
    _, loss, x0 = small()
    clock = iter(range(0, 10**9, 100))
    monkeypatch.setattr(refresh.time, "perf_counter", lambda: next(clock) * 1.0)
    found = minimize_refreshed(loss, x0, adagrad_diagonal, every=5, maxiter=5)
    assert found.trace.seconds[0] >= 100


def test_a_run_that_diverges_says_so_and_returns_its_best_point():
    _, loss, x0 = small()
    found = minimize_refreshed(
        loss,
        x0,
        adagrad_diagonal,
        method="gradient",
        line_search="fixed",
        step=1e200,
        every=2,
        maxiter=50,
    )
    assert not found.success and found.message.startswith("diverged") and found.nit < 50
    assert np.isfinite(found.fun) and found.fun <= loss.fun(x0)
    np.testing.assert_allclose(loss.fun(found.x), found.fun, rtol=1e-12)


def test_the_callback_can_stop_it():
    _, loss, x0 = small()

    def enough(x):
        raise StopIteration

    for every in (1, 5):
        found = minimize_refreshed(loss, x0, adagrad_diagonal, every=every, callback=enough)
        assert found.nit == 1 and not found.success and "callback" in found.message


def test_a_wrong_gradient_ends_a_refreshed_run_too():
    _, loss, x0 = small()

    class Wrong(type(loss)):
        def fun_and_jac(self, x):
            f, g = super().fun_and_jac(x)
            return f, -g

    wrong = Wrong(loss.net, loss.X, loss.y, loss.penalty)
    found = minimize_refreshed(wrong, x0, adagrad_diagonal, maxiter=50)
    assert found.status is Status.WRONG_GRADIENT, found.message and found.nit < 5


# ---- what cannot be factored, and what will do


def test_a_block_that_is_not_positive_definite_is_named():
    net, loss, x = small(l2=0.0)
    complains(
        lambda: layer_cholesky(loss, x, 1e-9, "exact"), "the Hessian of layer 1", "raise the damp"
    )
    factors = [(np.eye(5), np.eye(5)), (np.eye(6), np.diag([1.0, 1.0, -3.0]))]
    complains(
        lambda: kronecker_cholesky(loss, x, factors=lambda loss, x: factors),
        "G of layer 2",
        "positive definite",
        "eigenvalue -3",
    )


@every_method
@pytest.mark.parametrize("size", [1e-300, 1e-155, 1e-100, 1e100, 1e200])
def test_no_error_leaves_a_run_whose_variables_are_stretched_beyond_all_numbers(method, size):
    """P⁻¹p may be infinite there, and scipy's solver of triangles raised over it."""
    for P in (np.array([1.0, size]), np.diag([1.0, size]), np.array([[1.0, 0], [size, size]])):
        found = minimize(Preconditioned(Rosenbrock(), P), np.zeros(2), method)
        assert found.message and np.isfinite(found.fun)


def test_a_plain_object_can_be_preconditioned():
    class Bare:
        def fun(self, x):
            return float((x - 1) @ (x - 1))

        def jac(self, x):
            return 2 * (x - 1)

    assert not isinstance(Bare(), Loss)
    change = Preconditioned(Bare(), np.array([1.0, 10.0, 100.0]))
    found = minimize(change, np.zeros(3), "lbfgs")
    assert found.success
    np.testing.assert_allclose(change.to_x(found.x), 1, atol=1e-8)
    with pytest.raises(ValueError, match="no second derivatives"):
        minimize(change, np.zeros(3), "newton")
