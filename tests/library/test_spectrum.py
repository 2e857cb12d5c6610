"""Operators against their dense matrices, and estimators against exact spectra."""

import doctest
import functools

import autograd
import numpy as np
import pytest
import scipy.sparse
from helpers import Careless, Quadratic, complains, overlapping
from scipy.linalg import block_diag
from scipy.sparse.linalg import (
    ArpackError,
    ArpackNoConvergence,
    LinearOperator,
    aslinearoperator,
    cg,
    eigsh,
)
from test_curvature import logits, problem, softmax_hessian
from test_network import data, every_activation, every_depth, reference

from soo_lib import checks
from soo_lib.curvature import (
    extreme_eigenvalues,
    kronecker_factors,
    layer_hessians,
    operator,
    quadrature,
    spectral_density,
    spectrum,
    trace,
)
from soo_lib.curvature.spectrum import as_symmetric, symmetric
from soo_lib.losses import Batched, Logistic, Network, Rosenbrock

CURVATURES = "exact", "ggn", "layers", "kronecker"
every_curvature = pytest.mark.parametrize("curvature", CURVATURES)


@functools.cache
def by_autograd(sizes, activation, m):
    """The Hessian and the Gauss-Newton matrix at the start of ``problem``, without a penalty."""
    loss, x = problem(sizes, activation, m)
    H = autograd.hessian(reference(sizes, activation, loss.X, loss.y))(x)
    J = autograd.jacobian(logits)(x, sizes, activation, loss.X)
    Z = logits(x, sizes, activation, loss.X)
    return {"exact": H, "ggn": sum(j.T @ softmax_hessian(z) @ j for j, z in zip(J, Z)) / m}


def dense(loss, x, curvature):
    """Each curvature as a matrix, by another way: autograd, blocks and np.kron."""
    net, penalty = loss.net, np.diag(loss.penalty.weights)
    if curvature in ("exact", "ggn"):
        bare = by_autograd(tuple(net.sizes), net.activation, loss.n_samples)
        return bare[curvature] + penalty
    if curvature == "layers":
        return block_diag(*layer_hessians(loss, x))
    return block_diag(*(np.kron(A, G) for A, G in kronecker_factors(loss, x))) + penalty


def with_spectrum(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues, and its eigenvectors."""
    n = len(eigenvalues)
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    A = (Q * eigenvalues) @ Q.T
    return 0.5 * (A + A.T), Q


class Counted:
    """A matrix as an operator that counts its products."""

    def __init__(self, A):
        self.A, self.count = A, 0

    def operator(self):
        def product(p):
            self.count += 1
            return self.A @ p

        return LinearOperator(self.A.shape, product, dtype=float)


# ---- operators


@every_activation
@every_depth
@every_curvature
@pytest.mark.parametrize("penalty", [{}, {"l2": 0.3}, {"l2": 0.3, "penalize_bias": True}])
def test_operators_against_their_dense_matrices(sizes, activation, curvature, penalty):
    loss, x = problem(sizes, activation, **penalty)
    expected = dense(loss, x, curvature)
    H, n = operator(loss, x, curvature), len(x)
    assert H.shape == (n, n) and H.dtype == np.float64
    P = np.random.default_rng(0).normal(size=(n, 3))
    near = {"rtol": 0, "atol": 1e-11 * np.abs(expected).max() * np.sqrt(n)}
    np.testing.assert_allclose(H @ P[:, 0], expected @ P[:, 0], **near)
    np.testing.assert_allclose(H @ P[:, :1], expected @ P[:, :1], **near)
    np.testing.assert_allclose(H @ P, expected @ P, **near)
    np.testing.assert_allclose(H.T @ P[:, 0], expected @ P[:, 0], **near)
    np.testing.assert_allclose(H.H @ P, expected @ P, **near)
    np.testing.assert_allclose(H @ np.eye(n), expected, **near)


@every_activation
@every_curvature
@pytest.mark.parametrize("dtype, share", [(np.float64, 1e-14), (np.float32, 1e-5)])
def test_operators_are_symmetric_to_rounding(activation, curvature, dtype, share):
    loss, x = problem([4, 6, 5, 3], activation, l2=0.1, dtype=dtype)
    H = operator(loss, x, curvature) @ np.eye(len(x))
    assert np.abs(H - H.T).max() <= share * np.abs(H).max()


def test_any_loss_with_products_has_an_operator():
    class Bare:
        def hessp(self, x, p):
            return 3 * x * p

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(operator(Bare(), x) @ np.ones(2), [3, 6])
    complains(lambda: operator(Bare(), x, "ggn"), "loss", "ggnp", "Bare")
    complains(lambda: operator(object(), x), "loss", "hessp", "object")
    for loss in (Rosenbrock(), overlapping(), Batched(overlapping(), [[0, 1], [2, 3]])):
        x = np.linspace(-1, 1, loss.n_params)
        H = loss.hess(x) if hasattr(loss, "hess") else None
        for curvature in ("exact", "ggn"):  # the Hessian, where a loss knows no other
            np.testing.assert_allclose(operator(loss, x, curvature) @ np.eye(len(x)), H)
        for curvature in ("layers", "kronecker"):
            complains(
                lambda loss=loss, x=x, c=curvature: operator(loss, x, c), "loss", "Network.loss"
            )


def test_an_operator_stays_where_it_was_made():
    for curvature in CURVATURES:
        loss, x = problem([4, 5, 3])
        H, p = operator(loss, x, curvature), np.ones(len(x))
        before = H @ p
        x += 1
        np.testing.assert_array_equal(H @ p, before)


def test_scipy_meets_the_operators():
    loss, x = problem([4, 5, 3], l2=0.1, penalize_bias=True)
    g = loss.jac(x)
    for curvature in ("ggn", "kronecker"):
        expected = np.linalg.solve(dense(loss, x, curvature), g)
        found, failed = cg(operator(loss, x, curvature), g, rtol=1e-12)
        assert not failed
        np.testing.assert_allclose(found, expected, rtol=1e-8)
    for curvature in CURVATURES:
        top = eigsh(operator(loss, x, curvature), k=1, which="LA", return_eigenvectors=False)
        assert top[0] == pytest.approx(np.linalg.eigvalsh(dense(loss, x, curvature))[-1])


def test_bad_operators(monkeypatch):
    loss, x = problem([4, 5, 3])
    for bad in ("hessian", "GGN", None, "", ["exact"]):
        complains(lambda bad=bad: operator(loss, x, bad), "curvature", repr(bad), *CURVATURES)
    for curvature in CURVATURES:
        complains(lambda c=curvature: operator(loss, x[1:], c), "x", "(42,)", "(43,)")
        complains(lambda c=curvature: operator(loss, np.inf * x, c), "x", "finite")
    monkeypatch.setattr(checks, "MAX_BYTES", 1000)
    with pytest.raises(MemoryError, match="layer 1"):
        operator(loss, x, "layers")


# ---- Gauss's rule


@pytest.mark.parametrize("curvature", ["exact", "ggn", "even"])
@pytest.mark.parametrize("steps", [1, 2, 5, 9])
def test_moments_of_the_rule(curvature, steps):
    """Σ wᵢ θᵢᵏ = vᵀHᵏv / vᵀv for k < 2·steps, and not for k = 2·steps."""
    if curvature == "even":
        H, _ = with_spectrum(np.linspace(-1, 1, 60))
    else:
        loss, x = problem([4, 6, 3], l2=0.1)
        H = dense(loss, x, curvature)
    H = H / np.linalg.norm(H, 2)  # powers of it neither grow nor vanish
    v = np.random.default_rng(1).normal(size=len(H))
    nodes, weights = quadrature(H, v, steps)
    assert len(nodes) == len(weights) == steps and (weights >= 0).all()
    assert (np.diff(nodes) > 0).all()
    gaps, p = [], v.copy()
    for k in range(2 * steps + 1):
        gaps.append(abs(weights @ nodes**k - v @ p / (v @ v)))
        p = H @ p
    assert max(gaps[:-1]) < 1e-13
    if curvature == "even":
        assert gaps[-1] > 1e-6


def test_the_rule_is_exact_where_the_krylov_space_ends():
    A, Q = with_spectrum(np.repeat([-2.0, 0.0, 5.0], [10, 40, 3]))
    v = np.random.default_rng(0).normal(size=53)
    nodes, weights = quadrature(A, v, 30)
    np.testing.assert_allclose(nodes, [-2, 0, 5], atol=1e-13)
    parts = (Q.T @ v) ** 2 / (v @ v)
    np.testing.assert_allclose(weights, [parts[:10].sum(), parts[10:50].sum(), parts[50:].sum()])
    nodes, weights = quadrature(A, Q[:, 52], 30)  # an eigenvector
    np.testing.assert_allclose(nodes, [5])
    np.testing.assert_allclose(weights, [1])
    for scale in (0, 1e-200, 1e200):
        nodes, weights = quadrature(scale * np.eye(4), np.ones(4), 9)
        np.testing.assert_allclose(nodes, [scale])
    nodes, weights = quadrature([[3.0]] * np.ones((1, 1)), np.array([-2.0]), 4)
    assert (nodes, weights) == (3, 1)


def test_all_rules_together_are_the_whole_spectrum():
    """Σᵢ eᵢᵀf(H)eᵢ = tr f(H), for an f that no polynomial is."""
    loss, x = problem([3, 4, 3], "tanh")
    H, n = operator(loss, x), len(x)
    total = 0.0
    for unit in np.eye(n):
        nodes, weights = quadrature(H, unit, n)
        total += weights @ np.abs(nodes)
    expected = np.abs(np.linalg.eigvalsh(dense(loss, x, "exact"))).sum()
    assert total == pytest.approx(expected, rel=1e-10)


# ---- extreme eigenvalues


def checked(A, k=1, share=1e-7, **how):
    """The ends of a matrix's spectrum against eigvalsh, and their vectors against A itself."""
    exact = np.linalg.eigvalsh(A)
    n, size = len(A), np.abs(exact).max()
    values, vectors, residuals = extreme_eigenvalues(aslinearoperator(A), k, **how)
    ends = np.r_[: min(k, n), max(k, n - k) : n]
    assert values.shape == (min(2 * k, n),) and vectors.shape == (n, len(values))
    np.testing.assert_allclose(values, exact[ends], rtol=0, atol=0.1 * share * size or 1e-15)
    found = np.linalg.norm(A @ vectors - values * vectors, axis=0)
    assert found.max() <= (share * size or 1e-15)
    np.testing.assert_allclose(found, residuals, rtol=1e-3, atol=1e-12 * size or 1e-15)
    ends = np.hsplit(vectors, 2) if n > spectrum.SMALL else [vectors]
    for end in ends:
        np.testing.assert_allclose(end.T @ end, np.eye(end.shape[1]), atol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 9])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 18, 500, 501])
def test_extremes_of_any_size(n, k):
    checked(with_spectrum(np.random.default_rng(n).normal(size=n))[0], k)


@pytest.mark.parametrize("n", [100, 600])  # formed, and by Lanczos
@pytest.mark.parametrize("scale", [1, 1e-12, 1e12])
@pytest.mark.parametrize(
    "shape",
    ["crowd at 0", "one outlier", "low rank", "far from 0", "two values"],
)
def test_extremes_of_hard_spectra(n, scale, shape):
    noise = 1e-5 * np.sort(np.random.default_rng(0).normal(size=n))
    eigenvalues = {
        "crowd at 0": np.r_[-0.01, noise[2:], 1],
        "one outlier": np.r_[noise[1:], 100],
        "low rank": np.r_[-1, np.zeros(n - 4), 2, 3, 4],
        "far from 0": 1000 + noise,
        "two values": np.repeat([3.0, 7.0], [n - 50, 50]),
    }[shape]
    checked(with_spectrum(scale * eigenvalues)[0])


@pytest.mark.parametrize("n", [100, 600])
@pytest.mark.parametrize("power", [-1000, -520, 520, 1000])
def test_the_scale_of_a_matrix_changes_nothing(n, power):
    """Where the squares of its entries overflow, or vanish, it still has the same spectrum."""
    A, c = with_spectrum(np.random.default_rng(n).normal(size=n))[0], 2.0**power
    one, other = extreme_eigenvalues(A, k=3), extreme_eigenvalues(c * A, k=3)
    np.testing.assert_allclose(other.values / c, one.values, rtol=1e-9)
    assert 0 <= other.residuals.max() / c < 1e-6
    one, other = (spectral_density(matrix, steps=20, starts=3) for matrix in (A, c * A))
    np.testing.assert_allclose(other.nodes / c, one.nodes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.density * c, one.density, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 50, 600])
@pytest.mark.parametrize("c", [0, 1, -3, 1e20, 1e-20])
def test_extremes_of_a_multiple_of_the_identity(n, c):
    checked(c * np.eye(n))


@every_curvature
def test_extremes_of_a_network(curvature):
    loss, x = problem([20, 15, 12, 4], "tanh", m=60)
    assert len(x) > spectrum.SMALL
    exact = np.linalg.eigvalsh(dense(loss, x, curvature))
    values, _, residuals = extreme_eigenvalues(operator(loss, x, curvature), k=3)
    expected = np.r_[exact[:3], exact[-3:]]
    near = np.full(6, 1e-9 * expected[-1])
    if curvature in ("ggn", "kronecker"):  # 0 comes many times there, with a crowd beside it
        assert sum(abs(exact) < 1e-12) > 3
        near[:3] = 1e-3
        assert abs(values[0]) < residuals[0] + 1e-12 < 1e-4
    assert (abs(values - expected) < near).all()
    half, _ = problem([20, 15, 12, 4], "tanh", m=60, dtype=np.float32)
    rough, _, _ = extreme_eigenvalues(operator(half, x, curvature), k=3)
    np.testing.assert_allclose(rough[[0, 3, 4, 5]], expected[[0, -3, -2, -1]], rtol=0, atol=1e-5)


def test_a_looser_tolerance_takes_fewer_products():
    A, counts = with_spectrum(np.linspace(-1, 1, 600))[0], []
    for tol in (1e-2, 1e-5, 1e-11):
        counted = Counted(A)
        values, vectors, residuals = extreme_eigenvalues(counted.operator(), tol=tol)
        assert np.linalg.norm(A @ vectors - values * vectors, axis=0).max() < 2 * tol
        counts.append(counted.count)
    assert counts[0] < counts[1] < counts[2] < 600


@pytest.mark.parametrize("k", [1, 3])
def test_products_run_out_where_eigenvalues_crowd_at_an_end(k):
    exact = np.geomspace(1e-9, 1, 600)
    A, _ = with_spectrum(exact)
    counted = Counted(A)
    values, vectors, residuals = extreme_eigenvalues(counted.operator(), k, products=150)
    assert counted.count < 600
    assert residuals[-1] < 1e-10 < 1e-8 < residuals[0]  # the crowded end says that it fell short
    found = np.linalg.norm(A @ vectors - values * vectors, axis=0)
    np.testing.assert_allclose(found, residuals, rtol=1e-6, atol=1e-13)
    assert 0 < values[0] < residuals[0]
    np.testing.assert_allclose(values[k:], exact[-k:], rtol=1e-10)


@pytest.mark.parametrize(
    "error",
    [ArpackNoConvergence("No convergence", np.empty(0), np.empty((600, 0))), ArpackError(-9999)],
    ids=["no convergence", "no factorization"],
)
def test_eigenvalues_that_are_not_found_are_said_in_words(error, monkeypatch):
    def gives_up(*args, **how):
        raise error

    monkeypatch.setattr(spectrum, "eigsh", gives_up)
    complains(lambda: extreme_eigenvalues(np.eye(600)), "A", "ARPACK error")


def test_a_multiple_eigenvalue_fills_both_ends_where_there_is_no_other():
    values, vectors, residuals = extreme_eigenvalues(aslinearoperator(3 * np.eye(600)), k=4)
    np.testing.assert_allclose(values, np.full(8, 3.0), rtol=1e-13)
    for end in (vectors[:, :4], vectors[:, 4:]):
        np.testing.assert_allclose(end.T @ end, np.eye(4), atol=1e-13)


def test_the_same_seed_gives_the_same_digits():
    A, _ = with_spectrum(np.random.default_rng(0).normal(size=150))
    for call in (extreme_eigenvalues, trace, spectral_density):
        for one, again in zip(call(A, seed=3), call(A, seed=3)):
            np.testing.assert_array_equal(one, again)
    for call in (trace, spectral_density):
        assert np.any(call(A, seed=3)[1] != call(A, seed=4)[1])  # the ends may be exact for both


# ---- density


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_density_of_a_small_net(activation):
    """The counts of eigenvalues, smeared as widely: the mean over starts tends to them."""
    loss, x = problem([4, 3, 3], activation, m=60, l2=0.05)
    exact = np.linalg.eigvalsh(dense(loss, x, "exact"))
    width = 0.1 * np.ptp(exact)
    found = spectral_density(operator(loss, x), starts=200, width=width)
    curves = np.exp(-0.5 * ((found.grid - exact[:, None]) / width) ** 2)
    expected = curves.mean(axis=0) / (width * np.sqrt(2 * np.pi))
    step = found.grid[1] - found.grid[0]
    assert np.abs(found.density - expected).sum() * step < 0.05
    for k in (1, 2, 3):  # n steps or more: Σ w θᵏ is unbiased for tr Hᵏ / n
        assert found.weights @ found.nodes**k == pytest.approx(np.mean(exact**k), rel=0.1)


def test_density_by_its_definition():
    A, _ = with_spectrum(np.linspace(-1, 3, 150) ** 3)
    found = spectral_density(A, steps=12, starts=3, points=400, seed=5)
    rng = np.random.default_rng(5)
    rules = [quadrature(A, rng.normal(size=150), 12) for _ in range(3)]
    np.testing.assert_array_equal(found.nodes, np.concatenate([nodes for nodes, _ in rules]))
    assert found.weights.sum() == pytest.approx(1, rel=1e-12)
    assert len(found.grid) == len(found.density) == 400
    width = (found.nodes.min() - found.grid[0]) / 4
    # Papyan: 2/(steps - 1)/√(8 ln 3) of half the spectrum's width, with a margin of 5 % at each end
    assert width == pytest.approx(0.55 * np.ptp(found.nodes) * 2 / 11 / np.sqrt(8 * np.log(3)))
    curves = np.exp(-0.5 * ((found.grid - found.nodes[:, None]) / width) ** 2)
    expected = found.weights @ curves / np.sqrt(2 * np.pi * width**2)
    np.testing.assert_allclose(found.density, expected, rtol=1e-12)
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=1e-4)


def test_outliers_stand_apart():
    """Classes - 1 eigenvalues far above a bulk: their share of the area is their share of n."""
    A, _ = with_spectrum(np.r_[0.01 * np.random.default_rng(0).normal(size=297), 5, 6, 7])
    found = spectral_density(A, starts=60)
    above = found.grid > 3
    area = np.trapezoid(found.density[above], found.grid[above])
    assert area == pytest.approx(3 / 300, rel=0.2)
    peaks = found.density[above]
    assert np.sum((peaks[1:-1] > peaks[:-2]) & (peaks[1:-1] > peaks[2:])) == 3


@pytest.mark.parametrize("c", [0, 2.5, -1e9])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_density_of_a_point(n, c):
    found = spectral_density(c * np.eye(n))
    assert np.isfinite(found.density).all()
    assert found.grid[np.argmax(found.density)] == pytest.approx(c, abs=0.01 * (abs(c) or 1))
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=1e-3)


# ---- trace


@pytest.mark.parametrize("rank", [0, 1, 7, 10])
def test_trace_of_low_rank_is_exact(rank):
    signs = (-1.0) ** np.arange(rank)
    A, _ = with_spectrum(np.r_[np.zeros(200 - rank), signs * np.geomspace(1, 100, rank)])
    for seed in range(5):
        value, error = trace(A, products=30, seed=seed)
        assert value == pytest.approx(np.trace(A), rel=1e-11, abs=1e-11)
        assert error < 1e-11
    value, error = trace(with_spectrum(np.r_[np.zeros(150), np.ones(50)])[0], products=30)
    assert error > 0.1  # a rank beyond the space


def test_trace_is_the_sum_of_the_diagonal_where_that_is_no_dearer():
    for n in (1, 2, 90):
        A = np.random.default_rng(n).normal(size=(n, n))
        A = A + A.T
        counted = Counted(A)
        value, error = trace(counted.operator())
        assert value == pytest.approx(np.trace(A), rel=1e-12) and error == 0
        assert counted.count <= 90


def test_traces_error_is_honest_and_its_products_are_counted():
    """Over 300 seeds: unbiased, spread as its standard error says, better than Hutchinson's."""
    n, products = 150, 30
    A, _ = with_spectrum(100.0 / np.arange(1, n + 1) ** 1.5)
    counted = Counted(A)
    trace(counted.operator(), products)
    assert counted.count == products
    found = np.array([trace(A, products, seed) for seed in range(300)])
    gaps, errors = found[:, 0] - np.trace(A), found[:, 1]
    spread = np.sqrt(np.mean(gaps**2))
    assert abs(gaps.mean()) < 4 * spread / np.sqrt(300)
    assert spread == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.2)
    off = A - np.diag(np.diag(A))
    hutchinson = np.sqrt(2 * np.sum(off**2) / products)  # with as many products
    assert spread < 0.3 * hutchinson


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_traces_error_has_the_unit_of_the_trace(unit):
    A = np.diag(np.arange(200.0))
    assert np.array(trace(A * unit)) / unit == pytest.approx(trace(A), rel=1e-12)


@every_curvature
def test_trace_of_a_network(curvature):
    loss, x = problem([10, 12, 8, 4], "tanh", m=60, l2=0.1)
    expected = np.trace(dense(loss, x, curvature))
    value, error = trace(operator(loss, x, curvature))
    assert 0 < error < 0.05 * abs(expected)
    assert abs(value - expected) < 4 * error


# ---- matrices and losses of other kinds


def test_matrices_of_other_kinds():
    A = scipy.sparse.diags_array(np.arange(1.0, 301))
    values, *_ = extreme_eigenvalues(A)
    np.testing.assert_allclose(values, [1, 300])
    assert as_symmetric(np.diag([1, 2])) @ np.ones(2) == pytest.approx([1, 2])
    assert as_symmetric(np.eye(2, dtype=np.float32)).dtype == np.float64
    double = symmetric(3, lambda p: 2 * p)
    np.testing.assert_array_equal(double @ np.eye(3), 2 * np.eye(3))
    np.testing.assert_array_equal(double.T @ np.ones(3), 2 * np.ones(3))


def test_a_loss_without_second_derivatives_says_so():
    class Flat(Quadratic):
        def hess(self, x):
            return super(Quadratic, self).hess(x)

    with pytest.raises(ValueError, match="no second derivatives"):
        extreme_eigenvalues(operator(Flat(), np.zeros(5)))


def test_many_classes_few_rows():
    """A Gauss-Newton matrix of rank <= rows·(classes - 1): its smallest eigenvalue is 0."""
    X, y = data(3, 8, 5)
    net = Network([8, 12, 5])
    loss, x = net.loss(X, y), net.init(0)
    values, *_ = extreme_eigenvalues(operator(loss, x, "ggn"))
    assert abs(values[0]) < 1e-9 * values[1]
    H = operator(loss, x, "ggn")
    value, error = trace(H, products=45)
    assert error < 1e-10 * value and value == pytest.approx(np.trace(H @ np.eye(len(x))))


def test_logistic_regression_knows_its_own():
    loss = Logistic(*overlapping_data(), l2=0.2)
    x = np.linspace(-1, 1, loss.n_params)
    values, *_ = extreme_eigenvalues(operator(loss, x))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(loss.hess(x))[[0, -1]])


def overlapping_data():
    loss = overlapping()
    return loss.X, loss.y


def test_examples():
    failed, tried = doctest.testmod(spectrum)
    assert not failed and tried


@pytest.mark.parametrize("curvature", ["exact", "ggn"])
def test_a_loss_may_use_its_arrays_again(curvature):
    """Columns of a product that are views of one array would all be the last."""
    A = operator(Careless(), np.ones(5), curvature)
    np.testing.assert_array_equal(A @ np.eye(5), Quadratic().A)
    ends = np.linalg.eigvalsh(Quadratic().A)[[0, -1]]
    np.testing.assert_allclose(extreme_eigenvalues(A).values, ends)
