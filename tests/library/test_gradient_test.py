"""The gradient test (eq. 31): it passes right gradients, and fails wrong ones."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import Careless, Quadratic, complains, overlapping

from soo_lib.gradient_test import gradient_test
from soo_lib.losses import Batched, Loss, Network, Reshuffled, Rosenbrock, partition
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
    found = [gradient_test(Altered(loss, fault), x, seed=seed) for seed in range(5)]
    verdicts, small = [result.verdict for result in found], fault is FAULTS["off by 1e-5"]
    assert "right" not in verdicts  # a direction may hide a fault
    assert verdicts.count("wrong") >= (1 if small else 4)
    assert all("\n" not in repr(result) for result in found)


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
        loss.jac = lambda x, factor=factor: (
            factor * (2 * x + steepness * np.exp(steepness * x[0]) * np.array([1.0, 0.0]))
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
    wrong, told = np.array([1, 1, 1, 1, 1, -3]), 0
    for factor, ok in ((1.0, True), (1.01, False), (-1.0, False), (wrong, False)):
        loss = SimpleNamespace(fun=lambda x: value(x * scales).sum())
        loss.jac = lambda x, factor=factor: factor * scales * slope(x * scales)
        for seed in range(8):
            verdict = gradient_test(loss, x, seed=seed).verdict
            assert verdict != ("wrong" if ok else "right"), (factor, seed)
            told += verdict != "untold"
    assert told >= 8  # of 32: mixed units hide a slope


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
        verdict = gradient_test(loss, np.array([-1.2, 1.0])).verdict
        assert verdict == ("right" if ok else "wrong") or (verdict == "untold" and shift > 1e10)
