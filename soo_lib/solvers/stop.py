"""Why a search or a run ends where it does: the floor of rounding, or a gradient that is wrong.

Both are told from differences of the loss, and those by their rounding (N&W section 8.1).
"""

import numpy as np

from ..checks import as_vector, size_of

NO_DECREASE = (
    "line search found no decrease along a descent direction; is the gradient right? is the loss "
    "re-sampled? has it a kink here, as of a ReLU?"
)

RESAMPLED = (
    "line search found no decrease along a descent direction: the loss is re-sampled, drawn anew "
    "at each evaluation, so the search compares values of different losses; keep its batches fixed"
)

ROUNDING = "no further decrease: the differences of the loss are lost in rounding, the floor of {}"

STILL = (
    "no further decrease: the last {} iterations changed the loss by no more than its rounding, "
    "the floor of {}"
)

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


@np.errstate(all="ignore")  # the steps end where the loss overflows
def why_no_decrease(loss, x, f, g, p):
    """Why a search from ``x`` along ``p``, (n_params,), found no decrease of ``loss``, in words.

    ``f`` and ``g`` are its value and gradient at ``x``, and gᵀp < 0. Unless ``p`` itself shows that
    g is wrong the values are asked for a slope that g does not tell: :func:`another_slope`.
    """
    if not 1e-154 < np.abs(g).max() < 1e154:  # all that follows is of squares
        return BEYOND
    p = as_vector(p, len(g), "p")
    if not g @ p < 0:
        p = -g
    noise = rounding(loss, x, f, g)
    again, g_again = loss.fun_and_jac(x)  # a second look: is the loss the same?
    dtype = np.dtype(getattr(loss, "dtype", float))
    same = np.finfo(dtype).eps ** (1 / 3)  # sums in another order are less
    if not (abs(again - f) <= 100 * noise and np.abs(g_again - g).max() <= same * np.abs(g).max()):
        return RESAMPLED
    why = _along(loss, x, f, g, p, noise) or ROUNDING.format(dtype.name)
    return NO_DECREASE if why != NO_DECREASE and another_slope(loss, x, f, g) else why


@np.errstate(all="ignore")
def another_slope(loss, x, f, g):
    """Whether values of ``loss`` near ``x``, (n_params,), tell a slope that is not the gradient's.

    ``f`` and ``g`` are its value and gradient at ``x``. Along -g the two agree at last where g has
    lost an entry: the run has gone down the others. So this looks along fixed directions that owe
    nothing to g, in steps four times as long, one after the other, forwards and backwards at once:
    the curvature, which hides a slope near a minimum, falls out of the difference. Three alike
    beyond rounding, but not g's, are a slope, if no kink is near: at a kink the two sides part, or
    g turns at once; and if longer steps do not take g's side, as of a saw of the finest teeth, or
    foretell by it what they do, once a leap has shown larger terms that round to nothing near x.
    What lies within the rounding of the loss, or is 0 along all of them, stays hidden.
    """
    far = np.abs(x).max() or 1.0
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (3, len(x)))
    own = np.where(x, np.abs(x) / far, 1.0)  # variables of different units
    along = signs[0], signs[1] * own, signs[2] * (g == 0)
    return any(_tells_another(loss, x, f, g, v, _scale(x[v != 0])) for v in along if v.any())


def _scale(x):
    size = np.abs(x).max()
    return size if size > 1e-100 else 1.0  # 0, or on the way to it


def _tells_another(loss, x, f, g, v, far):
    look = getattr(loss, "aside", loss.fun_and_jac)  # a recorder's: what is seen here is no trial
    slope, both, noise = g @ v, np.array([1.0, -1.0]), rounding(loss, x, f, g)
    change, turn, told, other = np.zeros(2), np.zeros(2), np.nan, np.nan  # other: as in _along
    alike, right, nearer, spent, least, peak, h = 0, 0, 0, 0, np.inf, 0.0, 1e-14 * far
    foretold, rough = 0, False
    for _ in range(48):
        points = [x + h * s * v for s in both]
        ends = [look(z) for z in points]
        before, turned, known = change, turn, told
        change = np.array([value - f for value, _ in ends])
        turn = both * [end @ v - slope for _, end in ends]
        if not np.isfinite([change, turn]).all() or h > 1e15 * far:
            break
        size = np.abs(change).max()
        lost = max(noise, *(rounding(loss, z, *end) for z, end in zip(points, ends, strict=True)))
        told = (change[0] - change[1]) / (2 * h)
        off, clear = abs(told - slope), 100 * lost / h  # values tell slopes above the latter
        kink = abs(16 * before.sum() - change.sum()) / (6 * h)  # half of what it turns by
        smooth = kink <= 0.1 * off and np.abs(turn - 4 * turned).max() <= 0.5 * off
        same = smooth and abs(told - known) <= 0.1 * off and min(off, abs(told)) > clear
        alike = alike + 1 if same and size > peak else 0  # no shorter step did more
        error = abs(told - slope - (turn[0] - turn[1]) / 6)  # of Simpson's rule
        right = right + 1 if error <= 0.05 * abs(told) and abs(told) > clear else 0
        # Longer steps side with g where they bend as it foretells, and what it hid is not there.
        bent = abs(change.sum() - h * turn.sum() / 2) <= 0.05 * abs(change.sum())
        nearer = nearer + 1 if bent and error <= 0.1 * abs(other - slope) else 0
        other = told if alike == 2 and np.isnan(other) else np.nan if nearer == 2 else other
        leap = 1e3 * max(abs(known - other), abs(other - slope))
        rough = rough or abs(told - other) > leap
        model = h * (both * slope + turn / 2)
        foretold = foretold + 1 if np.abs(change - model).max() <= 0.05 * size else 0
        other = np.nan if rough and foretold >= 2 else other
        spent = spent + 1 if clear > 0.5 * least else 0
        least, peak = min(clear, least), max(size, peak)
        if np.isnan(other) and (right == 2 or (spent >= 3 and not alike)):
            break  # longer steps tell no more
        h *= 4 if size > 100 * lost else 16
    return not np.isnan(other)


def _along(loss, x, f, g, p, noise):
    """What the loss along ``p`` says of a search that failed; "" where it was lost in rounding.

    The slopes at both ends of a step foretell what it does to the loss, h(s₀ + s₁)/2. Steps four
    times as long, one after the other, leave rounding behind, wherever it comes from: a right
    gradient then foretells two in a row, also at a minimum. A wrong one shows in the values alone.
    Two of them, a(h) and a(4h) above ``f``, have the slope (16 a(h) - a(4h))/12h at ``x``; where
    that comes out alike three times, but not as the gradient's, while that bends no more than a
    parabola's, it is no rounding, unless longer steps take the gradient's side: a loss that
    cancels may be a saw of the finest teeth. Nor is a kink: there the slope turns at once, within
    the rounding of the loss, and then no more, and the values rise by it.
    """
    d = p / np.abs(p).max()
    slope, far = g @ d, _scale(x)
    h = max(min(200 * noise / -slope, 1e-4 * far), 1e-14 * far)  # noise is 0 where f and x are
    # In a row; the slope that the values told last, and one that they told alike (NaN: none)
    foretold, alike, nearer, kinks, known, other = 0, 0, 0, 0, np.nan, np.nan
    change, turn, falls, fell, moved, still = 0.0, 0.0, 0, False, False, False
    rough = False  # a leap of what values tell: larger terms round to nothing nearer to x
    for _ in range(48):
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
            if not moved and 1e15 * far < h < 1e15:  # x is next to 0, and the loss's scale is not
                h, far = max(h, 1e-14), 1.0
            continue
        moved = True
        size, error = max(abs(change), abs(model)), abs(change - model)
        if size > 100 * max(noise, rounding(loss, z, value, end)):
            foretold = foretold + 1 if error <= 0.05 * size else 0
            told = (16 * before - change) / (3 * h) if before else np.nan
            off, steady = abs(told - slope), abs(turn - 4 * turned) <= abs(told - slope)
            alike = alike + 1 if steady and abs(told - known) <= 0.1 * off else 0
            nearer = nearer + 1 if foretold and off <= 0.1 * abs(other - slope) else 0
            leap = 1e3 * max(abs(known - other), abs(other - slope))
            rough = rough or abs(told - other) > leap
            other = np.nan if rough and foretold >= 2 else other
            about = 20 * model < change < model / 20  # what is foretold, roughly
            falls = falls + 1 if about and change < 4 * before < 0 else 0
            fell = fell or falls == 2
            known, other = told, known if alike == 2 else np.nan if nearer == 2 else other
            # Across a kink the slope ahead stays the same, and the loss rises by it.
            kink = abs(turn - turned) <= 0.05 * turn and abs(change - h * ahead) <= 0.05 * change
            kinks = kinks + 1 if kink and -slope >= 0.01 * ahead else 0
            if kinks == 2:  # one, if most of the turn is in one place, as wide as rounding
                low, high, room = 0.0, h, noise / ahead
                for _ in range(60):
                    if high - low <= room:
                        break
                    middle = 0.5 * (low + high)
                    past = loss.fun_and_jac(x + middle * d)[1] @ d - slope >= 0.5 * turn
                    low, high = (low, middle) if past else (middle, high)
                ends = [loss.fun_and_jac(x + at * d)[1] for at in (max(0, low - room), high + room)]
                if (ends[1] - ends[0]) @ d >= 0.5 * turn:
                    return NO_DECREASE
        if foretold >= 2 and np.isnan(other):
            bend = turn / h  # a parabola's lowest point is slope²/2bend below
            lost = 0 < slope**2 <= 200 * max(noise, error) * bend
            return "" if lost else GAVE_UP
        h *= 4
    if (still and not moved) or not np.isnan(other):
        return NO_DECREASE
    return GAVE_UP if fell else ""  # off a plateau it falls in more of a hurry than foretold
