"""The gradient test: is the gradient the derivative of the loss? (paper, eq. 31).

And what it tells of a search that failed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import norm

from .checks import as_real, as_rng, as_vector, coarser, size_of
from .losses import as_loss


@dataclass
class GradientTest:
    """What :func:`gradient_test` found; prints as one line.

    Attributes
    ----------
    ok : bool
        The gradient is right.
    relative_error : float
        Smallest error over all ε, relative to the size of the derivatives.
    order : float
        Slope of log(error) against log(ε): 2 when right, about 0 when wrong; NaN where the
        central difference is exact up to rounding, as for a quadratic loss.
    eps, errors : (k,) arrays
        The ε tried, from 2⁻² to 2⁻²⁵, or further while the central difference still changes, and
        its error for each.
    """

    ok: bool
    relative_error: float
    order: float
    eps: np.ndarray
    errors: np.ndarray

    def __repr__(self):
        verdict = "gradient right" if self.ok else "GRADIENT WRONG"
        rounding = "exact up to rounding" if self.ok else "no order: or all is rounding"
        order = rounding if np.isnan(self.order) else f"order {round(self.order, 2) + 0.0:.2f}"
        return f"{verdict}: relative error {self.relative_error:.1e}, {order}"


def gradient_test(loss, x, seed=0):
    """Compare Δxᵀ∇L with central differences along a random direction Δx, eq. 31::

        (L(x + ε Δx) - L(x - ε Δx)) / 2ε  =  Δxᵀ∇L + O(ε²)

    One difference can agree by luck or fail by rounding. The order cannot: the error of a right
    gradient falls by 4 each time ε is halved, until rounding takes over.

    Parameters
    ----------
    loss : loss
        See :mod:`soo_lib.losses`; ``fun`` and ``jac`` are used.
    x : (n,) array
        Where to test. Away from kinks: a ReLU whose input is exactly 0, as behind dead units
        with zero biases, has no derivative there, and the test says so.
    seed : int
        For the direction.

    Returns
    -------
    GradientTest

    Raises
    ------
    ValueError
        For an ``x`` that is not a finite vector, or a gradient of another shape.

    Examples
    --------
    >>> from soo_lib.losses import Loss, Rosenbrock
    >>> gradient_test(Rosenbrock(), [-1.0, 2.0]).ok
    True

    A gradient that forgets a factor of 2 has an error of order 0:

    >>> class Slip(Loss):
    ...     n_params = 2
    ...     def fun(self, x):
    ...         return float(x @ x)
    ...     def jac(self, x):
    ...         return x
    >>> slip = gradient_test(Slip(), [-1.0, 2.0])
    >>> slip.ok, abs(round(slip.order, 1))
    (False, 0.0)
    """
    loss = as_loss(loss, x)
    x = as_vector(x, loss.n_params, finite=True)
    d = as_rng(seed).normal(size=x.shape)
    d *= max(1.0, np.linalg.norm(x)) / np.linalg.norm(d)
    f = as_real(loss.fun(x.copy()), (), "the loss's value")  # copies: a loss may write to x
    g = as_vector(loss.jac(x.copy()), len(x), "loss.jac(x)").copy()
    slope, u = d @ g, np.finfo(coarser(getattr(loss, "dtype", float), f.dtype)).eps

    eps, values, errors, told, ratio = [], [], [], [], np.nan
    for e in 2.0 ** -np.arange(2, 61):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            ends = np.array([loss.fun(x + e * d), loss.fun(x - e * d)], float)
            before, ratio = ratio, (ends[0] - ends[1]) / (2 * e)
            change, error = abs(ratio - before), abs(ratio - slope)
        if not np.isfinite(ends).all():  # near a border only the smaller ε are inside
            continue
        eps, values, errors = np.append(eps, e), [*values, ends], np.append(errors, error)
        told = np.append(told, max(np.abs(ends).max(), np.abs(x) @ np.abs(g)))  # x is rounded too
        # A ratio that still changes may come nearer: x's scale need not be the loss's.
        settled = change <= max(1e-6 * abs(ratio), 60 * u * told[-1] / e) or ends[0] == ends[1]
        rises = errors[-5:].min() > 10 * errors[:5].max()  # as of a loss drawn anew
        if e <= 2.0**-25 and (settled or rises):
            break
    if not values:
        raise ValueError("x must lie where the loss is finite; got no finite value on both sides")
    values = np.array(values)
    # Close to a minimum the slope itself says little: the loss's variation then sets the scale. But
    # not that of a wall, beyond the last ε whose half has less than a hundredth of its variation.
    size, noise = np.abs(values - f).max(axis=1), 1e3 * u * np.abs(values).max(axis=1)
    wall = np.flatnonzero(size[:-1] / 100 > size[1:] + noise[1:])
    variation = size[wall[-1] + 1 if len(wall) else 0 :].max()
    with np.errstate(over="ignore"):
        size_g = np.linalg.norm(g)
    size_g = norm(g, check_finite=False) if np.isinf(size_g) else size_g  # forms no square
    scale = max(abs(slope), size_g * np.linalg.norm(d) / np.sqrt(len(x)))
    relative = float(errors.min() / max(scale, 1e-3 * variation, np.finfo(float).tiny))

    # The order, where ε is small enough for the leading term and large enough for rounding,
    # which leaves about u/ε in the difference: the five smallest ε well clear of that.
    clear = np.flatnonzero(errors > 30 * u * told / eps)[-5:]
    order = np.nan
    if len(clear) >= 3:
        order = float(np.polyfit(np.log(eps[clear]), np.log(errors[clear]), 1)[0])
        order = order if order > -0.5 else np.nan  # rises as ε falls: rounding inside the loss
    # A central difference can be as good as u^(2/3); where kinks (ReLU) hide the order, that
    # good an agreement is proof enough.
    ok = relative < 10 * u ** (2 / 3) or (relative < u ** (1 / 3) and not order < 1.5)
    ok = ok or (relative < 1e-3 and abs(order - 2) < 0.1)  # where a constant hides the rest
    # An error that stays as it is, clear of rounding, is the gradient's, whatever the variation.
    # (Where a loss cancels its values become alike, and the error the slope.)
    if len(clear) >= 3 and np.ptp(values[clear], axis=1).all():
        flat = errors[clear].max() < 1.2 * errors[clear].min()
        ok = ok and not (flat and errors.min() > 10 * u ** (2 / 3) * scale)
    return GradientTest(bool(ok), relative, order, eps, errors)


NO_DECREASE = (
    "line search found no decrease along a descent direction; is the gradient right? is the loss "
    "re-sampled? has it a kink here, as of a ReLU?"
)
RESAMPLED = (
    "line search found no decrease along a descent direction: the loss is re-sampled, drawn anew "
    "at each evaluation, so the search compares values of different losses; keep its batches fixed"
)
ROUNDING = "no further decrease: the differences of the loss are lost in rounding, the floor of {}"
GAVE_UP = (
    "the search gave up where the loss still falls, as its gradient foretells: it may have no "
    "minimum, or a kink ahead; or allow more trials, or another first step"
)
BEYOND = (
    "the search gave up where the loss has a gradient whose square is 0 or infinite in float64; "
    "scale the loss"
)


def rounding(loss, x, f, g):
    """How finely values of ``loss`` can be told at ``x``: ``u(|f| + Σ|xᵢgᵢ|)``, u of its ``dtype``.

    A value ``f`` is rounded, and so is the point, (n_params,), where ``g`` is the gradient.
    """
    x, g = as_vector(x, size_of(x)), as_vector(g, size_of(g), "g")
    u = np.finfo(getattr(loss, "dtype", float)).eps
    return float(u * (abs(f) + np.abs(x) @ np.abs(g)))


def why_no_decrease(loss, x, f, g, p):
    """Why a search from ``x`` along ``p``, (n_params,), found no decrease of ``loss``, in words.

    ``f`` and ``g`` are its value and gradient at ``x``, and gᵀp < 0.

    The slopes at both ends of a step foretell what it does to the loss, h(s₀ + s₁)/2. Steps four
    times as long, one after the other, leave rounding behind, wherever it comes from: a right
    gradient then foretells two in a row, also at a minimum. A wrong one shows in the values alone.
    Two of them, a(h) and a(4h) above ``f``, have the slope (16 a(h) - a(4h))/12h at ``x``; where
    that comes out alike three times, but not as the gradient's, while that bends no more than a
    parabola's, it is no rounding, unless longer steps take the gradient's side: a loss that
    cancels may be a saw of the finest teeth. Nor is a kink: there the slope turns at once, within
    the rounding of the loss, and then no more, and the values rise by it.
    """
    if not 1e-154 < np.abs(g).max() < 1e154:  # all that follows is of squares
        return BEYOND
    p = as_vector(p, len(g), "p")
    if not g @ p < 0:
        p = -g
    floor = ROUNDING.format(np.dtype(getattr(loss, "dtype", float)).name)
    noise = rounding(loss, x, f, g)
    again, g_again = loss.fun_and_jac(x)  # a second look: is the loss the same?
    same = np.finfo(getattr(loss, "dtype", float)).eps ** (1 / 3)  # sums in another order are less
    if not (abs(again - f) <= 100 * noise and np.abs(g_again - g).max() <= same * np.abs(g).max()):
        return RESAMPLED
    d = p / np.abs(p).max()
    slope, far = g @ d, np.abs(x).max() or 1.0
    h = max(min(200 * noise / -slope, 1e-4 * far), 1e-14 * far)  # noise is 0 where f and x are
    # In a row; the slope that the values told last, and one that they told alike (NaN: none)
    foretold, alike, nearer, kinks, known, other = 0, 0, 0, 0, np.nan, np.nan
    change, turn, falls, fell, moved, still = 0.0, 0.0, 0, False, False, False
    for _ in range(26):
        z = x + h * d
        value, end = loss.fun_and_jac(z)
        before, change, model = change, value - f, 0.5 * (g + end) @ (z - x)
        ahead = end @ d
        turned, turn = turn, ahead - slope  # of the slope along d: 4 times as much of a parabola
        if not np.isfinite(change + model) or h > 1e15 * far:  # there x itself is lost in rounding
            break
        if change == 0:  # where a loss cancels it may not move for many decades of h: leap
            still = still or min(-slope, -slope - turn) * h > 100 * noise  # by the slopes it falls
            h, foretold, alike, known = 16 * h, 0, 0, np.nan
            continue
        moved = True
        size, error = max(abs(change), abs(model)), abs(change - model)
        if size > 100 * max(noise, rounding(loss, z, value, end)):
            foretold = foretold + 1 if error <= 0.05 * size else 0
            told = (16 * before - change) / (3 * h) if before else np.nan
            off, steady = abs(told - slope), abs(turn - 4 * turned) <= abs(told - slope)
            alike = alike + 1 if steady and abs(told - known) <= 0.1 * off else 0
            nearer = nearer + 1 if foretold and off <= 0.1 * abs(other - slope) else 0
            about = 20 * model < change < model / 20  # what is foretold, roughly
            falls = falls + 1 if about and change < 4 * before < 0 else 0
            fell = fell or falls == 2
            known, other = told, known if alike == 2 else np.nan if nearer == 2 else other
            # Across a kink the slope ahead stays the same, and the loss rises by it.
            kink = abs(turn - turned) <= 0.05 * turn and abs(change - h * ahead) <= 0.05 * change
            kinks = kinks + 1 if kink and -slope >= 0.01 * ahead else 0
            if kinks == 2:  # one, if most of the turn is in one place, as wide as rounding
                low, high, room = 0.0, h, noise / ahead
                for _ in range(20):
                    middle = 0.5 * (low + high)
                    past = loss.fun_and_jac(x + middle * d)[1] @ d - slope >= 0.5 * turn
                    low, high = (low, middle) if past else (middle, high)
                ends = [loss.fun_and_jac(x + at * d)[1] for at in (max(0, low - room), high + room)]
                if (ends[1] - ends[0]) @ d >= 0.5 * turn:
                    return NO_DECREASE
        if foretold >= 2 and np.isnan(other):
            bend = turn / h  # a parabola's lowest point is slope²/2bend below
            lost = 0 < slope**2 <= 200 * max(noise, error) * bend
            return floor if lost else GAVE_UP
        h *= 4
    if (still and not moved) or not np.isnan(other):
        return NO_DECREASE
    return GAVE_UP if fell else floor  # off a plateau it falls in more of a hurry than foretold
