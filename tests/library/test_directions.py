"""What only one direction rule does: first the β formulas of non-linear conjugate gradients."""

import numpy as np
import pytest
from helpers import Quadratic, complains
from scipy.sparse.linalg import cg

from soo_lib.losses import Rosenbrock
from soo_lib.solvers import (
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
