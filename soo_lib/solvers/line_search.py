"""Step rules: how far to go along a direction p (Nocedal & Wright, chapter 3).

Each rule looks at the loss along a ray, φ(α) = L(x + αp), a :class:`Ray`, and returns the
accepted :class:`Step`, or None when it finds none.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..checks import as_count, as_number
from .stop import rounding


class Step(NamedTuple):
    """An accepted step: its length, and the point, loss and gradient it leads to."""

    alpha: float  #: its length
    x: np.ndarray  #: where it leads, (n,)
    fun: float  #: the loss there
    jac: np.ndarray  #: the gradient there, (n,)


class Ray:
    """φ(α) = L(x + αp) of a ``loss``, with φ(0) = ``f`` and φ'(0) = gᵀp known.

    The point ``x``, its gradient ``g`` and the direction ``p`` are (n,).
    """

    def __init__(self, loss, x, f, g, p):
        self.loss, self.x, self.p = loss, x, p
        self.fun0, self.slope0 = f, float(g @ p)
        dtype = getattr(loss, "dtype", float)
        self.rounding = 4 * rounding(x, f, g, dtype)  # values of φ carry a few such errors

    def at(self, alpha):
        """φ(``alpha``) alone: cheaper than the whole step."""
        return self.loss.fun(self.x + alpha * self.p)

    def step(self, alpha, f=None):
        """The :class:`Step` of length ``alpha``; ``f`` is φ there, if it is known already."""
        x = self.x + alpha * self.p
        f, g = self.loss.fun_and_jac(x) if f is None else (f, self.loss.jac(x))
        return Step(alpha, x, f, g)

    def decreases(self, alpha, f, c1, slack):
        """Armijo's condition, N&W eq. 3.4: φ(α) <= φ(0) + c1 α φ'(0) + ``slack``; ``f`` is φ(α)."""
        return f <= self.fun0 + c1 * alpha * self.slope0 + slack


def fixed() -> Callable:
    """The same step every time, without a look at the result."""
    return lambda ray, trial: ray.step(trial)


def backtracking(c1: float = 1e-4, shrink: float = 0.5, max_trials: int = 60) -> Callable:
    """Shrink the step until the loss decreases enough (Armijo; N&W algorithm 3.1).

    Parameters
    ----------
    c1 : float
        Share of the decrease promised by the slope that is asked for, 0 < c1 < 1.
    shrink : float
        Factor from one trial to the next, 0 < shrink < 1.
    max_trials : int
        Give up after so many.
    """
    _inside(c1, "c1")
    _inside(shrink, "shrink")
    as_count(max_trials, "max_trials")

    def search(ray, trial):
        # Only where the whole decrease in sight is lost in rounding may a step do without one.
        slack = ray.rounding if -trial * ray.slope0 <= 100 * ray.rounding else 0.0
        for _ in range(max_trials):
            f = ray.at(trial)
            if (slack or f < ray.fun0) and ray.decreases(trial, f, c1, slack):
                step = ray.step(trial, f)
                # If the values do not tell, the slope must.
                if f < ray.fun0 - slack or step.jac @ ray.p > 0.999 * ray.slope0:
                    return step
            trial *= shrink
        return None

    return search


def wolfe(c1: float = 1e-4, c2: float = 0.9, max_trials: int = 40) -> Callable:
    """A step that satisfies the strong Wolfe conditions (N&W algorithms 3.5 and 3.6).

    ::

        φ(α) <= φ(0) + c1 α φ'(0)       and       |φ'(α)| <= c2 |φ'(0)|

    Parameters
    ----------
    c1, c2 : float
        0 < c1 < c2 < 1. A small c2 asks for a nearly exact search.
    max_trials : int
        Give up after so many.
    """
    _inside(c1, "c1")
    _inside(c2, "c2")
    if c1 >= c2:
        raise ValueError(f"c1 must be below c2; got c1 = {c1!r}, c2 = {c2!r}")
    as_count(max_trials, "max_trials")

    def search(ray, trial):
        low, high = _Trial(0.0, ray.fun0, ray.slope0), None  # a good step lies between them
        for _ in range(max_trials):
            step = ray.step(trial)
            new = _Trial(trial, step.fun, float(step.jac @ ray.p))
            finite = np.isfinite(new.fun) and np.isfinite(new.slope)
            # Once φ is flat to rounding its values cannot rank two trials: the slopes still can.
            rises = new.fun > low.fun + ray.rounding
            if not finite or rises or not ray.decreases(trial, new.fun, c1, ray.rounding):
                high = new
            elif abs(new.slope) <= -c2 * ray.slope0:
                return step
            elif high is None:
                if new.slope >= 0:
                    low, high = new, low
                else:  # still going down: look further out
                    trial, low = _within(_cubic(low, new), 2 * trial, 10 * trial), new
                    continue
            else:
                if new.slope * (high.alpha - low.alpha) >= 0:
                    high = low
                low = new
            trial = _between(low, high)
            if trial in (low.alpha, high.alpha):  # no number is left between the two
                return None
        return None

    return search


class _Trial(NamedTuple):
    alpha: float
    fun: float
    slope: float


def _between(low, high):
    """The cubic's minimum, kept a tenth of the bracket off its ends."""
    width = high.alpha - low.alpha
    if not (np.isfinite(high.fun) and np.isfinite(high.slope)):
        return low.alpha + 0.1 * width  # φ is not even finite there: come well back
    ends = sorted((low.alpha + 0.1 * width, high.alpha - 0.1 * width))
    return _within(_cubic(low, high), *ends)


def _within(alpha, a, b):
    """α moved into [a, b]; the end further from 0 where the cubic has no minimum."""
    return float(np.clip(alpha, a, b)) if np.isfinite(alpha) else b


def _cubic(s, t):
    """Where the cubic through two values and slopes has its minimum (N&W eq. 3.59), or NaN."""
    d1 = s.slope + t.slope - 3 * (s.fun - t.fun) / (s.alpha - t.alpha)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        d2 = np.sign(t.alpha - s.alpha) * np.sqrt(d1 * d1 - np.float64(s.slope) * t.slope)
        return t.alpha - (t.alpha - s.alpha) * (t.slope + d2 - d1) / (t.slope - s.slope + 2 * d2)


def _inside(value, name):
    if not 0 < as_number(value, name) < 1:
        raise ValueError(f"{name} must lie between 0 and 1; got {value!r}")


def trust():
    """A radius in place of a length: the step, lowest in a ball, is taken or refused.

    The ball and what is lowest in it are :class:`soo_lib.solvers.TrustRegion`'s.
    """

    refused = False

    def search(ray, trial):
        nonlocal refused
        step = ray.step(trial)
        fall = step.fun - ray.fun0
        # Where rounding hides the fall the slopes tell it, on a quadratic exactly; but not once the
        # radius has been cut for want of one, or a wrong gradient would have the last word.
        if abs(fall) <= 100 * ray.rounding and not refused:
            fall = 0.5 * trial * (ray.slope0 + step.jac @ ray.p)
        enough = fall <= 1e-4 * trial * ray.slope0  # NaN compares false, so it is refused
        refused = not enough or np.array_equal(step.x, ray.x)
        return None if refused else step

    return search


LINE_SEARCHES = {"fixed": fixed, "backtracking": backtracking, "wolfe": wolfe, "trust": trust}
