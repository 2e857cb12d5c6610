"""Runs that cannot succeed end in words: wrong gradients, rounding, divergence, no minimum."""

import numpy as np
import pytest
from helpers import (
    OWN,
    SCIPYS,
    Barrier,
    Quadratic,
    Saddle,
    Scaled,
    Watched,
    WrongSign,
    every_method,
    overlapping,
)
from threadpoolctl import threadpool_limits

from soo_lib.losses import Logistic, Loss, Network, Reshuffled, Rosenbrock
from soo_lib.solvers import Status, minimize

FIRST_ORDER = ["CG", "BFGS", "L-BFGS-B", "Newton-CG"]  # the others restrict the step, not search


# ---- wrong gradients and re-sampled losses


@pytest.mark.parametrize("line_search", ["backtracking", "wolfe"])
@pytest.mark.parametrize("method", OWN)
def test_a_wrong_gradient_is_suspected(method, line_search):
    loss, x0 = overlapping(l2=0.1), np.ones(3)
    found = minimize(WrongSign(loss), x0, method, line_search)
    assert not found.success and not found.status.success
    assert found.status is Status.WRONG_GRADIENT
    assert found.nit < 5 and found.fun <= loss.fun(x0)


@pytest.mark.parametrize("method", FIRST_ORDER)
def test_a_wrong_gradient_is_suspected_with_scipys_methods_too(method):
    loss, x0 = overlapping(l2=0.1), np.ones(3)
    wrong = WrongSign(loss)
    found = minimize(wrong, x0, method)
    assert not found.success
    assert found.status is Status.WRONG_GRADIENT and "scipy" in found.message
    assert found.fun <= loss.fun(x0)


@pytest.mark.parametrize("method", ["nlcg", "bfgs", "lbfgs", "CG", "BFGS", "L-BFGS-B"])
def test_a_loss_reshuffled_at_every_call_ends_early_and_is_suspected(method):
    loss = overlapping(m=400)
    runs = [minimize(Reshuffled(loss, 10, 20, seed), np.zeros(3), method) for seed in range(9)]
    assert np.median([run.nit for run in runs]) < 30  # of 100
    assert not any(run.success for run in runs)
    failed = [run for run in runs if "maxiter" not in run.message]
    assert len(failed) >= 7
    for run in failed:
        assert "line search found no decrease" in run.message
        assert "re-sampled" in run.message


@pytest.mark.parametrize("method", ["gradient", "nlcg"])
def test_resampling_is_named_where_two_looks_hardly_differ(method):
    """At 0 the logistic loss is log 2 whatever the rows, and of most rows the gradient is near."""
    loss = overlapping(m=400)
    runs = [
        minimize(Reshuffled(loss, 390, 1, seed), np.zeros(3), method, max_trials=4)
        for seed in range(60)
    ]
    failed = {run.message for run in runs if run.nit == 0}
    assert failed == {Status.RESAMPLED.value}


# ---- rounding


@pytest.mark.parametrize("method", [*OWN, *FIRST_ORDER])
def test_rounding_is_not_blamed_on_the_gradient(method):
    """Where a gradient is never quite 0, the loss runs out of digits before it."""
    rng = np.random.default_rng(0)
    loss = Logistic(rng.normal(size=(200, 3)), rng.integers(0, 2, 200))
    found = minimize(loss, np.ones(3), method, gtol=0, maxiter=3000)
    assert not found.success and np.abs(found.jac).max() < 1e-6
    assert found.status is not Status.WRONG_GRADIENT


@pytest.mark.parametrize("method", ["nlcg", "lbfgs", "L-BFGS-B"])
def test_rounding_in_float32_is_not_blamed_on_the_gradient(method):
    rng = np.random.default_rng(0)
    net = Network([4, 5, 3])
    loss = net.loss(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), 0.01, dtype=np.float32)
    found = minimize(loss, net.init(0), method, gtol=0, maxiter=1000)
    assert np.abs(found.jac).max() < 1e-3
    assert found.status is not Status.WRONG_GRADIENT


@pytest.mark.parametrize("line_search", ["backtracking", "wolfe"])
@pytest.mark.parametrize("constant", [1e9, 1.0, 1e-9])
@pytest.mark.parametrize("method", OWN)
def test_a_wrong_gradient_is_not_excused_by_the_size_of_the_loss(method, constant, line_search):
    loss = WrongSign(Scaled(overlapping(l2=0.1), min(constant, 1.0), constant))
    found = minimize(loss, np.ones(3), method, line_search, gtol=1e-20)
    assert found.status is Status.WRONG_GRADIENT, found.message


@pytest.mark.parametrize("method", [*OWN, *FIRST_ORDER])
@pytest.mark.parametrize("constant", [0.0, 1e6])
def test_a_right_gradient_is_not_accused_where_all_is_rounding(method, constant):
    """Sums of 1e10 cancel inside the loss, which does not show in its value."""
    inner = Quadratic(n=8, condition=1e10, seed=3)
    loss = Scaled(inner, constant=constant)
    x0 = inner.minimum + 1e-9
    found = minimize(loss, x0, method, gtol=0, maxiter=300)
    assert not found.success and found.status is not Status.WRONG_GRADIENT


class Float32(Loss):
    """A loss whose inside, and whose gradient's, is in single precision."""

    dtype = np.float32

    def __init__(self, loss):
        self.loss, self.n_params, self.hess = loss, loss.n_params, loss.hess

    def fun(self, x):
        return float(np.float32(self.loss.fun(np.float32(x).astype(float))))

    def jac(self, x):
        return np.float32(self.loss.jac(np.float32(x).astype(float))).astype(float)


@every_method
def test_the_floor_of_float32_ends_a_run_and_is_named(method):
    loss = Float32(overlapping(m=60, l2=0.1))
    found = minimize(loss, np.ones(3), method, gtol=0, maxiter=1000)
    assert found.nit < 200 and np.abs(found.jac).max() < 1e-3
    if not found.success:  # a gradient of exactly 0 may be met by chance
        assert "no further decrease" in found.message and "float32" in found.message
        assert found.status is not Status.WRONG_GRADIENT


@pytest.mark.parametrize("constant", [0.0, 1e6])
@pytest.mark.parametrize("method", ["gradient", "nlcg", "bfgs", "lbfgs"])
def test_a_long_flat_valley_is_no_floor(method, constant):
    loss = Scaled(Rosenbrock(b=100), constant=constant)
    found = minimize(loss, [-1.2, 1.0], method, maxiter=20_000, gtol=1e-5)
    assert found.success, found.message


def test_leaving_a_saddle_is_no_floor():
    """Beside a constant the first hundred decreases are lost; the gradient grows."""
    loss = Scaled(Saddle(), constant=1e3)
    found = minimize(loss, [0.0, 1e-9], "gradient", "fixed", step=0.02, maxiter=3000, gtol=1e-12)
    assert abs(found.x[1]) > 0.7


def test_a_step_too_long_by_far_is_not_blamed_on_the_gradient():
    found = minimize(Rosenbrock(), [0.5, 0.5], "gradient", "backtracking", step=1e9, max_trials=3)
    assert not found.success and "allow more trials" in found.message


def test_a_tiny_loss_that_meets_gtol_at_once_says_so():
    found = minimize(Scaled(Rosenbrock(), 1e-12), [0.0, 0.0], "bfgs")
    assert found.nit == 0 and "already at x0" in found.message and "absolute" in found.message
    assert "already" not in minimize(Rosenbrock(), [0.0, 0.0], "bfgs").message


# ---- divergence, limits and errors


def check_best(found, watched):
    """Of all the points that were evaluated, none has a lower loss than the one returned."""
    finite = [value for value in watched.values if np.isfinite(value)]
    assert found.fun == min(finite) == watched.loss.fun(found.x)
    np.testing.assert_array_equal(found.jac, watched.loss.jac(found.x))


@pytest.mark.parametrize("method", ["gradient", "nlcg", "bfgs", "lbfgs"])
def test_a_fixed_step_that_is_too_long_diverges(method):
    for loss, x0 in ((Rosenbrock(), [0.5, 0.5]), (Quadratic(condition=1e5), np.ones(5))):
        watched = Watched(loss)
        found = minimize(watched, x0, method, "fixed", step=3.0, maxiter=1000)
        assert not found.success and found.message.startswith("diverged")
        assert found.nit < 1000
        check_best(found, watched)


@pytest.mark.parametrize("method", ["gradient", "nlcg", "bfgs", "lbfgs"])
def test_a_step_to_where_the_loss_is_no_number_diverges(method):
    watched = Watched(Barrier())
    found = minimize(watched, [3.0], method, "fixed", step=10.0)
    assert not found.success and found.message.startswith("diverged")
    check_best(found, watched)


# ---- hostile losses


class Function(Loss):
    """Of the three functions given."""

    def __init__(self, n, fun, jac, hess):
        self.n_params = n
        self.fun = lambda x: float(fun(x))
        self.jac = lambda x: np.array(jac(x), float)
        self.hess = lambda x: np.array(hess(x), float)


def stretched(curvatures, linear=0.0):
    d = np.array(curvatures)
    return Function(
        2, lambda x: (0.5 * d * x + linear) @ x, lambda x: d * x + linear, lambda x: np.diag(d)
    )


def runaway():
    return Function(1, lambda x: -np.exp(x[0]), lambda x: -np.exp(x), lambda x: [-np.exp(x)])


def without_curvature():
    return Function(2, lambda x: x @ x, lambda x: 2 * x, lambda x: np.full((2, 2), np.nan))


def bordered():
    """arccos² of each: no number beyond 1, Hessian included."""
    return Function(
        2,
        lambda x: np.sum(np.arccos(x) ** 2),
        lambda x: -2 * np.arccos(x) / np.sqrt(1 - x**2),
        lambda x: np.diag(2 / (1 - x**2) - 2 * x * np.arccos(x) * (1 - x**2) ** -1.5),
    )


HOSTILE = {  # where squares are infinite or 0, where there is no minimum, where H is no number
    "unbounded": (stretched([2.0, -2.0]), [1.0, 1e-3]),
    "a runaway": (runaway(), [0.0]),
    "curvatures 1 and 1e80": (stretched([1.0, 1e80], 2.0), [0.5, -2.0]),
    "a start at 1e-120": (stretched([3.0, 2.0]), [1e-120, -1e-120]),
    "times 1e-250": (stretched([3e-250, 2e-250], 1e-250), [0.5, -2.0]),
    "times 1e120": (stretched([3e120, 2e120], 1e120), [0.5, -2.0]),
    "times 1e160": (stretched([3e160, -2e160], 1e160), [0.5, -2.0]),
    "a Hessian of NaN": (without_curvature(), [1.0, 2.0]),
    "NaN beyond a border": (bordered(), [0.9, -0.9]),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "method, line_search",
    [
        *((method, None) for method in OWN + SCIPYS),
        ("newton", "trust"),
        ("bfgs", "trust"),
        ("lbfgs", "trust"),
        ("hessian-free", "trust"),
    ],
)
def test_every_run_ends_in_words(name, method, line_search):
    loss, x0 = HOSTILE[name]
    found = minimize(loss, x0, method, line_search, maxiter=45, gtol=0)
    assert found.status is not Status.WRONG_GRADIENT, found.message
    with np.errstate(all="ignore"):
        assert not found.success or not loss.jac(found.x).any()


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_diverges_without_a_warning(activation, threads, monkeypatch):
    rng = np.random.default_rng(0)
    net = Network([40, 60, 40, 3], activation)  # large enough for its rows to be shared out
    loss = Watched(net.loss(rng.normal(size=(2500, 40)), rng.integers(0, 3, 2500), l2=0.01))
    monkeypatch.setattr("soo_lib.losses.blocks.THREADS", threads)
    monkeypatch.setattr("soo_lib.losses.blocks.ENOUGH", 1)
    with threadpool_limits(threads):
        found = minimize(loss, net.init(0), "gradient", "fixed", step=1e200)
        assert not found.success and found.message.startswith("diverged")
        check_best(found, loss)


def test_what_falls_for_ever_is_not_said_to_have_taken_too_long_a_step():
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 1, lambda x: float(-(x[0] ** 3)), lambda x: -3 * x**2
    found = minimize(loss, [1.0], "gradient", "backtracking")
    assert found.message == "diverged: the loss is no longer finite; it has no minimum"
    loss.fun, loss.jac = lambda x: float(np.sqrt(abs(x[0]))), lambda x: 0.5 * x / np.abs(x) ** 1.5
    found = minimize(loss, [1.0], "gradient", "backtracking", step=2)  # to 0, the minimum
    assert found.fun == 0 and "not finite where a step ended" in found.message


@pytest.mark.parametrize("method", ["trust-exact", "trust-ncg", "trust-krylov"])
def test_next_to_no_curvature_is_none_to_scipys_trust_regions(method):
    """Their own step g/H is infinite there, and scipy raises over it."""
    for size in (1e-320, 1e-300, 1e-250, 1e-200, 1e-150):
        for curvature in ([1, 2], [1, -1], [1, 0], [1, 1 / size]):
            for g in (1.0, 1e-100):
                found = minimize(stretched(size * np.array(curvature), g), [1.0, 2.0], method)
                assert not found.success or np.abs(found.jac).max() <= 1e-8


@pytest.mark.parametrize("method", OWN)
def test_the_floor_is_that_of_the_values_type(method):
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: np.float32(Rosenbrock().fun(x) + 1)
    loss.jac, loss.hess = Rosenbrock().jac, Rosenbrock().hess
    found = minimize(loss, [-1.2, 1.0], method, gtol=1e-13, maxiter=2000)
    assert found.success or "float64" not in found.message


@pytest.mark.parametrize("error", [StopIteration, ValueError, FloatingPointError])
@pytest.mark.parametrize("method", ["newton", "trust-exact", "trust-ncg", "L-BFGS-B"])
def test_what_a_loss_raises_is_the_callers(method, error):
    loss = Watched(Quadratic())
    values = iter(range(1))

    def fun_and_jac(x):
        if next(values, None) is None:
            raise error("no more batches")
        return loss.loss.fun_and_jac(x)

    loss.fun_and_jac = fun_and_jac
    with pytest.raises(error, match="no more batches"):
        minimize(loss, np.zeros(5), method, gtol=0)


@every_method
def test_a_start_where_the_loss_is_no_number(method):
    with np.errstate(invalid="ignore"):
        found = minimize(Barrier(), [-1.0], method)
    assert not found.success and "not finite at x0" in found.message
    assert found.nit == 0 and found.x == [-1.0] and np.isnan(found.fun)


@every_method
@pytest.mark.parametrize("maxiter", [1, 2, 5])
def test_stopped_at_maxiter_it_returns_the_best_point(method, maxiter):
    watched = Watched(Rosenbrock(b=100))
    found = minimize(watched, [-1.2, 1.0], method, maxiter=maxiter)
    assert not found.success and f"maxiter = {maxiter} before it converged" in found.message
    assert found.nit == maxiter
    check_best(found, watched)


@every_method
@pytest.mark.parametrize("ftol", [1e-3, 1e-9])
def test_ftol_does_not_take_a_rejected_step_for_convergence(method, ftol):
    """A trust region that rejects a step has not changed the loss, and has not converged."""
    found = minimize(Rosenbrock(b=100), [-1.2, 1.0], method, ftol=ftol, maxiter=3000)
    if method == "gradient":  # which does crawl: eq. 29 may well hold
        assert found.trace.fun[-2] - found.fun > 0
    else:
        assert found.fun < 0.5


# ---- losses without a minimum


POINTS = {
    "complete": ([0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1]),
    "quasi": ([0, 1, 2, 2, 3, 4], [0, 0, 0, 1, 1, 1]),
    "nearly": ([0, 1, 2.2, 2, 3, 4], [0, 0, 0, 1, 1, 1]),
}


def line(name, l2=0.0):
    points, labels = POINTS[name]
    return Logistic(np.c_[np.ones(len(points)), points], labels, l2=l2)


@every_method
def test_separable_data_have_no_minimum_and_no_success(method):
    found = minimize(line("complete"), np.zeros(2), method, maxiter=500)
    assert not found.success and not found.status.success
    assert "no minimum" in found.message and "l2 > 0" in found.message
    assert np.isfinite(found.fun) and len(found.trace) == found.nit + 1


@every_method
@pytest.mark.parametrize("criterion", [{"gtol": 1e-2}, {"ftol": 1e-4}], ids=["gtol", "ftol"])
def test_separable_data_are_no_success_for_a_patient_reader_either(method, criterion):
    found = minimize(line("complete"), np.zeros(2), method, maxiter=500, **criterion)
    assert not found.success and "no minimum" in found.message


@every_method
def test_separable_in_many_dimensions(method):
    """More columns than rows: any labels can be separated."""
    rng = np.random.default_rng(0)
    loss = Logistic(rng.normal(size=(15, 20)), rng.permutation(15) % 2)
    found = minimize(loss, np.zeros(20), method)
    assert not found.success and "no minimum" in found.message


@every_method
def test_nearly_separable_data_have_one(method):
    found = minimize(line("nearly"), np.zeros(2), method, gtol=1e-5, maxiter=5000)
    assert found.success, found.message


@every_method
@pytest.mark.parametrize("name", ["complete", "quasi"])
def test_a_penalty_makes_one(method, name):
    found = minimize(line(name, l2=1e-2), np.zeros(2), method, gtol=1e-6, maxiter=5000)
    assert found.success, found.message


class Shifted(Loss):
    """x·x - 2Σx + Σ sin x: value and point are 0 at 0, so that no rounding is to be seen there."""

    n_params = 3

    def fun(self, x):
        return float(x @ x - 2 * x.sum() + np.sin(x).sum())

    def jac(self, x):
        return 2 * x - 2 + np.cos(x)


@pytest.mark.parametrize("method", ["gradient", "bfgs", "lbfgs", "CG", "L-BFGS-B"])
def test_a_wrong_sign_is_not_excused_where_value_and_point_are_zero(method):
    found = minimize(WrongSign(Shifted()), np.zeros(3), method)
    assert found.status is Status.WRONG_GRADIENT, found.message
    right = minimize(Shifted(), np.zeros(3), method)  # scipy's CG makes no first step here
    assert right.success or method == "CG" and "gave up" in right.message, right.message


def test_a_limit_of_scipys_own_is_told():
    found = minimize(Rosenbrock(), [-1.2, 1.0], "L-BFGS-B", maxfun=5)
    assert not found.success and found.message.startswith("stopped by scipy"), found.message
