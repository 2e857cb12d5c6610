"""Solvers: every pair of a direction and a step rule finds the minimum, or says why not."""

import functools

import numpy as np
import pytest
from helpers import Barrier, Careless, Quadratic, Saddle, Watched, WrongSign, complains, overlapping
from scipy import optimize
from threadpoolctl import threadpool_limits

from soo_lib.curvature import extreme_eigenvalues
from soo_lib.losses import Logistic, Loss, Network, Reshuffled, Rosenbrock
from soo_lib.solvers import BFGS, LBFGS, Newton, NonlinearCG, minimize
from soo_lib.solvers.directions import STEEPEST
from soo_lib.solvers.line_search import LINE_SEARCHES
from soo_lib.solvers.minimize import OWN as METHODS
from soo_lib.solvers.scipy import SCIPY
from soo_lib.solvers.stop import Status

OWN = ["gradient", "newton", "nlcg", "bfgs", "lbfgs", "hessian-free", "arc"]
SCIPYS = ["CG", "BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact"]
FIRST_ORDER = ["CG", "BFGS", "L-BFGS-B", "Newton-CG"]  # the others restrict the step, not search
every_method = pytest.mark.parametrize("method", OWN + SCIPYS)

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


def check_success(found, loss, gtol):
    assert found.success and found.status.success and found.message.startswith("converged"), found
    assert np.abs(found.jac).max() <= gtol
    assert found.fun == loss.fun(found.x)
    np.testing.assert_array_equal(found.jac, loss.jac(found.x))


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


# ---- directions


def test_newton_takes_one_step_on_a_quadratic():
    loss = Quadratic()
    for line_search in ("fixed", "backtracking", "wolfe"):
        found = minimize(loss, np.full(5, 7.0), "newton", line_search)
        assert found.success and found.nit == 1 and found.nhev == 1
        np.testing.assert_allclose(found.x, loss.minimum, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 5, 10])
def test_conjugate_gradients_end_after_n_steps(n):
    """With an exact search every β of eq. 5.44 is linear CG's, which needs n steps."""
    loss = Quadratic(n, condition=20.0)
    found = minimize(loss, np.zeros(n), "nlcg", c1=1e-10, c2=1e-9, gtol=1e-6, max_trials=100)
    assert found.success and found.nit == n
    assert minimize(loss, np.zeros(n), "nlcg", c1=1e-10, c2=1e-9, maxiter=n - 1).nit == n - 1


def test_polak_ribieres_beta():
    rule, loss = NonlinearCG(), None
    g0, g1, g2 = np.array([3.0, 4.0]), np.array([1.0, -2.0]), np.array([0.9, -1.8])
    np.testing.assert_array_equal(rule(loss, None, g0), -g0)
    rule.update(-g0, g0, g1)
    beta = g1 @ (g1 - g0) / 25
    np.testing.assert_allclose(rule(loss, None, g1), -g1 - beta * g0)
    rule.update(None, g1, g2)  # here eq. 5.44 is negative: back to steepest descent
    assert g2 @ (g2 - g1) < 0
    np.testing.assert_array_equal(rule(loss, None, g2), -g2)


def random_pairs(n, count, seed=0):
    """Steps and the gradients at their ends, on a quadratic: every s @ y > 0."""
    rng = np.random.default_rng(seed)
    loss = Quadratic(n, seed=seed)
    x = rng.normal(size=n)
    for _ in range(count):
        s = rng.normal(size=n)
        yield s, loss.jac(x), loss.jac(x + s)
        x = x + s


def dense_inverse(pairs, n):
    """γI, then eq. 6.17 for every pair, as it is printed in the book."""
    s, y = pairs[-1]
    H = (s @ y) / (y @ y) * np.eye(n)
    for s, y in pairs:
        rho = 1 / (s @ y)
        V = np.eye(n) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H


@pytest.mark.parametrize("memory", [1, 3, 8, 20])
def test_the_two_loops_are_dense_bfgs_from_the_same_pairs(memory):
    n, rule, pairs = 6, LBFGS(memory), []
    for s, g_old, g in random_pairs(n, 12):
        rule.update(s, g_old, g)
        pairs = [*pairs, (s, g - g_old)][-memory:]
        expected = -dense_inverse(pairs, n) @ g
        np.testing.assert_allclose(rule(None, None, g), expected, rtol=1e-9, atol=1e-9)
    assert not rule.note and not rule.fresh
    rule.restart()
    np.testing.assert_array_equal(rule(None, None, g), -g)


def test_dense_bfgs():
    """Symmetric, positive definite, with y mapped to s (the secant equation)."""
    n, rule, grown = 6, BFGS(), 0
    for k, (s, g_old, g) in enumerate(random_pairs(n, 12)):
        rule.update(s, g_old, g)
        y = g - g_old
        if k == 0:  # γ comes from the first pair
            H = (s @ y) / (y @ y) * np.eye(n)
        elif k < n and s @ y > y @ H @ y:  # and grows with the next ones that H is too small for
            H, grown = H * (s @ y) / (y @ H @ y), grown + 1
        V = np.eye(n) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
        columns = np.column_stack([-rule(None, None, e) for e in np.eye(n)])
        np.testing.assert_allclose(columns, H, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(columns @ y, s, rtol=1e-8, atol=1e-9)
        assert np.linalg.eigvalsh((columns + columns.T) / 2)[0] > 0
    assert 0 < grown < n


def test_bfgs_and_lbfgs_agree_while_they_know_one_pair():
    loss = PROBLEMS["logistic"][0]
    runs = [minimize(loss, np.zeros(3), method, c2=0.9, maxiter=2) for method in ("bfgs", "lbfgs")]
    np.testing.assert_allclose(*(run.x for run in runs), rtol=1e-12)
    runs = [minimize(loss, np.zeros(3), method, maxiter=6) for method in ("bfgs", "lbfgs")]
    assert not np.allclose(*(run.x for run in runs), rtol=1e-9)


@pytest.mark.parametrize("rule", [BFGS, LBFGS])
def test_a_pair_without_curvature_is_left_out(rule):
    rule = rule()
    s, g = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    rule.update(s, g, g - s)  # the slope fell further: s @ y < 0
    assert rule.fresh and "no positive curvature" in rule.note
    rule.update(s, g, g + s)
    assert not rule.fresh and rule.note == ""


@pytest.mark.parametrize("y", [1e-6, -1e-4, 0.1])
@pytest.mark.parametrize("line_search", ["backtracking", "wolfe"])
def test_newton_escapes_a_saddle_and_notes_it(y, line_search):
    loss = Saddle()
    found = minimize(loss, [1.0, y], "newton", line_search)
    check_success(found, loss, 1e-8)
    np.testing.assert_allclose(found.x, [0, np.sign(y) / np.sqrt(2)], atol=1e-8)
    points = np.array(found.trace.x)
    assert found.trace.note[0] == ""
    for k, note in enumerate(found.trace.note[1:]):
        indefinite = -2 + 12 * points[k, 1] ** 2 < 0
        assert ("not positive definite" in note) == indefinite, (k, note)
    assert f"eigenvalue {-2 + 12 * y * y:.2g}" in found.trace.note[1]


def test_plain_newton_would_go_to_the_saddle():
    """What the modification is for: each eigenvalue by its size, or p climbs along y."""
    g, H = Saddle().jac([1.0, 1e-3]), Saddle().hess([1.0, 1e-3])
    plain = -np.linalg.solve(H, g)
    p = Newton()(Saddle(), np.array([1.0, 1e-3]), g)
    assert plain[1] < 0 < p[1]
    np.testing.assert_allclose(p, -g / np.abs(np.diag(H)), rtol=1e-12)


@pytest.mark.parametrize(
    "H",
    [
        np.diag([1.0, -3.0, 2.0]),
        -np.eye(3),
        np.zeros((3, 3)),
        np.diag([1.0, 0.0, 1e-14]),
        np.diag([1e300, -1e-300, 1.0]),
        np.ones((3, 3)),
        np.full((3, 3), np.nan),
    ],
)
def test_newtons_direction_descends_whatever_the_hessian(H):
    class Fixed(Loss):
        def hess(self, x):
            return H

    g = np.array([1.0, -2.0, 0.5])
    rule = Newton()
    p = rule(Fixed(), None, g)
    assert np.isfinite(p).all() and p @ g < 0
    assert rule.note


def test_newton_with_a_definite_hessian_has_no_note():
    found = minimize(PROBLEMS["logistic"][0], np.zeros(3))
    assert not any(found.trace.note)


# ---- failing honestly


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


# ---- judgements


class Scaled(Loss):
    """A loss in other units, or beside a constant."""

    def __init__(self, loss, scale=1.0, constant=0.0):
        self.loss, self.n_params = loss, loss.n_params
        self.scale, self.constant = scale, constant

    def fun(self, x):
        return self.scale * self.loss.fun(x) + self.constant

    def jac(self, x):
        return self.scale * self.loss.jac(x)

    def hess(self, x):
        return self.scale * self.loss.hess(x)


@pytest.mark.parametrize("method", ["bfgs", "lbfgs"])
def test_a_pair_is_judged_free_of_units(method):
    """Curvature beyond 1/ε is curvature still."""
    plain = minimize(Quadratic(), np.ones(5), method, gtol=1e-6)
    found = minimize(Scaled(Quadratic(), 1e16), np.ones(5), method, gtol=1e10)
    assert plain.success and found.success and found.nit < 2 * plain.nit
    assert not any("pair" in note for note in found.trace.note)


def test_a_column_in_large_units_leaves_no_pair_out():
    rng = np.random.default_rng(0)
    time = 1.7e9 + 1e6 * rng.normal(size=200)  # seconds since 1970
    X = np.c_[np.ones(200), time, rng.normal(size=(200, 2))]
    loss = Logistic(X, (X[:, 2] + rng.normal(size=200) > 0).astype(int))
    found = minimize(loss, np.zeros(4), "bfgs", maxiter=300)
    assert found.fun < 0.62 < loss.fun(np.zeros(4)), found.message


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


def test_nlcg_says_where_it_is_steepest_descent():
    """Where the gradient only shrinks, g·(g - g_old) < 0."""
    loss = Quadratic(n=1, condition=1.0)
    notes = minimize(loss, [5.0], "nlcg", "fixed", step=0.1, maxiter=5).trace.note
    assert [note == STEEPEST for note in notes] == [False, False, True, True, True, True]
    trace = minimize(Rosenbrock(), [0, 0], "nlcg", maxiter=20).trace
    assert not all(note == STEEPEST for note in trace.note[2:])


def test_a_tiny_loss_that_meets_gtol_at_once_says_so():
    found = minimize(Scaled(Rosenbrock(), 1e-12), [0.0, 0.0], "bfgs")
    assert found.nit == 0 and "already at x0" in found.message and "absolute" in found.message
    assert "already" not in minimize(Rosenbrock(), [0.0, 0.0], "bfgs").message


def test_bfgs_learns_a_wide_spectrum():
    """Within three times scipy's evaluations, in any units."""
    loss, x0 = Quadratic(n=10, condition=1e10), np.ones(10)
    loss.A, loss.b = np.diag(loss.eigenvalues), np.zeros(10)
    twin = minimize(loss, x0, "BFGS")
    for scale in (1.0, 1e9, 1e-9):
        found = minimize(Scaled(loss, scale), x0, "bfgs", gtol=1e-8 * scale)
        assert found.success and twin.success and found.nfev <= 3 * twin.nfev + 30


@pytest.mark.parametrize("n", [3, 6, 20])
def test_hessian_free_on_small_logistic_losses(n):
    loss = overlapping(m=200, n=n, l2=1e-3)
    twin, found = (minimize(loss, np.zeros(n), m, gtol=1e-6) for m in ("Newton-CG", "hessian-free"))
    assert twin.success and found.success
    assert found.trace.evaluations[-1] <= 3 * twin.trace.evaluations[-1]


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


# ---- bad input

LOSS = Rosenbrock()


@pytest.mark.parametrize(
    "arguments, name, got",
    [
        ({"x0": [0, 0, 0]}, "x0", ["(3,)", "(2,)"]),
        ({"x0": 0.0}, "x0", ["()"]),
        ({"x0": [[0, 0]]}, "x0", ["(1, 2)"]),
        ({"x0": [0, np.nan]}, "x0", ["1 NaN"]),
        ({"x0": [np.inf, -np.inf]}, "x0", ["2 NaN or infinite"]),
        ({"x0": ["a", "b"]}, "x0", ["a"]),
        ({"x0": [1j, 0]}, "x0", ["complex"]),
        ({"x0": None}, "x0", []),
        ({"method": "Newton"}, "method", ["'Newton'", *OWN, *SCIPYS]),
        ({"method": "Nelder-Mead"}, "method", ["'Nelder-Mead'", *OWN, *SCIPYS]),
        ({"method": None}, "method", ["None", *OWN]),
        ({"line_search": "armijo"}, "line_search", ["'armijo'", *LINE_SEARCHES]),
        ({"line_search": ""}, "line_search", ["''", *LINE_SEARCHES]),
        ({"line_search": 1}, "line_search", ["1", *LINE_SEARCHES]),
        ({"method": "CG", "line_search": "wolfe"}, "line_search", ["'wolfe'", "CG"]),
        ({"step": 0}, "step", ["0"]),
        ({"step": -1.0}, "step", ["-1.0"]),
        ({"step": np.nan}, "step", ["nan"]),
        ({"step": None}, "step", ["None"]),
        ({"maxiter": -1}, "maxiter", ["-1"]),
        ({"maxiter": 2.5}, "maxiter", ["2.5"]),
        ({"maxiter": True}, "maxiter", ["True"]),
        ({"maxiter": None}, "maxiter", ["None"]),
        ({"gtol": -1e-8}, "gtol", ["-1e-08"]),
        ({"gtol": np.nan}, "gtol", ["nan"]),
        ({"ftol": -1e-8}, "ftol", ["-1e-08"]),
        ({"ftol": "small"}, "ftol", ["small"]),
        ({"c1": 0.5, "c2": 0.1}, "c1", ["0.5", "0.1", "c2"]),
        ({"c1": 0.95}, "c1", ["0.95", "c2"]),
        ({"method": "gradient", "c1": 0.2}, "c1", ["0.2", "c2"]),
        ({"c1": 0}, "c1", ["0"]),
        ({"c2": 1}, "c2", ["1"]),
        ({"line_search": "backtracking", "shrink": 1.5}, "shrink", ["1.5"]),
        ({"max_trials": 0}, "max_trials", ["0"]),
        ({"method": "lbfgs", "memory": 0}, "memory", ["0"]),
        ({"method": "lbfgs", "memory": 2.5}, "memory", ["2.5"]),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, name, got):
    complains(lambda: minimize(**{"loss": LOSS, "x0": [0.0, 0.0], **arguments}), name, *got)


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


@pytest.mark.parametrize("method, name", [("L-BFGS-B", "bounds"), ("CG", "tol"), ("BFGS", "args")])
def test_what_scipys_minimize_takes_beside_options_is_no_setting(method, name):
    complains(lambda: minimize(LOSS, [0, 0], method, **{name: (1, 2)}), "settings", name)


def test_settings_reach_the_rules():
    x0 = np.zeros(2)
    slow, quick = (minimize(LOSS, x0, "lbfgs", memory=memory) for memory in (1, 10))
    assert slow.nit != quick.nit
    rough, exact = (minimize(LOSS, x0, "nlcg", c2=c2, maxiter=5) for c2 in (0.9, 1e-3))
    assert not np.array_equal(rough.x, exact.x)
    maxcor = [minimize(LOSS, x0, "L-BFGS-B", maxcor=count, maxiter=8) for count in (1, 10)]
    assert not np.array_equal(*(run.x for run in maxcor))


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


@pytest.mark.parametrize("seed", range(4))
def test_newton_comes_back_from_where_the_loss_is_saturated(seed):
    """A Hessian of 1e-50 makes a step of 1e50."""
    rng = np.random.default_rng([seed, 3])
    X = np.c_[np.ones(60), rng.normal(size=(60, 3))]
    y = (X @ rng.normal(size=4) + 1.5 * rng.normal(size=60) > 0).astype(int)
    loss, notes = Logistic(X, y), ""
    for far in (300, 1000, 3000, 10_000):
        x0 = far * rng.normal(size=4)
        found, twin = minimize(loss, x0, "newton"), minimize(loss, x0, "trust-exact")
        assert found.success >= twin.success, found.message
        notes += " ".join(found.trace.note)
    assert Newton.restarted in notes


def test_what_is_no_loss_is_named():
    complains(lambda: minimize(3, np.zeros(3)), "loss", "fun and jac", "3")


# ---- what a stranger tried


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


def test_a_limit_of_scipys_own_is_told():
    found = minimize(Rosenbrock(), [-1.2, 1.0], "L-BFGS-B", maxfun=5)
    assert not found.success and found.message.startswith("stopped by scipy"), found.message


def test_nothing_to_minimise_is_refused():
    class Anything:
        fun, jac = staticmethod(np.sum), staticmethod(np.ones_like)

    complains(lambda: minimize(Anything(), []), "x0")
    complains(lambda: minimize(Loss(), [1.0]), "loss")


def test_a_step_whose_curvature_is_all_but_0_leaves_bfgs_a_matrix():
    """Of s and y of 1e-155, 1 / sᵀy and what it is multiplied with need be no numbers."""
    loss, x0 = Loss(), [1.0006150766787414, 1.149372768754235, 0.8629310723188912]
    loss.n_params, loss.fun = 3, lambda x: float(np.sum(np.log1p(x * x)))
    loss.jac = lambda x: 2 * x / (1 + x * x)
    found = minimize(loss, x0, "bfgs", "trust", maxiter=150, gtol=0)
    assert found.message and np.abs(found.x).max() < 1e-100


def test_newton_meets_no_hessian_whose_eigenvalues_are_not_found():
    """LAPACK's evr gives up at some of a ReLU network's, with units that are dead."""
    rng = np.random.default_rng(0)
    net = Network([4, 5, 3], "relu")
    loss = net.loss(rng.normal(size=(60, 4)), rng.integers(0, 3, 60), l2=1e-3)
    found = minimize(loss, net.init(0), "newton", "fixed", maxiter=120, gtol=0)
    assert found.message
    for x in found.trace.x:
        H = loss.hess(x)
        ends = extreme_eigenvalues(H).values
        np.testing.assert_allclose(ends, np.linalg.eigvalsh(H)[[0, -1]], atol=1e-12)
