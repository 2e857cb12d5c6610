"""One gradient from rows that lie in several places."""

import math

import numpy as np
import scipy

from ..hints import checker, compare, mixtures, need, numbers


@checker
def check_summed_gradient(answer, rng):
    """Check ``summed_gradient(parts, x)``, the gradient of the mean of ½ (Xx - y)² over all rows.

    A third of the points is for equal parts, a third for unequal ones, and a third for the order
    in which they are added.
    """
    for sizes, share in (([8, 8, 8], 1 / 3), ([5, 4, 8, 2], 2 / 3)):
        n = int(rng.integers(5, 8))
        parts = [(rng.normal(size=(m, n)), rng.normal(size=m)) for m in rng.permutation(sizes)]
        X, y, x = *map(np.concatenate, zip(*parts)), rng.normal(size=n)
        compare(
            ask(answer, parts, x),
            X.T @ (X @ x - y) / len(y),
            lambda parts=parts, x=x: slips(parts, x),
            "Not yet: of each part Xᵀ(Xx - y), the sum of them, and once 1/m, with all m rows.",
        )
        yield share
    found = []
    for k in (1, 3, 5, 6, 7, 8, 11, 13, 15, 16):
        parts, x = exact(rng, k)
        g, m = [X.T @ (X @ x - y) for X, y in parts], sum(len(y) for _, y in parts)
        got, right = ask(answer, parts, x), pairs(g) / m
        compare(got, right, dict, "it is wrong.", f"With {k} part{'s' * (k > 1)}: ")
        wrong = k * (not np.array_equal(got, right))
        found.append((wrong, got, {h: v / m for h, v in orders(g).items()}))
    if not (wrong := max(k for k, *_ in found)):
        return divide_once(answer, rng)
    for hint in orders(g):
        need(
            not all(np.array_equal(got, slip[hint]) for _, got, slip in found),
            f"Right but for the last digits: {hint}",
        )
    need(
        False,
        f"Right but for the last digits, with {wrong} parts for one: add neighbours two "
        "by two, then their sums. A part's is Xᵀ(Xx - y); divide once, at the end.",
    )


def divide_once(answer, rng):
    """Raise a Hint where parts are divided before they are added; here a division does round."""
    found = []
    for k in (5, 6, 7, 8):
        parts, x = exact(rng, k, rows=88)  # a division by 11 rounds, and may not round back
        g, m = [X.T @ (X @ x - y) for X, y in parts], sum(len(y) for _, y in parts)
        each = [pairs([v / m for v in g]), pairs([v * (1 / m) for v in g])]
        found.append((ask(answer, parts, x), [pairs(g) / m, pairs(g) * (1 / m)], each))

    def all_in(which):
        return all(any(np.array_equal(case[0], v) for v in case[which]) for case in found)

    last = "Add first, and divide once, at the end."
    need(
        all_in(1) or not all_in(2),
        f"Right but for the last digits: it divides part by part, and each division rounds. {last}",
    )
    need(
        all_in(1),
        f"Right but for the last digits, with a number of rows whose division rounds. {last}",
    )


def ask(answer, parts, x):
    """Return what the answer gives, or raise a Hint where it has changed a part."""
    mine = [(X.copy(), y.copy()) for X, y in parts]
    got = numbers(answer(mine, x), x.shape)
    kept = len(mine) == len(parts) and all(
        np.array_equal(a, b) for one, two in zip(mine, parts) for a, b in zip(one, two)
    )
    need(kept, "It changes its argument 1: leave the list, and the arrays in it, as they are.")
    return got


def exact(rng, k, rows=16):
    """Return ``k`` parts whose gradients have no rounding, and a point.

    They are whole numbers below 2⁵³. Only the sums of parts are rounded, so that their order shows.
    With 16 rows all sizes are powers of two, so that no division rounds either.
    """
    n, sizes = 30, [rows]
    while len(sizes) < k:  # cut one of the parts in two
        half = sizes.pop(int(rng.choice(np.flatnonzero(np.array(sizes) % 2 == 0)))) // 2
        sizes += [half, half]
    parts = []
    for m, scale in zip(rng.permutation(sizes), 2.0 ** rng.integers(0, 13, size=k)):
        X, y = rng.integers(-3, 4, size=(m, n)), rng.integers(-(2**45), 2**45, size=m)
        parts.append((scale * X, scale * y))
    return parts, rng.integers(-9, 10, size=n).astype(float)


def pairs(g, odd=lambda sums, last: [*sums, last]):
    """Add neighbours two by two, and then their sums; ``odd`` says what becomes of an odd one."""
    while len(g) > 1:
        sums = [a + b for a, b in zip(g[::2], g[1::2])]
        g = odd(sums, g[-1]) if len(g) % 2 else sums
    return g[0]


def late(g):
    """Put odd ones aside, and add them one by one when all the pairs have become one."""
    aside = []
    while len(g) > 1:
        aside += g[len(g) // 2 * 2 :]
        g = [a + b for a, b in zip(g[::2], g[1::2])]
    return sum(aside, g[0])


def halves(g, up):
    """Cut the list in the middle, over and over; the first half is the larger one if ``up``."""
    middle = (len(g) + up) // 2
    return g[0] if len(g) == 1 else halves(g[:middle], up) + halves(g[middle:], up)


def strides(g):
    """Add the first to the last, the second to the last but one, and then their sums."""
    while len(g) > 1:
        half = len(g) // 2
        g = [g[i] + g[-1 - i] for i in range(half)] + g[half : len(g) - half]
    return g[0]


def apart(g):
    """Add the first of each half, the second of each half, and then their sums."""
    while len(g) > 1:
        half = len(g) // 2
        g = [a + b for a, b in zip(g[:half], g[half:])] + g[2 * half :]
    return g[0]


def orders(g):
    """Return the same sum in other orders, by their hints."""
    once = [a + b for a, b in zip(g[::2], g[1::2])] + g[len(g) // 2 * 2 :]
    exactly = np.array([math.fsum(entries) for entries in zip(*g)])
    top_down = (
        "it halves the list from above: begin below, with the first two, the next two, and so on."
    )
    return {
        "it adds one after the other, from the first on: add neighbours, then their sums.": sum(g),
        "it adds one after the other, from the last on: add neighbours, then their sums.": sum(
            g[::-1]
        ),
        top_down: halves(g, 0),
        f"{top_down} ": halves(g, 1),
        "it pairs the first with the last: add neighbours.": strides(g),
        "it pairs each with the one half a list further on: add neighbours.": apart(g),
        "it adds the odd one to the last pair: let it wait, as it is, for the next round.": pairs(
            g, lambda sums, last: [*sums[:-1], sums[-1] + last]
        ),
        "it adds the odd one to the first pair: let it wait, as it is, for the next round.": pairs(
            g, lambda sums, last: [sums[0] + last, *sums[1:]]
        ),
        "the odd one has moved to the front: it waits at the end.": pairs(
            g, lambda sums, last: [last, *sums]
        ),
        "the odd ones wait until the end of all: each is there again in the next round.": late(g),
        "it begins to pair at the end of the list, so that the first is the odd one.": pairs(
            g[::-1]
        ),
        "it pairs once, and adds those sums one after the other: pair them again.": sum(once),
        "it pairs twice, and adds those sums one after the other: pair them again.": sum(
            [a + b for a, b in zip(once[::2], once[1::2])] + once[len(once) // 2 * 2 :]
        ),
        "it sums without rounding in between: a good sum, and its order is no matter, but not the "
        "one that is asked for, which adds two by two.": exactly,
        "it sorts the parts by size first: their places in "
        "the list say who is added to whom.": pairs(sorted(g, key=np.linalg.norm)),
        "it adds from the smallest to the largest: their places in the list say who is added to "
        "whom.": sum(sorted(g, key=np.linalg.norm)),
    }


def slips(parts, x):
    """Return what one or two wrong things would give, by their hints, whatever the order."""
    rows, n = np.array([len(y) for _, y in parts]), len(x)
    m, K = rows.sum(), len(parts)

    def middle(g):
        while len(g) > 1:
            g = [(a + b) / 2 for a, b in zip(g[::2], g[1::2])] + g[len(g) // 2 * 2 :]
        return g[0]

    def gradient(residual, back, combine):
        return combine(np.array([back(X, residual(X, y)) for X, y in parts]))

    return mixtures(
        gradient,
        {
            "": lambda X, y: X @ x - y,
            "Subtract y: the residual is Xx - y.": lambda X, y: X @ x,
            "x is missing in the residual Xx - y.": lambda X, y: -y,
            "The residual is Xx - y, not Xx + y.": lambda X, y: X @ x + y,
            "The residual is Xx - y: the sign matters.": lambda X, y: np.abs(X @ x - y),
            "This is the gradient of the logistic loss: "
            "here the residual is Xx - y.": lambda X, y: scipy.special.expit(X @ x) - y,
            "The residual is squared in the loss, not in its gradient.": lambda X, y: (
                (X @ x - y) ** 2
            ),
        },
        {
            "": lambda X, r: X.T @ r,
            "It multiplies sums: Xᵀr is a sum of products.": lambda X, r: X.sum(axis=0) * r.sum(),
            "It adds x, the gradient of a penalty that is not there.": lambda X, r: X.T @ r + x,
        },
        {
            "": lambda g: g.sum(axis=0) / m,
            "It sums over the rows: the loss is a mean over all m of them.": lambda g: g.sum(
                axis=0
            ),
            "It takes the mean of the parts' means: a part "
            "counts as much as it has rows.": lambda g: np.mean(g / rows[:, None], axis=0),
            "It takes the mean of two, and again: add "
            "neighbours, and divide once, at the end.": lambda g: middle(list(g / rows[:, None])),
            "It halves each sum of two: add neighbours, and divide once, at the end.": lambda g: (
                middle(list(g)) / m
            ),
            "It sums the parts' means, or divides by the rows of one "
            "part: divide once, by the number "
            "of all rows.": lambda g: np.sum(g / rows[:, None], axis=0),
            "It divides by the number of parts, or counts rows "
            "twice: Xᵀr is a sum over them, to be "
            "divided by the number of all rows.": lambda g: g.sum(axis=0) / K,
            "It divides by the number of parameters: divide by that of all rows.": lambda g: (
                g.sum(axis=0) / n
            ),
            "It divides the parts by their rows, and the sum once more by all rows.": lambda g: (
                np.sum(g / rows[:, None], axis=0) / m
            ),
            "The loss has a ½: no factor 2 is left.": lambda g: 2 * g.sum(axis=0) / m,
            "The ½ is gone with the square's derivative.": lambda g: g.sum(axis=0) / (2 * m),
            "It takes the first part alone.": lambda g: g[0] / rows[0],
            "It takes the last part alone: add it to those before.": lambda g: g[-1] / rows[-1],
            "It takes the first part alone, and divides by all rows.": lambda g: g[0] / m,
            "It takes the last part alone, and divides by all rows.": lambda g: g[-1] / m,
            "It leaves out the last part.": lambda g: g[:-1].sum(axis=0) / m,
            "It leaves out the last part and its rows.": lambda g: (
                g[:-1].sum(axis=0) / rows[:-1].sum()
            ),
            "It leaves out the first part.": lambda g: g[1:].sum(axis=0) / m,
            "It counts each part with the first one's rows.": lambda g: (
                g.sum(axis=0) / (K * rows[0])
            ),
            "It counts each part with the last one's rows.": lambda g: (
                g.sum(axis=0) / (K * rows[-1])
            ),
            "It divides by the rows of the largest part, not of all.": lambda g: (
                g.sum(axis=0) / rows.max()
            ),
            "The last part is counted twice: an odd one waits, and is added once.": lambda g: (
                (g.sum(axis=0) + g[-1]) / m
            ),
            "It divides by the number of columns, added "
            "up: divide by that of all rows.": lambda g: g.sum(axis=0) / (K * n),
            "The weights are upside down: a part of more rows counts for more.": lambda g: (
                (g / rows[:, None] ** 2).sum(axis=0) / (1 / rows).sum()
            ),
            "The rows are counted twice: Xᵀr is a sum over them already.": lambda g: (
                (g * rows[:, None]).sum(axis=0) / m
            ),
        },
    )
