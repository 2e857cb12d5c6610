"""The field's own test problems: every method and search, beside scipy's, and with wrong gradients.

A run is *solved* when the largest entry of the gradient has fallen by 1e-8 of its first value.
"""

import functools
import warnings

import numpy as np
import pytest
from problems import (
    MORE_GARBOW_HILLSTROM,
    Changed,
    Quadratic,
    Squares,
    chained_rosenbrock,
    rosenbrock,
)
from sklearn.datasets import load_breast_cancer

from soo_lib.gradient_test import gradient_test
from soo_lib.losses import Logistic
from soo_lib.solvers import minimize
from soo_lib.solvers.minimize import OWN
from soo_lib.solvers.stop import Status, why_no_decrease

TWINS = {  # what of scipy's does the same, as far as there is one
    "newton": "trust-exact",
    "nlcg": "CG",
    "bfgs": "BFGS",
    "lbfgs": "L-BFGS-B",
    "hessian-free": "Newton-CG",
    "arc": "trust-krylov",
}


@functools.cache
def problems():
    found = {
        name: (Squares(parts, len(x0)), np.array(x0, float))
        for name, (parts, x0) in MORE_GARBOW_HILLSTROM.items()
    }
    start = np.tile([-1.2, 1.0], 50)
    found["rosenbrock, 50 pairs"] = Squares(rosenbrock, 100), start
    found["rosenbrock, a chain of 100"] = Squares(chained_rosenbrock, 100), start
    for condition in (1e4, 1e10):
        loss, x0 = Quadratic(np.geomspace(1, condition, 12)), np.ones(12)
        name = f"condition {condition:.0e}"
        found[name] = loss, x0
        found[f"{name}, times 1e12"] = Changed(loss, 1e12), x0
        found[f"{name}, times 1e-12"] = Changed(loss, 1e-12), x0
        found[f"{name}, plus 1e6"] = Changed(loss, constant=1e6), x0
    X, y = load_breast_cancer(return_X_y=True)
    scaled = (X - X.mean(0)) / X.std(0)
    for name, table in (("raw", X), ("scaled", scaled)):
        loss = Logistic(np.c_[np.ones(len(X)), table], y, l2=1e-3)
        found[f"breast cancer, {name}"] = loss, np.zeros(31)
    return found


NAMES = list(problems())
every_problem = pytest.mark.parametrize("name", NAMES)


@functools.cache
def run(name, method, line_search=None, maxiter=2000):
    loss, x0 = problems()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return minimize(loss, x0, method, line_search, maxiter=maxiter, gtol=gtol_of(name))


@functools.cache
def gtol_of(name):
    loss, x0 = problems()[name]
    return 1e-8 * np.abs(loss.jac(x0)).max()


def evaluations(found):
    return int(found.trace.evaluations[-1])


# ---- the formulas


@every_problem
def test_gradients_and_hessians_are_right(name):
    loss, x0 = problems()[name]
    rng = np.random.default_rng(1)
    x = x0 + 0.1 * rng.normal(size=len(x0)) * (np.abs(x0) + 0.1)
    assert gradient_test(loss, x).ok
    H, eps = loss.hess(x), 1e-6 * np.maximum(np.abs(x), 0.1)
    columns = [(loss.jac(x + e) - loss.jac(x - e)) / (2 * e.max()) for e in np.diag(eps)]
    np.testing.assert_allclose(H, np.stack(columns, 1), atol=1e-4 * np.abs(H).max())
    np.testing.assert_allclose(H, H.T, atol=1e-14 * np.abs(H).max())


MINIMA = {  # of the paper; where there are two, both
    "freudenstein-roth": (0, 48.9842),
    "jennrich-sampson": (124.362,),
    "bard": (8.21487e-3,),
    "gaussian": (1.12793e-8,),
    "kowalik-osborne": (3.07505e-4,),
    "brown-dennis": (85822.2,),
    "biggs": (0, 5.65565e-3),
    "watson": (2.28767e-3,),
    "penalty": (7.08765e-5,),
    "trigonometric": (0, 2.79506e-5),
    "meyer": (87.9458,),
    "wood": (0,),
    "beale": (0,),
    "helical valley": (0,),
    "rosenbrock": (0,),
    "box": (0,),
    "broyden tridiagonal": (0,),
}


@pytest.mark.parametrize("name", MINIMA)
def test_newton_finds_the_papers_minimum(name):
    found = run(name, "newton")
    close = [
        np.isclose(found.fun, f, rtol=0.06 if name == "penalty" else 1e-4, atol=1e-9)
        for f in MINIMA[name]
    ]
    assert any(close), found.fun


# ---- never a false word


@every_problem
@pytest.mark.parametrize("line_search", [None, "wolfe", "backtracking", "fixed"])
@pytest.mark.parametrize("method", OWN)
def test_every_run_is_honest(name, method, line_search):
    loss, _ = problems()[name]
    long = line_search is None and method != "gradient"
    found = run(name, method) if long else run(name, method, line_search, 100)
    assert found.fun == loss.fun(found.x) or not np.isfinite(found.fun)
    if found.success:
        assert np.abs(loss.jac(found.x)).max() <= gtol_of(name)
    assert found.status not in (Status.WRONG_GRADIENT, Status.RESAMPLED), found.message


@pytest.mark.parametrize("scale", [1e160, 1e-160])
@pytest.mark.parametrize("method", OWN)
def test_a_gradient_whose_square_is_no_number_is_what_stopped_it(method, scale):
    """It is far from the floor of rounding, and more trials would not help."""
    loss, x0 = Changed(Quadratic(np.geomspace(1, 100, 5)), scale), np.ones(5)
    gtol = 1e-8 * np.abs(loss.jac(x0)).max()
    found = minimize(loss, x0, method, gtol=gtol)
    assert found.status is Status.SCALE or (found.success and np.abs(found.jac).max() <= gtol)
    assert found.success == (method == "newton")


# ---- beside scipy's


LIMITS = {  # where ours takes more: (problem, method): why
    ("meyer", "hessian-free"): "the twin stops at a loss of 112,123; ours goes on to 87.9458",
    ("powell badly scaled", "arc"): "the twin stops at 9e-5; ours goes on, slowly: in products "
    "alone the small of two eigenvalues 1e16 apart is lost in the rounding of the large",
}


@every_problem
@pytest.mark.parametrize("method", TWINS)
def test_solved_where_scipys_twin_solves_it(name, method):
    twin, found = run(name, TWINS[method]), run(name, method)
    within = found.success and evaluations(found) <= 3 * evaluations(twin) + 30
    if (name, method) in LIMITS:
        assert twin.success and not within, "no limit any more: take it out of the table"
    else:
        assert within or not twin.success, (evaluations(found), evaluations(twin), found.message)


# ---- wrong gradients


def faults(loss, x0):
    """Nine ways to get a gradient wrong, each a function of x."""
    n, right = len(x0), loss.jac
    one, lost, half = np.ones((3, n))
    one[n // 2], lost[n // 2], half[::2] = -3, 0, 0
    shift = 0.01 * (np.abs(x0) + 0.1) * np.random.default_rng(5).normal(size=n)
    constant = 0.01 * np.abs(right(x0)).max()

    def swapped(x):
        g = right(x)
        g[[0, -1]] = g[[-1, 0]]
        return g

    return {
        "sign": lambda x: -right(x),
        "twice": lambda x: 2 * right(x),
        "a third": lambda x: 0.3 * right(x),
        "one entry": lambda x: one * right(x),
        "one entry lost": lambda x: lost * right(x),
        "half lost": lambda x: half * right(x),
        "two swapped": swapped,
        "of another point": lambda x: right(x + shift),
        "a constant too much": lambda x: right(x) + constant,
    }


FAULTS = list(faults(*problems()["rosenbrock"]))
every_fault = pytest.mark.parametrize("fault", FAULTS)


class Wrong(Changed):
    """A loss with a gradient of another making."""

    def __init__(self, loss, jac):
        super().__init__(loss)
        self.jac = jac


@every_fault
def test_wrong_gradients_are_told(fault):
    """Near the starts of all problems at least nine in ten, of all faults together 95 %."""
    told = []
    for loss, x0 in problems().values():
        x = x0 + 0.1 * np.random.default_rng(0).normal(size=len(x0)) * (np.abs(x0) + 0.1)
        wrong = Wrong(loss, faults(loss, x0)[fault])
        f, g = wrong.fun_and_jac(x)
        told.append(why_no_decrease(wrong, x, f, g, -g).status is Status.WRONG_GRADIENT)
        g = loss.jac(x)
        assert why_no_decrease(loss, x, f, g, -g).status is not Status.WRONG_GRADIENT
    assert np.mean(told) >= (0.9 if fault in ("one entry", "one entry lost") else 0.96)


@every_problem
@pytest.mark.parametrize("fault", ["sign", "one entry"])
@pytest.mark.parametrize("method", [*OWN, "CG", "BFGS", "L-BFGS-B", "Newton-CG"])
def test_a_wrong_gradient_is_never_excused(name, method, fault):
    loss, x0 = problems()[name]
    wrong = Wrong(loss, faults(loss, x0)[fault])
    found = minimize(wrong, x0, method, maxiter=60, gtol=gtol_of(name))
    if found.success:
        assert np.abs(loss.jac(found.x)).max() <= gtol_of(name)
    if fault == "sign":
        assert found.status in (Status.WRONG_GRADIENT, Status.MAXITER), found.message
