"""Every pair of a direction and a step rule finds the minimum, on any object that is a loss."""

import functools

import numpy as np
import pytest
from helpers import (
    OWN,
    SCIPYS,
    Careless,
    Quadratic,
    check_success,
    complains,
    every_method,
    overlapping,
)
from scipy import optimize

from soo_lib.losses import Loss, Rosenbrock
from soo_lib.solvers import minimize
from soo_lib.solvers.line_search import LINE_SEARCHES
from soo_lib.solvers.minimize import OWN as METHODS
from soo_lib.solvers.scipy import SCIPY

PROBLEMS = {
    "quadratic": (Quadratic(), np.zeros(5)),
    "rosenbrock": (Rosenbrock(), np.zeros(2)),
    "logistic": (overlapping(), np.zeros(3)),
    "logistic with l2": (overlapping(l2=0.1), np.ones(3)),
}
every_problem = pytest.mark.parametrize("name", PROBLEMS)


@functools.cache
def answer(name):
    """The minimum: in closed form where there is one, or by scipy called directly."""
    loss, x0 = PROBLEMS[name]
    if name == "quadratic":
        return loss.minimum
    found = optimize.minimize(
        loss.fun, x0, jac=loss.jac, hess=loss.hess, method="trust-exact", options={"gtol": 1e-12}
    )
    if name == "rosenbrock":
        np.testing.assert_allclose(found.x, 1, rtol=1e-9)
    return found.x


# ---- every pair on every problem


def test_the_lists_are_complete():
    assert list(METHODS) == OWN and list(SCIPY) == SCIPYS
    assert list(LINE_SEARCHES) == ["fixed", "backtracking", "wolfe", "trust"]


@every_problem
@pytest.mark.parametrize("line_search", ["backtracking", "wolfe"])
@pytest.mark.parametrize("method", OWN)
def test_own_methods_find_the_minimum(name, method, line_search):
    loss, x0 = PROBLEMS[name]
    # steepest descent zigzags: thousands of iterations in the valley, and to fewer digits; Armijo's
    # condition compares values, whose rounding hides gradients below about the root of ε
    gtol = 1e-5 if method == "gradient" else 1e-6 if line_search == "backtracking" else 1e-8
    before = x0.copy()
    found = minimize(loss, x0, method, line_search, gtol=gtol, maxiter=20_000)
    check_success(found, loss, gtol)
    np.testing.assert_allclose(found.x, answer(name), atol=100 * gtol)
    np.testing.assert_array_equal(x0, before)
    if method != "nlcg":  # whose steps may end where the next direction is no descent
        assert (np.diff(found.trace.fun) <= 1e-14).all()


@every_problem
@pytest.mark.parametrize("method", OWN)
def test_fixed_steps_find_the_minimum(name, method):
    """From nearby, with a step that suits the rule: 1 for those that know a scale."""
    loss = PROBLEMS[name][0]
    x0 = answer(name) + 0.05
    step = 1.0
    if method in ("gradient", "nlcg"):
        step = 0.8 / np.linalg.eigvalsh(loss.hess(answer(name)))[-1]
        if method == "nlcg" and name != "rosenbrock":  # β lengthens the direction
            step /= 4
    elif method in ("bfgs", "lbfgs"):
        step = 0.25 if name == "quadratic" else 0.5  # the first direction is -g, without a scale
    gtol = 1e-5
    found = minimize(loss, x0, method, "fixed", step=step, gtol=gtol, maxiter=20_000)
    check_success(found, loss, gtol)
    np.testing.assert_allclose(found.x, answer(name), atol=1e-3)
    np.testing.assert_array_equal(found.trace.step[1:], step)


@every_problem
@pytest.mark.parametrize("method", SCIPYS)
def test_scipys_methods_find_the_minimum(name, method):
    loss, x0 = PROBLEMS[name]
    gtol = 1e-7
    found = minimize(loss, x0, method, gtol=gtol, maxiter=500)
    check_success(found, loss, gtol)
    np.testing.assert_allclose(found.x, answer(name), atol=1e-5)


def test_the_default_is_newton_with_the_strong_wolfe_conditions():
    loss = Rosenbrock()
    default = minimize(loss, [0, 0])
    chosen = minimize(loss, [0, 0], "newton", "wolfe", step=1.0, maxiter=100, gtol=1e-8, ftol=0.0)
    np.testing.assert_array_equal(default.x, chosen.x)
    assert default.nit == chosen.nit < 20


def test_a_search_improves_on_its_fixed_step():
    """The two step rules differ in what they do to a first trial that is far too long."""
    loss = PROBLEMS["logistic"][0]
    for line_search in ("backtracking", "wolfe"):
        assert minimize(loss, np.zeros(3), "gradient", line_search, step=1e3, maxiter=2000).success
    assert not minimize(loss, np.zeros(3), "gradient", "fixed", step=1e3).success


@pytest.mark.parametrize("method", ["gradient", "nlcg"])
def test_a_direction_without_a_scale_starts_from_its_last_success(method):
    """Where a step of 1 is far too long, only the first search has to find that out."""
    trace = minimize(Quadratic(condition=1e6), np.ones(5), method, maxiter=20).trace
    calls = np.diff(trace.nfev)
    assert calls[0] > 5 and np.mean(calls[1:]) < 4, calls


# ---- settings


LOSS = Rosenbrock()


@pytest.mark.parametrize("method", OWN)
def test_settings_that_neither_rule_knows(method):
    with pytest.raises(ValueError) as caught:
        minimize(LOSS, [0, 0], method, "wolfe", momentum=0.9)
    for part in ("momentum", method, "wolfe", "c1", "c2"):
        assert part in str(caught.value)
    with pytest.raises(ValueError, match="shrink"):  # known, but to another search
        minimize(LOSS, [0, 0], method, "wolfe", shrink=0.5)
    with pytest.raises(ValueError, match="none.*c1"):
        minimize(LOSS, [0, 0], "gradient", "fixed", c1=0.1)


@pytest.mark.parametrize("method", SCIPYS)
def test_settings_that_scipy_does_not_know(method):
    with pytest.raises(ValueError, match="momentum"):
        minimize(LOSS, [0, 0], method, momentum=0.9)


def test_settings_reach_the_rules():
    x0 = np.zeros(2)
    slow, quick = (minimize(LOSS, x0, "lbfgs", memory=memory) for memory in (1, 10))
    assert slow.nit != quick.nit
    rough, exact = (minimize(LOSS, x0, "nlcg", c2=c2, maxiter=5) for c2 in (0.9, 1e-3))
    assert not np.array_equal(rough.x, exact.x)
    maxcor = [minimize(LOSS, x0, "L-BFGS-B", maxcor=count, maxiter=8) for count in (1, 10)]
    assert not np.array_equal(*(run.x for run in maxcor))


# ---- any object is a loss


class Bare:
    """The least that can be minimised: no base class, no n_params, no second derivatives."""

    def fun(self, x):
        return float((x - 1) @ (x - 1))

    def jac(self, x):
        return 2 * (x - 1)


@pytest.mark.parametrize("method", ["gradient", "nlcg", "lbfgs", "CG", "L-BFGS-B"])
def test_any_object_with_fun_and_jac_is_a_loss(method):
    found = minimize(Bare(), np.zeros(3), method)
    assert found.success and found.nfev == found.trace.nfev[-1]
    np.testing.assert_allclose(found.x, 1, atol=1e-8)


@pytest.mark.parametrize("method", ["newton", "Newton-CG", "trust-exact"])
def test_missing_second_derivatives_are_named(method):
    with pytest.raises(ValueError, match="no second derivatives"):
        minimize(Bare(), np.zeros(3), method)


@pytest.mark.parametrize("method", ["gradient", "lbfgs", "BFGS"])
@pytest.mark.parametrize(
    "g, got",
    [
        (np.full(3, 2j), "complex128"),
        (np.array(0.0, dtype=object), "object"),
        (np.ones(2), "(2,)"),
        ([1.0, [2.0], 3.0], "object"),
    ],
    ids=str,
)
def test_a_bad_gradient_is_named(method, g, got):
    loss = Bare()
    loss.jac = lambda x: g
    complains(lambda: minimize(loss, np.zeros(3), method), "gradient", "3 real numbers", got)


@every_method
def test_a_loss_may_write_to_x_and_use_its_arrays_again(method):
    """scipy hands out copies, too: the run is the same to the last digit."""
    loss, careful = Careless(), Quadratic()
    found, expected = (minimize(each, np.ones(5), method) for each in (loss, careful))
    assert found.message == expected.message
    np.testing.assert_array_equal(found.x, expected.x)
    jac = found.jac.copy()
    loss.jac(np.zeros(5))
    np.testing.assert_array_equal(found.jac, jac)


@pytest.mark.parametrize("give", [list, np.float16, lambda g: g])
def test_the_gradient_of_the_best_point_is_an_array_of_its_own(give):
    """Too long a step goes up: the best point is the start."""
    loss = Bare()
    kept = np.empty(3)

    def jac(x):
        kept[:] = 2 * (x - 1)
        return give(kept)

    loss.jac = jac
    found = minimize(loss, np.zeros(3), "gradient", "fixed", step=1.5, maxiter=3)
    assert isinstance(found.jac, np.ndarray) and found.jac.dtype == float and found.nit == 3
    kept[:] = 0
    np.testing.assert_array_equal(found.jac, [-2.0, -2.0, -2.0])


@pytest.mark.parametrize(
    "value, gradient, hessian, what",
    [
        (np.ones(1), np.ones(2), np.eye(2), "value"),
        (None, np.ones(2), np.eye(2), "value"),
        (1.0, np.ones(3), np.eye(2), "gradient"),
        (1.0, 1j * np.ones(2), np.eye(2), "gradient"),
        (1.0, np.ones(2), np.ones(2), "Hessian"),
        (1.0, np.ones(2), None, "Hessian"),
    ],
    ids=str,
)
def test_what_a_loss_returns_is_looked_at(value, gradient, hessian, what):
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 2, lambda x: value, lambda x: gradient
    loss.hess = lambda x: hessian
    complains(lambda: minimize(loss, np.zeros(2), "newton"), what)


def test_a_loss_may_reuse_its_gradients_array():
    class Thrifty(Quadratic):
        buffer = np.empty(5)

        def jac(self, x):
            self.buffer[:] = super().jac(x)
            return self.buffer

    for method in ("bfgs", "lbfgs", "nlcg", "BFGS"):
        assert minimize(Thrifty(), np.zeros(5), method).success
