"""The gradient test (eq. 31): it passes right gradients, and fails wrong ones."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import Careless, Quadratic, complains, overlapping

from soo_lib.gradient_test import GAVE_UP, NO_DECREASE, gradient_test, why_no_decrease
from soo_lib.losses import Loss, Rosenbrock
from soo_lib.network import Network
from soo_lib.sampling import Batched, Reshuffled, partition
from soo_lib.solvers import minimize


def network(activation="sigmoid", dtype=np.float64, m=60):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(m, 4)), rng.integers(0, 3, m)
    net = Network([4, 5, 3], activation)
    return net.loss(X, y, l2=0.1, dtype=dtype), net.init(0)


class Altered(Loss):
    """A loss with a fault put into its gradient."""

    def __init__(self, loss, fault):
        self.loss, self.fault, self.n_params = loss, fault, loss.n_params
        self.fun, self.dtype = loss.fun, getattr(loss, "dtype", np.dtype(float))

    def jac(self, x):
        g = self.loss.jac(x).copy()
        return self.fault(g, x)


def one_entry(g, x):
    g[0] += 1e-3 * np.abs(g).max()
    return g


def swapped(g, x):
    g[[0, -1]] = g[[-1, 0]]
    return g


FAULTS = {
    "sign": lambda g, x: -g,
    "twice": lambda g, x: 2 * g,
    "sum in place of a mean": lambda g, x: 60 * g,
    "penalty left out": lambda g, x: g - 0.1 * x,
    "a thousandth in one entry": one_entry,
    "two entries swapped": swapped,
    "off by 1e-5": lambda g, x: (1 + 1e-5) * g,
    "zero": lambda g, x: 0 * g,
    "not a number": lambda g, x: g * np.nan,
}
LOSSES = {
    "rosenbrock": (Rosenbrock(), np.array([-1.2, 1.0])),
    "logistic": (overlapping(l2=0.1), np.array([0.5, -1.0, 2.0])),
    "quadratic": (Quadratic(), np.arange(5.0)),
    "sigmoid": network(),
    "tanh": network("tanh"),
    "relu": network("relu"),
}
every_loss = pytest.mark.parametrize("loss, x", LOSSES.values(), ids=LOSSES.keys())


@every_loss
def test_a_right_gradient_passes(loss, x):
    for seed in range(20):
        result = gradient_test(loss, x, seed=seed)
        assert result.ok and result.relative_error < 1e-8, result
        assert repr(result).startswith("gradient right") and "\n" not in repr(result)


@every_loss
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_wrong_gradient_fails(loss, x, fault):
    for seed in range(5):
        result = gradient_test(Altered(loss, fault), x, seed=seed)
        assert not result.ok, result
        assert repr(result).startswith("GRADIENT WRONG") and "\n" not in repr(result)


@pytest.mark.parametrize("name", ["rosenbrock", "logistic", "sigmoid", "tanh"])
def test_the_order_is_2_when_right_and_0_when_wrong(name):
    loss, x = LOSSES[name]
    for seed in range(5):
        assert gradient_test(loss, x, seed=seed).order == pytest.approx(2, abs=0.1)
        wrong = gradient_test(Altered(loss, FAULTS["twice"]), x, seed=seed)
        assert wrong.order == pytest.approx(0, abs=0.1)


def test_a_quadratic_has_no_order():
    result = gradient_test(Quadratic(), np.arange(5.0))
    assert np.isnan(result.order) and "exact up to rounding" in repr(result)


def test_the_errors_are_those_of_eq_31():
    """For x³ along Δx = ±|x| the central difference is off by exactly ε²."""

    class Cube(Loss):
        n_params = 1

        def fun(self, x):
            return float(x[0] ** 3)

        def jac(self, x):
            return 3 * x**2

    result = gradient_test(Cube(), np.array([0.5]))
    assert result.eps.shape == result.errors.shape and (np.diff(result.eps) < 0).all()
    large = result.eps > 1e-4
    assert large.sum() > 5
    np.testing.assert_allclose(result.errors[large], result.eps[large] ** 2, rtol=1e-3)
    assert result.order == pytest.approx(2, abs=1e-3)


def test_near_a_minimum_the_slope_is_no_scale():
    assert gradient_test(Rosenbrock(), np.ones(2)).ok
    assert gradient_test(Quadratic(), Quadratic().minimum).ok
    loss = overlapping()
    found = minimize(loss, np.zeros(3), gtol=1e-12)
    assert gradient_test(loss, found.x).ok


def test_float32_is_judged_by_its_own_precision():
    for activation in ("sigmoid", "tanh", "relu"):
        loss, x = network(activation, np.float32)
        for seed in range(5):
            assert gradient_test(loss, x, seed=seed).ok
            for fault in ("sign", "twice", "penalty left out", "two entries swapped"):
                assert not gradient_test(Altered(loss, FAULTS[fault]), x, seed=seed).ok, fault


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batches_pass(dtype):
    loss, x = network(dtype=dtype)
    for weights in (None, "rows"):
        result = gradient_test(Batched(loss, partition(60, 25), weights), x)
        assert result.ok, result


def test_a_value_in_float32_is_one_whatever_the_loss_says_of_itself():
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: np.float32(Rosenbrock().fun(x) + 100)
    for factor, ok in ((1.0, True), (1.1, False)):
        loss.jac = lambda x, factor=factor: factor * Rosenbrock().jac(x).astype(np.float32)
        assert gradient_test(loss, [-1.2, 1.0]).ok == ok


@pytest.mark.parametrize("steepness", [20, 100, 300])
def test_a_wall_beyond_excuses_no_gradient(steepness):
    """A loss may be 1e100 a quarter further on: that is no scale for an error here."""
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: float(np.exp(steepness * x[0]) + x @ x)
    for factor, ok in ((1.0, True), (1.001, False), (-1.0, False)):
        loss.jac = lambda x, factor=factor: factor * (
            2 * x + steepness * np.exp(steepness * x[0]) * np.array([1.0, 0.0])
        )
        for seed in range(10):
            assert gradient_test(loss, [1.0, 2.0], seed=seed).ok == ok, factor


@pytest.mark.parametrize("scale", [1e300, 1e160, 1e-160, 1e-300])
def test_a_gradient_whose_square_is_no_number_is_judged_all_the_same(scale):
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: scale * float(x @ x)
    for factor, ok in ((1.0, True), (1.1, False), (-1.0, False), (np.array([1, -1]), False)):
        loss.jac = lambda x, factor=factor: factor * 2 * scale * x
        for seed in range(5):
            assert gradient_test(loss, [1.0, 2.0], seed=seed).ok == ok, factor


@pytest.mark.parametrize(
    "value, got", [("3", "<U1"), (np.ones(1), "(1,)"), (1 + 0j, "complex128"), (None, "object")]
)
def test_a_value_that_is_no_real_number_is_named(value, got):
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 1, lambda x: value, lambda x: x
    complains(lambda: gradient_test(loss, [1.0]), "value", "one real number", got)


def test_a_loss_that_is_reshuffled_at_every_call_fails():
    for loss, x in (LOSSES["logistic"], LOSSES["sigmoid"]):
        for seed in range(5):
            assert not gradient_test(Reshuffled(loss, 10, 3, seed=seed), x).ok


def test_a_loss_that_writes_to_x_is_judged_by_what_it_returns():
    x = np.arange(5.0)
    for factor, ok in ((1.0, True), (1.1, False)):
        loss = Careless()
        loss.jac = lambda x, loss=loss, factor=factor: factor * Careless.jac(loss, x)
        assert gradient_test(loss, x).ok == ok
    np.testing.assert_array_equal(x, np.arange(5.0))


SCALED = {  # of z = x · scales: value and slope
    "cosh": (lambda z: np.cosh(z - 1), lambda z: np.sinh(z - 1)),
    "log(1 + z²)": (lambda z: np.log1p((z - 2) ** 2), lambda z: 2 * (z - 2) / (1 + (z - 2) ** 2)),
    "sin": (np.sin, np.cos),
    "square": (lambda z: 0.5 * (z - 2) ** 2, lambda z: z - 2),
}


@pytest.mark.parametrize("decades", [4, 6])
@pytest.mark.parametrize("name", SCALED)
def test_coordinates_of_many_scales(name, decades):
    """The step that suits the largest entry of x is 1e8 or 1e12 times too long for the smallest."""
    value, slope = SCALED[name]
    scales, rng = np.geomspace(10.0**-decades, 10.0**decades, 6), np.random.default_rng(0)
    x = (1 + 0.3 * rng.normal(size=6)) / scales
    wrong = np.array([1, 1, 1, 1, 1, -3])
    for factor, ok in ((1.0, True), (1.01, False), (-1.0, False), (wrong, False)):
        loss = SimpleNamespace(fun=lambda x: value(x * scales).sum())
        loss.jac = lambda x, factor=factor: factor * scales * slope(x * scales)
        for seed in range(8):
            assert gradient_test(loss, x, seed=seed).ok == ok, (factor, seed)


@pytest.mark.parametrize("unit", [1e-6, 1e-9, 1e-12])
def test_a_loss_whose_unit_is_small(unit):
    for factor, ok in ((1.0, True), (1.01, False), (-1.0, False)):
        loss = SimpleNamespace(fun=lambda x: float(np.log1p((x / unit) ** 2).sum()))
        loss.jac = lambda x, factor=factor: factor * 2 * x / unit**2 / (1 + (x / unit) ** 2)
        for seed in range(8):
            assert gradient_test(loss, unit * np.array([0.5, -1.0, 2.0]), seed=seed).ok == ok


def test_a_seed_gives_one_direction():
    loss, x = LOSSES["logistic"]
    first, again, other = (gradient_test(loss, x, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.errors, again.errors)
    assert not np.array_equal(first.errors, other.errors)


def test_bad_x():
    loss = Rosenbrock()
    complains(lambda: gradient_test(loss, [1.0, np.nan]), "x", "NaN")
    complains(lambda: gradient_test(loss, [1.0, np.inf]), "x", "infinite")
    complains(lambda: gradient_test(loss, [1.0, 2.0, 3.0]), "x", "(3,)", "(2,)")
    complains(lambda: gradient_test(loss, 1.0), "x", "()", "(2,)")
    plain = SimpleNamespace(fun=loss.fun, jac=loss.jac)  # the length of x is all that it goes by
    complains(lambda: gradient_test(plain, [[1.0], [2.0, 3.0]]), "x", "a vector")
    complains(lambda: minimize(plain, [[1.0], [2.0, 3.0]]), "x0", "a vector")


def test_a_gradient_of_a_wrong_length_is_named():
    longer = Altered(Rosenbrock(), lambda g, x: np.append(g, 0.0))
    complains(lambda: gradient_test(longer, [0.0, 0.0]), "jac", "(3,)", "(2,)")


def test_near_a_border_only_the_steps_that_stay_inside_count():
    class Border(Loss):
        n_params = 2

        def fun(self, x):
            with np.errstate(invalid="ignore", divide="ignore"):
                return float(x @ x - np.log(x[0]))

        def jac(self, x):
            return 2 * x - np.array([1 / x[0], 0])

    x = np.array([1e-3, 5.0])
    result = gradient_test(Border(), x)
    assert result.ok and len(result.eps) == len(result.errors) < 24
    wrong = Border()
    wrong.jac = lambda x: 1.01 * Border().jac(x)
    assert not gradient_test(wrong, x).ok
    complains(lambda: gradient_test(Border(), np.array([-1.0, 1.0])), "x")


@pytest.mark.parametrize("shift", [1e9, 1e12])
def test_a_constant_accuses_no_gradient_and_excuses_none(shift):
    for factor, ok in ((1.0, True), (1.01, False)):
        loss = Loss()
        loss.n_params, loss.fun = 2, lambda x: Rosenbrock().fun(x) + shift
        loss.jac = lambda x, factor=factor: factor * Rosenbrock().jac(x)
        assert gradient_test(loss, np.array([-1.2, 1.0])).ok == ok


# Losses whose terms cancel near a minimum, where the value shows nothing of their size: the
# rounding of a term of 1 moves, or does not move, a loss of 1e-16. (loss, gradient, minimum)
CANCELLING = {
    "1 - cos": (lambda x: np.sum(1 - np.cos(x)), np.sin, 0.0),
    "Rastrigin": (
        lambda x: np.sum(x**2 - 10 * np.cos(2 * np.pi * x) + 10),
        lambda x: 2 * x + 20 * np.pi * np.sin(2 * np.pi * x),
        0.0,
    ),
    "exp(x) - 1 - x": (lambda x: np.sum(np.exp(x) - 1 - x), lambda x: np.exp(x) - 1, 0.0),
    "log cosh": (lambda x: np.sum(np.log(np.cosh(x - 1))), lambda x: np.tanh(x - 1), 1.0),
    "1e8 - 1e8": (lambda x: 1e8 + np.sum((x - 3) ** 2) - 1e8, lambda x: 2 * (x - 3), 3.0),
    "1 - exp": (
        lambda x: 1 - np.exp(-np.sum(x**2)),
        lambda x: 2 * x * np.exp(-np.sum(x**2)),
        0.0,
    ),
}


def cancelling(name, wrong=1.0):
    loss = Loss()
    fun, jac, minimum = CANCELLING[name]
    loss.n_params, loss.fun, loss.jac = 3, fun, lambda x: wrong * jac(x)
    return loss, minimum


def verdict(loss, x):
    f, g = loss.fun_and_jac(x)
    return why_no_decrease(loss, x, f, g, -g)


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("distance", [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 0.3])
def test_a_right_gradient_is_not_accused_where_a_loss_cancels(name, distance):
    (loss, minimum), rng = cancelling(name), np.random.default_rng(0)
    for _ in range(20):
        assert verdict(loss, minimum + distance * rng.normal(size=3)) != NO_DECREASE


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("wrong", [-1.0, 2.0, 0.3, np.array([1, -3, 1])])
def test_a_wrong_gradient_is_accused_where_a_loss_cancels(name, wrong):
    (loss, minimum), rng = cancelling(name, wrong), np.random.default_rng(0)
    for _ in range(20):
        x = minimum + 0.05 * rng.choice([-1, 1], 3) * rng.uniform(0.5, 1.5, 3)  # no entry near 0
        assert verdict(loss, x) == NO_DECREASE


@pytest.mark.parametrize("name", ["1 - cos", "1 - exp"])
def test_a_loss_that_goes_flat_far_away_excuses_no_gradient(name):
    """Its mean slope falls to 0 there, near that of a wrong gradient that has gone to 0 itself."""
    loss, _ = cancelling(name)
    right, rng = loss.jac, np.random.default_rng(0)
    for _ in range(20):
        shift, near = rng.normal(size=(2, 3))
        loss.jac = lambda x, shift=shift: right(x + 0.01 * shift)  # of another point
        assert verdict(loss, 1e-10 * near - 0.01 * shift) == NO_DECREASE


def test_a_constant_has_no_gradient():
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 2, lambda x: 3.0, lambda x: np.array([1.0, 2.0])
    assert verdict(loss, np.array([0.1, 0.2])) == NO_DECREASE


def test_a_constant_along_p_has_no_slope_even_where_it_ends_in_nan():
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: float(1.0 + x[0] * np.exp(-x[1]))  # 0 · inf in the end
    loss.jac = lambda x: np.array([-x[0] * np.exp(-x[1]), np.exp(-x[1])])  # two entries swapped
    with np.errstate(all="ignore"):
        assert verdict(loss, np.zeros(2)) == NO_DECREASE


def test_a_constant_along_p_has_no_slope_however_far():
    """1e16 away the terms that cancel are no longer alike; that is the rounding of x, no slope."""
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: (1.5 - x[0] + x[0] * x[1]) ** 2
    loss.jac = lambda x: 2 * (1.5 - x[0] + x[0] * x[1]) * np.array([x[0], x[1] - 1])  # swapped
    assert verdict(loss, np.ones(2)) == NO_DECREASE


@pytest.mark.parametrize("x", [4.0, 5.0, 6.0, 7.0])
def test_a_right_gradient_is_not_accused_on_a_plateau(x):
    """The far side of the valley, where all is 1 again, tells no slope at ``x``."""
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: np.sum(np.tanh(2 * x) ** 2)
    loss.jac = lambda x: 4 * np.tanh(2 * x) / np.cosh(2 * x) ** 2
    assert verdict(loss, np.full(2, x)) != NO_DECREASE
    loss.fun, loss.jac = lambda x: 1 - np.exp(-0.5 * x @ x), lambda x: x * np.exp(-0.5 * x @ x)
    assert verdict(loss, np.full(2, x)) != NO_DECREASE
    assert minimize(loss, [6.0, 6.0], "bfgs", gtol=1e-20).message == GAVE_UP


def test_a_right_gradient_is_not_accused_where_a_tail_goes_flat():
    loss = Loss()
    loss.n_params, loss.fun = 1, lambda x: 1e9 + np.logaddexp(0, x[0])
    loss.jac = lambda x: 1 / (1 + np.exp(-x))
    with np.errstate(over="ignore"):
        assert verdict(loss, np.array([-18.0])) != NO_DECREASE


def slanted(dtype=np.float64, width=0.0):
    """|x| + 10|y|, or smooth where both are below the width."""
    loss, steep = Loss(), np.array([1.0, 10.0])
    loss.n_params, loss.dtype = 2, dtype
    loss.fun = lambda x: dtype(1) + dtype(steep @ np.hypot(x, width))
    loss.jac = lambda x: steep * (x / np.hypot(x, width))
    loss.hess = lambda x: np.zeros((2, 2))
    return loss


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_search_stuck_at_a_kink_has_not_met_the_floor(dtype):
    """At y = 1e-18 every step crosses over, and the loss rises by the slope on that side."""
    assert verdict(slanted(dtype), np.array([1.1, 1e-18])) == NO_DECREASE
    for units in (1, 10, 50):  # of rounding below it: a search may give up that early
        assert verdict(slanted(dtype), np.array([1.1, units * np.finfo(dtype).eps])) == NO_DECREASE
    for method in ("gradient", "nlcg", "newton"):
        assert minimize(slanted(), [1.3, 0.7], method, "backtracking").message == NO_DECREASE
    for width in (1e-1, 1e-2, 1e-3, 1e-4):  # the bottom of a smooth one is the floor
        for near in (1e-9, 1e-6, 1e-3, 1e-2, 1e-1):
            x = near * width * np.array([1.0, -2.0])
            assert verdict(slanted(dtype, width), x) != NO_DECREASE


@pytest.mark.parametrize("start", range(2))
def test_a_search_stuck_on_a_relus_ridge_has_not_met_the_floor(start):
    rng = np.random.default_rng(5 + start)
    net = Network([4, 6, 3], "relu")
    loss = net.loss(rng.normal(size=(30, 4)), rng.integers(0, 3, 30), l2=1e-3)
    for method in ("newton", "hessian-free"):
        found = minimize(loss, net.init(start), method, "backtracking", maxiter=400)
        assert found.success or "rounding" not in found.message, found.message
