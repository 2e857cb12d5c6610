"""What only one direction rule does: the β formulas, Newton at a saddle, BFGS and its pairs."""

import numpy as np
import pytest
from helpers import Quadratic, Saddle, Scaled, check_success, complains, overlapping
from scipy.sparse.linalg import cg

from soo_lib.curvature import extreme_eigenvalues
from soo_lib.losses import Logistic, Loss, Network, Rosenbrock
from soo_lib.solvers import (
    BFGS,
    LBFGS,
    Newton,
    NonlinearCG,
    dai_yuan,
    directions,
    fletcher_reeves,
    hestenes_stiefel,
    minimize,
    polak_ribiere,
    polak_ribiere_plus,
    powell,
)
from soo_lib.solvers.directions import STEEPEST

FORMULAS = [fletcher_reeves, polak_ribiere, polak_ribiere_plus, hestenes_stiefel, dai_yuan]
each_formula = pytest.mark.parametrize("beta", FORMULAS, ids=lambda beta: beta.__name__)
EXACT = {"c1": 1e-10, "c2": 1e-9, "max_trials": 100}  # a search that ends where the slope is 0


def of_eigenvalues(*values, seed=0):
    """A quadratic with these eigenvalues, in axes that are turned at random."""
    loss = Quadratic(len(values), seed=seed)
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=loss.A.shape))[0]
    loss.A = Q @ np.diag(values) @ Q.T
    return loss


@each_formula
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_a_quadratic_with_an_exact_search_every_beta_is_linear_cg(beta, seed):
    loss = Quadratic(8, condition=20.0, seed=seed)
    found = minimize(loss, np.zeros(8), "nlcg", beta=beta, gtol=1e-7, **EXACT)
    known = [np.zeros(8)]
    cg(loss.A, loss.b, rtol=1e-12, callback=lambda x: known.append(x.copy()))
    assert found.success and found.nit == 8
    np.testing.assert_allclose(found.trace.x, known[:9], atol=1e-6)


@each_formula
def test_the_directions_are_conjugate_and_the_gradients_orthogonal(beta):
    loss = Quadratic(6, condition=10.0)
    trace = minimize(loss, np.zeros(6), "nlcg", beta=beta, maxiter=6, **EXACT).trace
    for vectors, A in [
        (np.diff(trace.x, axis=0), loss.A),
        ([loss.jac(x) for x in trace.x[:6]], np.eye(6)),
    ]:
        unit = [v / np.sqrt(v @ A @ v) for v in vectors]
        np.testing.assert_allclose([[u @ A @ v for v in unit] for u in unit], np.eye(6), atol=1e-5)


@each_formula
@pytest.mark.parametrize("clusters", [(3.0,), (1.0, 40.0), (1.0, 7.0, 50.0)])
def test_as_many_steps_as_there_are_different_eigenvalues(beta, clusters):
    loss = of_eigenvalues(*np.repeat(clusters, 4))
    assert minimize(
        loss, np.zeros(4 * len(clusters)), "nlcg", beta=beta, gtol=1e-6, **EXACT
    ).nit == len(clusters)


def vectors(seed=0, n=5):
    g, g_old, p = np.random.default_rng(seed).normal(size=(3, n))
    return g, g_old, p


@pytest.mark.parametrize("seed", range(5))
def test_what_each_formula_is_known_for(seed):
    g, g_old, p = vectors(seed)
    y = g - g_old
    # Hestenes and Stiefel: the new direction is conjugate to the old one, as y stands for Ap.
    assert (-g + hestenes_stiefel(g, g_old, p) * p) @ y == pytest.approx(0, abs=1e-12)
    # Dai and Yuan: β is the quotient of the slopes along the new direction and the old one.
    beta = dai_yuan(g, g_old, p)
    assert beta == pytest.approx(g @ (-g + beta * p) / (g_old @ p))
    # After a step that changed nothing Fletcher and Reeves go on, Polak and Ribière begin anew.
    assert fletcher_reeves(g, g, p) == 1 and polak_ribiere(g, g, p) == 0
    # Where successive gradients are orthogonal the two agree.
    g = g - (g @ g_old) / (g_old @ g_old) * g_old
    assert polak_ribiere(g, g_old, p) == pytest.approx(fletcher_reeves(g, g_old, p))
    assert polak_ribiere_plus(0.5 * g_old, g_old, p) == 0 > polak_ribiere(0.5 * g_old, g_old, p)


def test_the_default_is_polak_and_ribieres_and_no_digit_of_it_has_changed():
    chosen = [
        minimize(Rosenbrock(), [-1.2, 1], "nlcg", **how).trace.fun
        for how in (
            {},
            {"beta": polak_ribiere_plus},
            {"beta": lambda g, old, p: max(0.0, g @ (g - old) / (old @ old))},
        )
    ]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    np.testing.assert_array_equal(chosen[0], chosen[2])


def test_powells_restart():
    g, g_old, p = vectors()
    far = g_old + 0.05 * g  # nearly parallel
    near = g - (g @ g_old) / (g_old @ g_old) * g_old + 0.01 * g_old
    assert powell(fletcher_reeves)(far, g_old, p) == 0
    assert powell(fletcher_reeves)(near, g_old, p) == fletcher_reeves(near, g_old, p)
    assert powell(dai_yuan, nu=1e3)(far, g_old, p) == dai_yuan(far, g_old, p)


def test_fletcher_and_reeves_stall_where_powells_restart_does_not():
    """And the notes say where: every restart is a row with β = 0."""
    plain, restarted, default = (
        minimize(Rosenbrock(), [0, 0], "nlcg", maxiter=1000, **how)
        for how in ({"beta": fletcher_reeves}, {"beta": powell(fletcher_reeves)}, {})
    )
    assert plain.success and restarted.success and default.success
    assert plain.nit > 5 * max(restarted.nit, default.nit)
    assert STEEPEST in restarted.trace.note and STEEPEST not in plain.trace.note


@each_formula
@pytest.mark.parametrize("start", [[-1.2, 1], [0, 0], [1.7, -0.6]])
def test_every_formula_finds_the_minimum_of_the_valley(beta, start):
    found = minimize(Rosenbrock(), start, "nlcg", beta=beta, maxiter=2000)
    assert found.success
    np.testing.assert_allclose(found.x, 1, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_a_beta_of_your_own_that_leads_nowhere_is_restarted(value):
    found = minimize(
        Quadratic(), np.zeros(5), "nlcg", beta=lambda *_: value, maxiter=500, gtol=1e-6
    )
    assert found.success
    assert any(NonlinearCG.restarted in note for note in found.trace.note)


def test_what_is_no_formula_is_refused():
    complains(lambda: NonlinearCG("fletcher_reeves"), "beta", "fletcher_reeves")
    complains(lambda: minimize(Rosenbrock(), [0, 0], "nlcg", beta=0.5), "beta", 0.5)
    complains(lambda: powell(None), "beta")
    complains(lambda: powell(dai_yuan, nu=-1), "nu", -1)
    with pytest.raises(ValueError, match="got beta"):
        minimize(Rosenbrock(), [0, 0], "bfgs", beta=dai_yuan)
    for value in np.ones(2), np.ones(1), None, 1j, "x", 10**400:
        with pytest.raises(ValueError, match="what beta gives must be one real number"):
            minimize(Rosenbrock(), [0, 0], "nlcg", beta=lambda *_, value=value: value)


def test_every_formula_is_tested_here():
    found = {
        name
        for name, thing in vars(directions).items()
        if getattr(thing, "__code__", None)
        and thing.__module__ == directions.__name__
        and thing.__code__.co_varnames[:3] == ("g", "g_old", "p")
    }
    assert found == {beta.__name__ for beta in FORMULAS}


# ---- Newton, conjugate gradients, BFGS


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
    loss = overlapping()
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
    found = minimize(overlapping(), np.zeros(3))
    assert not any(found.trace.note)


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


def test_nlcg_says_where_it_is_steepest_descent():
    """Where the gradient only shrinks, g·(g - g_old) < 0."""
    loss = Quadratic(n=1, condition=1.0)
    notes = minimize(loss, [5.0], "nlcg", "fixed", step=0.1, maxiter=5).trace.note
    assert [note == STEEPEST for note in notes] == [False, False, True, True, True, True]
    trace = minimize(Rosenbrock(), [0, 0], "nlcg", maxiter=20).trace
    assert not all(note == STEEPEST for note in trace.note[2:])


def test_bfgs_learns_a_wide_spectrum():
    """Within three times scipy's evaluations, in any units."""
    loss, x0 = Quadratic(n=10, condition=1e10), np.ones(10)
    loss.A, loss.b = np.diag(loss.eigenvalues), np.zeros(10)
    twin = minimize(loss, x0, "BFGS")
    for scale in (1.0, 1e9, 1e-9):
        found = minimize(Scaled(loss, scale), x0, "bfgs", gtol=1e-8 * scale)
        assert found.success and twin.success and found.nfev <= 3 * twin.nfev + 30


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
