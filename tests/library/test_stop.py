"""Why a run ends: wrong gradients are told, right ones never accused, and the rest is named."""

import numpy as np
import pytest

from soo_lib.losses import Logistic, Loss, Network
from soo_lib.solvers import minimize
from soo_lib.solvers.minimize import OWN
from soo_lib.solvers.stop import Status, why_no_decrease

# Losses whose terms cancel near a minimum, where the value shows nothing of their size: the
# rounding of a term of 1 moves, or does not move, a loss of 1e-16. (loss, gradient, minimum)
WRONG = Status.WRONG_GRADIENT
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
    dtype = getattr(loss, "dtype", float)
    return why_no_decrease(loss, x, float(f), np.array(g, float), -g, dtype).status


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("distance", [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 0.3])
def test_a_right_gradient_is_not_accused_where_a_loss_cancels(name, distance):
    (loss, minimum), rng = cancelling(name), np.random.default_rng(0)
    for _ in range(20):
        assert verdict(loss, minimum + distance * rng.normal(size=3)) != WRONG


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("wrong", [-1.0, 2.0, 0.3, np.array([1, -3, 1])])
def test_a_wrong_gradient_is_accused_where_a_loss_cancels(name, wrong):
    (loss, minimum), rng = cancelling(name, wrong), np.random.default_rng(0)
    for _ in range(20):
        x = minimum + 0.05 * rng.choice([-1, 1], 3) * rng.uniform(0.5, 1.5, 3)  # no entry near 0
        assert verdict(loss, x) == WRONG


@pytest.mark.parametrize("name", ["1 - cos", "1 - exp"])
def test_a_loss_that_goes_flat_far_away_excuses_no_gradient(name):
    """Its mean slope falls to 0 there, near that of a wrong gradient that has gone to 0 itself."""
    loss, _ = cancelling(name)
    right, rng = loss.jac, np.random.default_rng(0)
    for _ in range(20):
        shift, near = rng.normal(size=(2, 3))
        loss.jac = lambda x, shift=shift: right(x + 0.01 * shift)  # of another point
        assert verdict(loss, 1e-10 * near - 0.01 * shift) == WRONG


def test_a_constant_has_no_gradient():
    loss = Loss()
    loss.n_params, loss.fun, loss.jac = 2, lambda x: 3.0, lambda x: np.array([1.0, 2.0])
    assert verdict(loss, np.array([0.1, 0.2])) == WRONG


def test_a_constant_along_p_has_no_slope_even_where_it_ends_in_nan():
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: float(1.0 + x[0] * np.exp(-x[1]))  # 0 · inf in the end
    loss.jac = lambda x: np.array([-x[0] * np.exp(-x[1]), np.exp(-x[1])])  # two entries swapped
    with np.errstate(all="ignore"):
        assert verdict(loss, np.zeros(2)) == WRONG


def test_a_constant_along_p_has_no_slope_however_far():
    """1e16 away the terms that cancel are no longer alike; that is the rounding of x, no slope."""
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: (1.5 - x[0] + x[0] * x[1]) ** 2
    loss.jac = lambda x: 2 * (1.5 - x[0] + x[0] * x[1]) * np.array([x[0], x[1] - 1])  # swapped
    assert verdict(loss, np.ones(2)) == WRONG


@pytest.mark.parametrize("x", [4.0, 5.0, 6.0, 7.0])
def test_a_right_gradient_is_not_accused_on_a_plateau(x):
    """The far side of the valley, where all is 1 again, tells no slope at ``x``."""
    loss = Loss()
    loss.n_params, loss.fun = 2, lambda x: np.sum(np.tanh(2 * x) ** 2)
    loss.jac = lambda x: 4 * np.tanh(2 * x) / np.cosh(2 * x) ** 2
    assert verdict(loss, np.full(2, x)) != WRONG
    loss.fun, loss.jac = lambda x: 1 - np.exp(-0.5 * x @ x), lambda x: x * np.exp(-0.5 * x @ x)
    assert verdict(loss, np.full(2, x)) != WRONG
    found = minimize(loss, [6.0, 6.0], "bfgs", gtol=1e-20)
    assert found.status in (Status.GAVE_UP, Status.UNTOLD)


def test_a_right_gradient_is_not_accused_where_a_tail_goes_flat():
    loss = Loss()
    loss.n_params, loss.fun = 1, lambda x: 1e9 + np.logaddexp(0, x[0])
    loss.jac = lambda x: 1 / (1 + np.exp(-x))
    with np.errstate(over="ignore"):
        assert verdict(loss, np.array([-18.0])) != WRONG


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
    assert verdict(slanted(dtype), np.array([1.1, 1e-18])) == Status.KINK
    for units in (1, 10):  # of rounding below it: a search may give up that early
        x = np.array([1.1, units * np.finfo(dtype).eps])
        assert verdict(slanted(dtype), x) == Status.KINK
    for method in ("gradient", "nlcg", "newton"):
        found = minimize(slanted(), [1.3, 0.7], method, "backtracking")
        assert found.status is Status.KINK, found.message
    for width in (1e-1, 1e-2, 1e-3, 1e-4):  # the bottom of a smooth one is the floor
        for near in (1e-9, 1e-6, 1e-3, 1e-2, 1e-1):
            x = near * width * np.array([1.0, -2.0])
            assert verdict(slanted(dtype, width), x) != WRONG


@pytest.mark.parametrize("start", range(2))
def test_a_search_stuck_on_a_relus_ridge_has_not_met_the_floor(start):
    rng = np.random.default_rng(5 + start)
    net = Network([4, 6, 3], "relu")
    loss = net.loss(rng.normal(size=(30, 4)), rng.integers(0, 3, 30), l2=1e-3)
    for method in ("newton", "hessian-free"):
        found = minimize(loss, net.init(start), method, "backtracking", maxiter=400)
        assert found.success or "rounding" not in found.message, found.message


# ---- a slope that the gradient hides


class Coupled(Loss):
    """Σ dᵢ² + dᵢdᵢ₊₁/10 + dᵢ⁴/100 with d = (x - a)/units; its gradient times ``wrong``."""

    def __init__(self, n, wrong=1.0, units=1.0):
        self.n_params, self.wrong, self.units = n, wrong, np.broadcast_to(units, n)
        self.a = self.units * np.random.default_rng(n).normal(size=n)

    def fun(self, x):
        d = (x - self.a) / self.units
        return float(d @ d + 0.1 * d[1:] @ d[:-1] + 0.01 * np.sum(d**4))

    def jac(self, x):
        d = (x - self.a) / self.units
        g = 2 * d + 0.04 * d**3
        g[1:] += 0.1 * d[:-1]
        g[:-1] += 0.1 * d[1:]
        return self.wrong * g / self.units

    def hess(self, x):
        d, off = (x - self.a) / self.units, np.eye(len(x), k=1)
        return (np.diag(2 + 0.12 * d * d) + 0.1 * (off + off.T)) / np.outer(self.units, self.units)


def factors(n, share, *entries):
    wrong = np.ones(n)
    wrong[list(entries)] = share
    return wrong


SLIPS = {
    "one": (5, 0, 1),
    "two": (5, 0, 1, 3),
    "half": (20, 0, *range(0, 20, 2)),
    "nearly": (5, 1e-8, 2),
    "nearly all": (5, 1e-9, 0, 1, 2, 4),
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.parametrize("method", [*OWN, "CG", "BFGS", "L-BFGS-B", "trust-exact"])
def test_a_gradient_that_has_lost_entries_is_not_excused(method, slip):
    """Along -g it is right, down to the lowest point of the other variables."""
    n, share, *entries = SLIPS[slip]
    loss = Coupled(n, factors(n, share, *entries))
    found = minimize(loss, np.zeros(n), method, maxiter=300, gtol=0)
    if not found.success:  # nor is an end by gtol = 0 an excuse: g is 0
        assert found.status in (WRONG, Status.MAXITER), found.message


@pytest.mark.parametrize("entry", range(6))
def test_nor_where_variables_have_different_units(entry):
    """Without a gtol a run may go on to its last iteration; where it fails, it says why."""
    units = np.array([1e-6, 1e-3, 1, 1, 1e3, 1e6])
    loss = Coupled(6, factors(6, 0, entry), units)
    for method in ("bfgs", "hessian-free"):
        found = minimize(loss, np.zeros(6), method, maxiter=300, gtol=0)
        assert found.status in (WRONG, Status.MAXITER, Status.ROUNDING), found.message
        assert not found.success


SIGNS = np.array([1.0, -1, 2])
RIGHT = {  # (loss, gradient): the slopes of values may differ from the gradient's, without a slip
    "|x|": (lambda x: np.abs(x).sum(), np.sign),
    "one side of |x|": (lambda x: np.abs(x).sum(), lambda x: np.where(x < 0, -1.0, 1.0)),
    "units of a ReLU that cancel": (lambda x: np.maximum(x, 0) @ SIGNS, lambda x: (x > 0) * SIGNS),
    "|x|^1.5": (lambda x: np.sum(np.abs(x) ** 1.5), lambda x: 1.5 * np.sign(x) * np.abs(x) ** 0.5),
    "a cliff": (lambda x: x @ x + 1e3 * (x[0] < 0), lambda x: 2 * x),
    "a ripple": (
        lambda x: x @ x + 1e-3 * np.sum(1 - np.cos(1e3 * x)),
        lambda x: 2 * x + np.sin(1e3 * x),
    ),
    "float32": (lambda x: np.float32(1 + x @ x), lambda x: 2 * x),
    "underflow": (lambda x: 1e24 * x @ x, lambda x: 2e24 * x),
}
RIPPLE = np.array([0.0752471554339267, 0.35734538050600706, 0.012541285415652463])  # a low point


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("distance", [0, 1e-16, 1e-12, 1e-8, 1e-4])
def test_a_right_gradient_hides_nothing(name, distance):
    loss, rng = Loss(), np.random.default_rng(1)
    loss.n_params, (loss.fun, loss.jac) = 3, RIGHT[name]
    if name == "float32":
        loss.dtype = np.float32
    for _ in range(10):
        x = distance * rng.normal(size=3) + (RIPPLE if name == "a ripple" else 0)
        assert verdict(loss, x) != WRONG


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("distance", [0, 1e-16, 1e-12, 1e-8, 1e-4, 1e-2])
def test_nor_where_terms_cancel(name, distance):
    (loss, minimum), rng = cancelling(name), np.random.default_rng(1)
    for _ in range(10):
        x = minimum + distance * rng.normal(size=3)
        assert verdict(loss, x) != WRONG


@pytest.mark.parametrize("size, waves", [(1e-4, 1e9), (1e-6, 1e7), (1e-6, 1e9), (1e-8, 1e9)])
def test_nor_where_a_loss_has_few_digits(size, waves):
    """As an inner solver leaves them: in the shortest steps its values tell any slope."""
    X = np.random.default_rng(3).normal(size=(80, 5))
    right = Logistic(X, X[:, 1] + X[:, 0] ** 2 > 1, l2=1e-2)
    loss = Loss()
    loss.n_params, loss.jac = 5, right.jac
    loss.fun = lambda x: right.fun(x) * (1 + size * np.sin(waves * x.sum()))
    for start in np.random.default_rng(0).normal(size=(10, 5)):
        for method in "lbfgs", "bfgs":
            found = minimize(loss, start, method, gtol=1e-12)
            f, g = loss.fun_and_jac(found.x)
            assert verdict(loss, found.x) != WRONG


@pytest.mark.parametrize("distance", [1e-16, 1e-23, 1e-60, 1e-129])
def test_nor_does_a_minimum_at_0_where_x_falls_below_what_moves_the_loss(distance):
    loss = Loss()
    loss.n_params, loss.fun = 3, lambda x: np.sum(np.log(1 + x * x))
    loss.jac = lambda x: 2 * x / (1 + x * x)
    assert verdict(loss, distance * np.array([1.0, -2.0, 0.5])) != WRONG


def test_nor_does_a_bend_that_looks_like_a_kink_from_very_far():
    """Within the rounding of the loss it is round; a search for the place must get as near."""
    loss, dtype = Loss(), np.float32
    loss.n_params, loss.dtype = 1, dtype
    loss.fun = lambda x: dtype(1 + np.hypot(x[0], 1e-3) + 1e4 * (1 - np.exp(-((x[0] / 30) ** 2))))
    loss.jac = lambda x: x / np.hypot(x, 1e-3) + 2e4 / 900 * x * np.exp(-((x / 30) ** 2))
    assert verdict(loss, np.array([1e-4])) != WRONG


def test_a_lost_entry_is_seen_beside_variables_of_far_larger_units():
    """Its variable is still 0, which says nothing of its units; nor do those of the others."""
    units = np.array([1e-8, 1.0, 1e8])
    loss = Coupled(3, factors(3, 0, 0), units)
    x = np.array([0.0, *loss.a[1:]]) + units * np.array([0, 1e-9, 1e-9])
    assert verdict(loss, x) == WRONG


@pytest.mark.parametrize("method", ["gradient", "newton", "bfgs", "lbfgs", "hessian-free"])
def test_a_wrong_gradient_is_not_excused_where_the_curvature_jumps(method):
    """Values tell one slope exactly as far as the next jump, and then, all at once, another."""
    rng, loss = np.random.default_rng(0), Loss()
    A = rng.normal(size=(40, 5))
    A *= np.sign(A @ rng.normal(size=5) + rng.normal(size=40))[:, None]
    loss.n_params, shift = 5, 1 + 1e-3 * rng.normal(size=5)

    def slack(x):
        return np.maximum(0, 1 - A @ x)

    loss.fun = lambda x: slack(x) @ slack(x) + 1e-3 * x @ x
    loss.jac = lambda x: -2 * A.T @ slack(shift * x) + 2e-3 * shift * x
    loss.hess = lambda x: 2 * (A.T * (A @ x < 1)) @ A + 2e-3 * np.eye(5)
    assert minimize(loss, np.zeros(5), method, gtol=0).status is WRONG
