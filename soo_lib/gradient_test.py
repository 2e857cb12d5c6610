"""The gradient test: is the gradient the derivative of the loss? (paper, eq. 31)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .checks import as_real, as_rng, as_vector, coarser
from .losses.base import Loss, as_loss


@dataclass
class GradientTest:
    """What :func:`gradient_test` found; prints as one line.

    Attributes
    ----------
    verdict : {"right", "wrong", "untold"}
        "untold" where the values of the loss do not tell.
    relative_error : float
        Smallest error over all ε, relative to the slopes that the loss shows within ε.
    order : float
        Slope of log(error) against log(ε): 2 when right, about 0 when wrong; NaN where the
        central difference is exact up to rounding, as for a quadratic loss.
    eps, errors : (k,) arrays
        The ε tried, from 2⁻² to 2⁻³⁰, or further while the central difference still changes, and
        its error for each.
    kink : bool
        The slope of the loss turns at once at the point tested, as that of a ReLU does at 0.
    bend : float
        The second difference along Δx, at the smallest ε where it is clear of rounding; NaN where
        it never is.
    rounding : float
        How finely values of the loss can be told near the point.
    """

    verdict: str
    relative_error: float
    order: float
    eps: np.ndarray
    errors: np.ndarray
    kink: bool
    bend: float
    rounding: float

    @property
    def ok(self):
        """Whether the gradient is right."""
        return self.verdict == "right"

    def __repr__(self):
        untold = "gradient untold" + (", there is a kink" if self.kink else "")
        verdict = {"right": "gradient right", "wrong": "GRADIENT WRONG"}.get(self.verdict, untold)
        order = f"order {round(self.order, 2) + 0.0:.2f}"
        if np.isnan(self.order):
            order = "exact up to rounding" if self.ok else "no order"
        return f"{verdict}: relative error {self.relative_error:.1e}, {order}"


def gradient_test(loss: Loss, x: ArrayLike, seed: int = 0) -> GradientTest:
    """Compare Δxᵀ∇L with central differences along a random direction Δx, eq. 31::

        (L(x + ε Δx) - L(x - ε Δx)) / 2ε  =  Δxᵀ∇L + O(ε²)

    One difference can agree by luck or fail by rounding. The order cannot: the error of a right
    gradient falls by 4 each time ε is halved, until rounding takes over. The verdict, with u the
    rounding of one number, is

    - *wrong* where three differences in a row agree with each other ten times better than with the
      gradient, no smaller ε brings them nearer to it, and it does not foretell longer steps;
    - *right* where the error falls below 10 u^⅔ of the slope, or below a thousandth by order 2;
    - *untold* otherwise: where values cancel, on a plateau, in mixed units, at the floor of
      float32, at a kink, for a loss that is drawn anew.

    Parameters
    ----------
    loss : loss
        See :mod:`soo_lib.losses`; ``fun`` and ``jac`` are used.
    x : (n,) array
        Where to test. A ReLU whose input is exactly 0, as behind dead units with zero biases, has
        no derivative there.
    seed : int
        For the direction.

    Returns
    -------
    GradientTest

    Raises
    ------
    ValueError
        For an ``x`` that is not a finite vector, or a gradient of another shape.

    Notes
    -----
    A loss whose larger terms round to nothing near x is judged by the terms that are left. An error
    of a hundred thousandth of the slope and less may stay untold.

    Examples
    --------
    >>> from soo_lib.losses import Loss, Rosenbrock
    >>> gradient_test(Rosenbrock(), [-1.0, 2.0]).verdict
    'right'

    A gradient that forgets a factor of 2 has an error of order 0:

    >>> class Slip(Loss):
    ...     n_params = 2
    ...     def fun(self, x):
    ...         return float(x @ x)
    ...     def jac(self, x):
    ...         return x
    >>> slip = gradient_test(Slip(), [-1.0, 2.0])
    >>> slip.verdict, abs(round(slip.order, 1))
    ('wrong', 0.0)
    """
    loss = as_loss(loss, x)
    x = as_vector(x, loss.n_params, finite=True)
    d = as_rng(seed).normal(size=x.shape)
    d *= max(1.0, np.linalg.norm(x)) / np.linalg.norm(d)
    f = as_real(loss.fun(x.copy()), (), "the loss's value")  # copies: a loss may write to x
    g = as_vector(loss.jac(x.copy()), len(x), "loss.jac(x)").copy()
    found = judge(loss, x, float(f), g, d, coarser(getattr(loss, "dtype", float), f.dtype))
    if not len(found.eps):
        raise ValueError("x must lie where the loss is finite; got no finite value on both sides")
    return found


@np.errstate(all="ignore")  # the longest steps may overflow
def judge(loss, x, f, g, d, dtype=float):
    """The :class:`GradientTest` of ``g`` along ``d``, both (n,), with the value ``f`` at ``x``.

    ``dtype`` is the precision of the ``loss``'s values (eq. 31).
    """
    u, tried = np.finfo(dtype).eps, []
    for e in 2.0 ** -np.arange(2, 61):
        ahead, behind = x + e * d, x - e * d
        slope = g @ (ahead - behind) / (2 * e)  # the points are rounded: this far they lie apart
        up, down = float(loss.fun(ahead)), float(loss.fun(behind))
        if not np.isfinite(up - down):  # near a border only the smaller ε are inside
            continue
        ratio = (up - down) / (2 * e)  # eq. 31
        turn = ((up - f) - (f - down)) / (2 * e)  # half of the slope ahead minus that behind
        size = max(abs(up), abs(down), abs(f)) + np.abs(x) @ np.abs(g)  # x is rounded too
        settled = tried and abs(ratio - tried[-1][1]) <= max(1e-6 * abs(ratio), 60 * u * size / e)
        tried.append((e, ratio, slope, turn, u * size, max(abs(up - f), abs(down - f))))
        if e <= 2.0**-30 and (settled or up == down):
            break
    eps, ratio, slope, turn, rounding, moved = np.array(tried).reshape(-1, 6).T
    if not len(eps):
        return GradientTest("untold", np.nan, np.nan, eps, eps, False, np.nan, np.nan)
    # Values of coarser units show it: by the least that they, or their slopes, change.
    least = [np.min(s[s > 4 * rounding], initial=np.inf) for s in (0.1 * moved, np.abs(turn * eps))]
    rounding = np.maximum(rounding, min(least) if np.isfinite(min(least)) else 0.0)

    error = np.abs(ratio - slope)
    size = np.linalg.norm(g) * np.linalg.norm(d) / np.sqrt(len(x))
    size = max(abs(slope[-1]), size, np.finfo(float).tiny)
    shown = np.maximum(moved / eps, size)  # near a minimum the slope itself says little
    relative = float((error / shown).min())
    clear = error > 30 * rounding / eps
    last = np.flatnonzero(clear)[-5:]
    order = np.nan
    if len(last) >= 3:
        order = float(np.polyfit(np.log(eps[last]), np.log(error[last]), 1)[0])
        order = order if order > -0.5 else np.nan  # rises as ε falls: rounding inside the loss
    seen = np.flatnonzero(np.abs(turn) > 30 * rounding / eps)
    bend = float(2 * turn[seen[-1]] / eps[seen[-1]]) if len(seen) else np.nan
    # Of a smooth loss the turn falls by 2 each time ε is halved. A kink a little way off shows it
    # only from there on, so the smallest ε may be too short.
    turns = np.abs(turn[seen[-6:]])
    threes = [turns[i : i + 3] for i in range(len(turns) - 2)]
    kink = any(three.min() > 0.8 * three.max() for three in threes)

    verdict = "untold" if np.isfinite(g).all() else "wrong"
    best = 10 * u ** (2 / 3)  # as good as a central difference can be
    precise = error.min() <= best * size or (relative < best and np.isnan(order))
    if precise or (relative < max(1e-3, u ** (1 / 3)) and order > 1.5):
        verdict = "right"
    for i in range(len(eps) - 2):
        three = slice(i, i + 3)
        off = error[three].min()
        agree = clear[three].all() and np.ptp(ratio[three] - slope[three]) <= 0.1 * off
        agree &= np.abs(turn[three]).max() <= 0.5 * off  # at a kink one side may have the gradient
        finer = error[i:][30 * rounding[i:] < off * eps[i:]]
        if agree and finer.min() > 0.1 * off:
            asked = off if moved[three].any() else np.inf  # constant values cannot hide it
            if not _foretells(loss, x, f, g, d, eps[i + 2], asked, u):
                verdict = "wrong"
            elif verdict == "right":
                verdict = "untold"
            break
    return GradientTest(verdict, relative, order, eps, error, kink, bend, float(rounding[-1]))


def _foretells(loss, x, f, g, d, h, off, u):
    """Whether gradients at both ends of longer steps foretell what these do to the loss.

    The mean of the slopes at its ends foretells the change over a step within a twentieth, and that
    over the steps ahead and behind together more finely than an error ``off`` of the slope would
    allow: twice in a row.
    """
    told, far = 0, 1e10 * max(1.0, np.abs(d).max())
    while told < 2 and h * np.abs(d).max() < far:
        h *= 4
        steps = h * d, -h * d
        ends = [loss.fun_and_jac(x + step) for step in steps]
        change = np.array([value - f for value, _ in ends])
        missed = change - [(g + end) @ step / 2 for step, (_, end) in zip(steps, ends)]
        hidden = u * np.abs(change).max() > 0.01 * h * off  # by the rounding of the values
        if hidden or not np.isfinite(missed).all():
            return False
        near = (np.abs(missed) <= 0.05 * np.abs(change)).all()
        told = told + 1 if near and abs(missed[0] - missed[1]) <= 0.2 * h * off else 0
    return told == 2
