"""Step rules: what each promises of the step that it accepts, on random rays."""

import numpy as np
import pytest
from helpers import Barrier, Quadratic, Watched, WrongSign, overlapping
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from soo_lib.losses import Loss, Rosenbrock
from soo_lib.solvers import Ray, backtracking, fixed, wolfe
from soo_lib.solvers.line_search import LINE_SEARCHES


class Quartic(Loss):
    """c4 t⁴ + c3 t³ + c2 t² + c1 t, which may have two wells."""

    n_params = 1

    def __init__(self, coefficients):
        self.poly = np.polynomial.Polynomial([0.0, *coefficients])

    def fun(self, x):
        return float(self.poly(x[0]))

    def jac(self, x):
        return np.array([self.poly.deriv()(x[0])])


def downhill(loss, x, turn=None):
    """A ray from x along -g, or along a random direction that descends."""
    x = np.asarray(x, float)
    f, g = loss.fun_and_jac(x)
    p = -g if turn is None else -np.sign(g @ turn) * np.asarray(turn)
    ray = Ray(loss, x, f, g, p)
    # a slope lost in the rounding of the loss is no descent that a search could find
    assume(ray.slope0 < -1e-6 * (1 + abs(f)))
    return ray


number = st.floats(-3, 3, allow_subnormal=False)
quartics = st.builds(
    lambda lead, rest: downhill(Quartic([*rest, lead]), [0.0]),
    st.floats(0.01, 3),
    st.tuples(number, number, number),
)
valleys = st.builds(
    lambda x, turn: downhill(Rosenbrock(), x, turn),
    st.tuples(number, number),
    st.none() | st.tuples(number, number),
)
logistics = st.builds(
    lambda seed, x, turn: downhill(overlapping(seed=seed), x, turn),
    st.integers(0, 5),
    st.tuples(number, number, number),
    st.none() | st.tuples(number, number, number),
)
rays = quartics | valleys | logistics
trials = st.floats(-8, 8).map(lambda power: 10.0**power)


def check_step(ray, step):
    """The step is what it says it is."""
    np.testing.assert_array_equal(step.x, ray.x + step.alpha * ray.p)
    assert step.alpha > 0
    assert step.fun == ray.loss.fun(step.x)
    np.testing.assert_array_equal(step.jac, ray.loss.jac(step.x))


def check_armijo(ray, alpha, f, c1):
    assert f <= ray.fun0 + c1 * alpha * ray.slope0 + 1e-15 * abs(ray.fun0)


@st.composite
def constants(draw):
    """c1 < c2, neither of them at an end of (0, 1)."""
    c2 = draw(st.floats(0.02, 0.99))
    return draw(st.floats(1e-6, 0.8)) * c2, c2


@settings(max_examples=400)
@given(rays, trials, constants())
def test_wolfe_accepts_only_what_satisfies_both_conditions(ray, trial, c):
    c1, c2 = c
    step = wolfe(c1, c2)(ray, trial)
    assert step is not None
    check_step(ray, step)
    check_armijo(ray, step.alpha, step.fun, c1)
    assert abs(step.jac @ ray.p) <= c2 * abs(ray.slope0) * (1 + 1e-12)


@settings(max_examples=300)
@given(rays, trials, st.floats(1e-6, 0.99), st.floats(0.1, 0.7))
def test_backtracking_accepts_the_first_trial_that_satisfies_armijo(ray, trial, c1, shrink):
    step = backtracking(c1, shrink)(ray, trial)
    assert step is not None
    check_step(ray, step)
    check_armijo(ray, step.alpha, step.fun, c1)
    if step.alpha != trial:  # and the one before did not
        before = step.alpha / shrink
        assert ray.at(before) > ray.fun0 + c1 * before * ray.slope0
        trials = np.log(step.alpha / trial) / np.log(shrink)
        assert trials == pytest.approx(round(trials), abs=1e-6)


@given(rays, trials)
def test_fixed_takes_the_trial_whatever_comes_of_it(ray, trial):
    with np.errstate(over="ignore", invalid="ignore"):
        step = fixed()(ray, trial)
        assert step.alpha == trial
        np.testing.assert_array_equal(step.x, ray.x + trial * ray.p)
        assert step.fun == ray.loss.fun(step.x) or np.isnan(step.fun)


def test_defaults():
    """c1 = 1e-4, c2 = 0.9, shrink = 1/2: a step of 1 is good enough for Newton on a quadratic."""
    loss = Quadratic()
    x = np.zeros(5)
    newton = Ray(loss, x, *loss.fun_and_jac(x), loss.minimum)
    assert wolfe()(newton, 1.0).alpha == backtracking()(newton, 1.0).alpha == 1.0
    assert backtracking()(newton, 16.0).alpha == 1.0
    assert set(LINE_SEARCHES) == {"fixed", "backtracking", "wolfe", "trust"}


def test_a_small_c2_is_a_nearly_exact_search():
    loss = Quadratic()
    x = np.ones(5)
    f, g = loss.fun_and_jac(x)
    exact = (g @ g) / (g @ loss.A @ g)
    for trial in (1e-6, 0.1, 1.0, 1e6):
        step = wolfe(1e-6, 1e-5)(Ray(loss, x, f, g, -g), trial)
        assert step.alpha == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("search", [wolfe(), backtracking()], ids=["wolfe", "backtracking"])
def test_it_comes_back_from_where_the_loss_is_no_number(search):
    loss = Barrier()  # undefined beyond α = 1.5 on this ray
    x = np.array([3.0])
    f, g = loss.fun_and_jac(x)
    with np.errstate(invalid="ignore"):
        step = search(Ray(loss, x, f, g, -3 * g), 1e6)
    assert 0 < step.alpha < 1.5 and step.fun < f


@pytest.mark.parametrize("rule", [wolfe, backtracking])
@pytest.mark.parametrize("c", [0.0, 1.0, 1e6])
def test_it_finds_nothing_where_the_slope_lies(rule, c):
    """Not even a step so short that rounding hides that the loss rises."""
    loss = WrongSign(Quadratic(c=c))
    x = np.zeros(5)
    f, g = loss.fun_and_jac(x)
    ray = Ray(loss, x, f, g, -g)
    assert ray.slope0 < -1
    assert rule()(ray, 1.0) is None


def test_each_assumption_of_the_lemma_on_wolfe_steps_is_needed():
    """φ bounded below, and c1 < c2: without either there may be no step to find."""
    falls, x = Quartic([-1.0]), np.zeros(1)  # φ = -t for ever
    ray = Ray(falls, x, 0.0, np.array([-1.0]), np.ones(1))
    assert wolfe(max_trials=200)(ray, 1.0) is None
    t = np.linspace(1e-6, 5, 100_001)
    phi, slope = (t - 1) ** 2 / 2, t - 1  # φ(0) = ½, φ'(0) = -1

    def held(c1, c2):
        return (phi <= 0.5 - c1 * t) & (np.abs(slope) <= c2)

    assert not held(0.6, 0.1).any() and held(0.1, 0.6).any()


@pytest.mark.parametrize("rule", [wolfe, backtracking])
@pytest.mark.parametrize("max_trials", [1, 5])
def test_it_gives_up_after_max_trials(rule, max_trials):
    loss = Watched(WrongSign(Quadratic()))
    x = np.zeros(5)
    f, g = loss.fun_and_jac(x)
    loss.nfev = loss.njev = 0
    assert rule(max_trials=max_trials)(Ray(loss, x, f, g, -g), 1.0) is None
    assert loss.nfev == max_trials
    assert loss.njev == (max_trials if rule is wolfe else 0)


def test_backtracking_asks_for_one_gradient_only():
    loss = Watched(Rosenbrock())
    x = np.zeros(2)
    f, g = loss.fun_and_jac(x)
    step = backtracking()(Ray(loss, x, f, g, -g), 1.0)
    assert step.alpha < 1
    assert loss.nfev == 1 + round(np.log2(1 / step.alpha)) + 1
    assert loss.njev == 2


def test_a_decrease_below_rounding_still_counts():
    """Beside 1e6 a decrease of 5e-13 cannot be seen, but the slope can."""
    loss = Quadratic(n=1, condition=1.0, c=1e6)
    x = loss.minimum + 1e-6
    f, g = loss.fun_and_jac(x)
    step = wolfe()(Ray(loss, x, f, g, -g), 1.0)
    assert step is not None and abs(step.jac[0]) < 1e-8


@pytest.mark.parametrize("roundings", [0.5, 5, 50])
def test_a_decrease_that_the_values_tell_needs_no_other_slope(roundings):
    """Along a valley's floor the slope hardly changes, be the decrease some roundings or none."""
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 1, lambda x: 1e6 - float(x[0]), lambda x: np.array([-1.0])
    ray = Ray(loss, np.zeros(1), 1e6, np.array([-1.0]), np.ones(1))
    step = backtracking()(ray, roundings * ray.rounding)
    assert (step is None) == (roundings < 1)
