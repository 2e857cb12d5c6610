"""Steps in a radius: Steihaug's against the ball's true minimum, models of pairs, whole runs."""

import numpy as np
import pytest
from helpers import Quadratic, Saddle, WrongSign, complains, overlapping
from scipy.optimize import brentq
from test_krylov import digits, symmetric

from soo_lib.losses import Rosenbrock
from soo_lib.solvers import BFGS, LBFGS, TrustRegion, minimize
from soo_lib.solvers.stop import Status

rng = np.random.default_rng(0)

MODELLED = ["newton", "bfgs", "lbfgs", "hessian-free"]


class Known:
    """A rule whose model is a matrix."""

    accuracy = 1e-12

    def __init__(self, B):
        self.B, self.note, self.told = B, "", []

    def product(self, loss, x):
        return lambda d: self.B @ d

    def update(self, s, g_old, g):
        self.told.append((s, g - g_old))


def lowest(B, g, radius):
    """The model's minimum in the ball, by its eigenvalues (N&W theorem 4.1); no hard case here."""
    values, V = np.linalg.eigh(B)
    c = V.T @ g
    if values[0] > 0 and np.linalg.norm(c / values) <= radius:
        return -V @ (c / values)
    low = max(0.0, -values[0])
    shift = brentq(lambda t: np.linalg.norm(c / (values + t)) - radius, low + 1e-12, low + 1e6)
    return -V @ (c / (values + shift))


@pytest.mark.parametrize("radius", [1e-3, 0.3, 3.0, 1e3])
@pytest.mark.parametrize("eigenvalues", [[1, 2, 5, 9], [-2, 1, 3, 4], [-3, -1, -0.5, 2]], ids=str)
def test_steihaugs_step(eigenvalues, radius):
    """Inside: the model's minimum. On the rim: at least half of what a ball allows, as a rule."""
    B, g = symmetric(np.array(eigenvalues, float)), np.array([1.0, -2.0, 0.5, 1.5])
    rule = TrustRegion(Known(B), radius)
    p = rule(None, None, g)

    def model(p):
        return g @ p + 0.5 * p @ B @ p

    best, cauchy = lowest(B, g, radius), -radius * g / np.linalg.norm(g)
    slope, bend = g @ cauchy, cauchy @ B @ cauchy
    cauchy *= min(1.0, -slope / bend) if bend > 0 else 1.0
    assert np.linalg.norm(p) <= radius * (1 + 1e-12)
    assert model(best) - 1e-9 <= model(p) <= model(cauchy) + 1e-12
    np.testing.assert_allclose(rule.pHp, p @ B @ p, rtol=1e-9)
    if np.linalg.norm(best) < radius * (1 - 1e-9):
        np.testing.assert_allclose(p, best, atol=1e-9)
        assert not rule.note
    else:
        np.testing.assert_allclose(np.linalg.norm(p), radius)
        assert "radius" in rule.note or "negative curvature" in rule.note
    if min(eigenvalues) > 0:
        assert model(p) <= 0.5 * model(best)  # Steihaug 1983: half of it, where B is positive


@pytest.mark.parametrize("name", ["bfgs", "lbfgs"])
def test_the_model_of_pairs_is_the_inverse_of_what_the_direction_uses(name):
    A, n = symmetric(np.geomspace(1, 30, 6)), 6
    rule = {"bfgs": BFGS, "lbfgs": LBFGS}[name]()
    np.testing.assert_array_equal(rule.product(None, None)(np.arange(6.0)), np.arange(6.0))
    for _ in range(4):
        s = rng.normal(size=n)
        rule.update(s, 0 * s, A @ s)
    B = np.stack([rule.product(None, None)(e) for e in np.eye(n)])
    H = -np.stack([rule(None, None, e) for e in np.eye(n)])
    np.testing.assert_allclose(B @ H, np.eye(n), atol=1e-9)
    np.testing.assert_allclose(B @ s, A @ s, rtol=1e-9)  # the secant equation


def test_powells_damping_keeps_the_model_positive():
    """N&W procedure 18.2: y moves towards Bs until sᵀy is a fifth of sᵀBs, and no further."""
    B, g = symmetric([1.0, 2.0, 5.0]), np.array([1.0, -2.0, 0.5])
    for y, damped in ((np.ones(3), False), (-np.ones(3), True)):
        rule = TrustRegion(Known(B), 10.0)
        s = rule(None, None, g)
        y = y * np.sign(s)  # along s it bends up, or down
        rule.update(s, g, g + y)
        ((_, told),) = rule.inner.told
        if damped:
            np.testing.assert_allclose(s @ told, 0.2 * s @ B @ s)
            assert np.linalg.matrix_rank(np.stack([told, y, B @ s]), tol=1e-8) == 2
        else:
            np.testing.assert_allclose(told, y)


def test_the_radius_is_adapted():
    B, g = np.eye(2), np.array([4.0, 0.0])
    for truth, radius, now in ((1.0, 1.0, 2.0), (5.0, 1.0, 0.25), (2.5, 1.0, 1.0), (1.0, 9.0, 9.0)):
        rule = TrustRegion(Known(B), radius)
        s = rule(None, np.zeros(2), g)
        rule.update(s, g, g + (2 * truth - 1) * s if truth != 1 else g + s)
        assert (rule.radius == now) == (truth != 2.5) or rule.radius == 1.0, (truth, rule.radius)
    rule.restart()
    np.testing.assert_allclose(rule.radius, np.linalg.norm(s) / 4)
    assert not rule.fresh


@pytest.mark.parametrize("method", MODELLED)
@pytest.mark.parametrize("step", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("b", [1.0, 50.0, 1000.0])
def test_rosenbrock_in_a_radius(method, step, b):
    found = minimize(Rosenbrock(b=b), [-1.2, 1.0], method, "trust", step=step, maxiter=500)
    assert found.success, found.message
    np.testing.assert_allclose(found.x, 1, atol=1e-5)
    assert (np.diff(found.trace.fun) <= 0).all()
    assert np.linalg.norm(found.trace.x[1] - found.trace.x[0]) <= step * (1 + 1e-9)


@pytest.mark.parametrize("method", MODELLED)
def test_a_quadratic_and_a_saddle_in_a_radius(method):
    loss = Quadratic(n=20, condition=1e4)
    found = minimize(loss, np.zeros(20), method, "trust", maxiter=2000)
    assert found.success and np.abs(loss.jac(found.x)).max() <= 1e-8
    for y in (1e-6, -1e-4, 0.1):
        found = minimize(Saddle(), [1.0, y], method, "trust", maxiter=200)
        assert found.success
        np.testing.assert_allclose(found.x, [0, np.sign(y) / np.sqrt(2)], atol=1e-6)


def test_newton_in_a_radius_asks_for_no_more_than_scipys_trust_ncg():
    """On one problem, and over starts of another: which minimum a start leads to is luck."""
    net, on_digits = digits()
    for loss, starts in (
        (Rosenbrock(), [[-1.2, 1.0]]),
        (overlapping(m=300, n=6), [np.zeros(6)]),
        (on_digits, [net.init(seed) for seed in range(3)]),
    ):
        spent = np.zeros(2)
        for x0 in starts:
            ours = minimize(loss, x0, "newton", "trust", gtol=1e-5, maxiter=300)
            scipys = minimize(loss, x0, "trust-ncg", gtol=1e-5, maxiter=300)
            assert ours.success and scipys.success and ours.nhev == 0
            spent += ours.trace.evaluations[-1], scipys.trace.evaluations[-1]
        assert spent[0] <= 1.5 * spent[1] + 30


def test_what_a_radius_does_is_in_the_trace():
    notes = minimize(Rosenbrock(), [-1.2, 1.0], "newton", "trust").trace.note
    assert any("at the radius" in note for note in notes)
    assert any("radius cut" in note for note in notes)
    assert not notes[-1]  # in the end it is Newton's method


def test_a_wrong_gradient_in_a_radius_is_not_a_success():
    for method in MODELLED:
        found = minimize(WrongSign(Quadratic()), np.ones(5), method, "trust")
        assert found.status is Status.WRONG_GRADIENT, found.message
        assert found.fun <= Quadratic().fun(np.ones(5))


def test_products_that_are_no_numbers_in_a_radius():
    class Broken(Quadratic):
        def hess(self, x):
            return np.full((5, 5), np.nan)

    found = minimize(Broken(), np.ones(5), "newton", "trust", maxiter=5)
    assert "not finite" in found.trace.note[1] and found.fun < Quadratic().fun(np.ones(5))


def test_a_damping_beside_a_radius_is_refused():
    with pytest.raises(ValueError, match="damping"):
        minimize(Rosenbrock(), [0, 0], "hessian-free", "trust", damping=1.0)
    complains(lambda: minimize(Rosenbrock(), [0, 0], "newton", "trust", step=0), "step")


@pytest.mark.parametrize("step", [1e-200, 1e100, 1e200])
def test_no_first_radius_is_too_odd(step):
    found = minimize(Rosenbrock(), [-1.2, 1.0], "newton", "trust", step=step, maxiter=2000)
    assert np.isfinite(found.x).all() and "gradient right?" not in found.message
    assert found.success or step < 1, found.message
