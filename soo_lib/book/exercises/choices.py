"""Automatic parts of open exercises: the price of a run, and the way out of a saddle."""

import numpy as np

from ..hints import Hint, checker, compare, mixtures, need, numbers, same


def runs(rng, arrive):
    """Runs on record: a target, the losses, and the calls so far; a few rise on their way."""
    for kind in rng.permutation(["falls", "falls", "meets", "returns", "overflows", "at once"]):
        k = int(rng.integers(12, 20))
        fun = 10.0 * 0.7 ** (np.arange(k) + rng.uniform(0.1, 0.4, size=k))
        first = 0 if kind == "at once" else int(rng.integers(4, 8))
        above = fun[first - 1] - fun[first] if first else fun[0]
        target = fun[first] + (0 if kind == "meets" else 0.9 * above)  # nearer to the one before
        fun[-1] *= 1.7  # the lowest loss is not the last
        if kind == "returns":
            fun[first + 1 : first + 3] = 1.5 * target  # and later comes back
        elif kind == "overflows":
            fun[-2:] = np.nan
        if not arrive:
            target = 0.5 * np.nanmin(fun)
        steps = [rng.integers(1, 4, size=k), np.ones(k), rng.integers(1, 9, size=k)]
        # No two prices of a run are alike, nor is a price anywhere a number of calls.
        yield (float(target), fun, *(np.cumsum(step).astype(float) for step in steps))


@checker
def check_price_to_reach(answer, rng):
    """``price_to_reach(target, fun, nfev, njev, nhessp)``: passes until the loss is at most target.

    Half of the points for runs that arrive, half for such as never do.
    """
    found = list(runs(rng, arrive=True))
    got = np.array([arrived(answer(*run), *run) for run in found])

    def each(which, price):
        """Of all runs the price at the place that ``which`` finds."""
        return np.array([price(calls, min(max(which(f, t), 0), len(f) - 1))
                         for t, f, *calls in found])  # fmt: skip

    def first(f, t):
        return int(np.argmax(f <= t))

    def weighed(value, gradient, product):
        return lambda calls, k: value * calls[0][k] + gradient * calls[1][k] + product * calls[2][k]

    def slips():
        return mixtures(each, {
            "": first,
            "A loss that meets the target exactly has reached it: at most, not less.":
                lambda f, t: int(np.argmax(f < t)),
            "This is the price one iteration before it arrives.": lambda f, t: first(f, t) - 1,
            "This is the price one iteration later than it arrives.": lambda f, t: first(f, t) + 1,
            "It waits until the loss stays below: take the first time that it is at most the "
            "target.": lambda f, t: int(np.max(np.flatnonzero(f > t), initial=-1)) + 1,
            "This is the last time that the loss is at most the target: take the first.":
                lambda f, t: int(np.max(np.flatnonzero(f <= t))),
            "This is the price of the lowest loss: stop at the target.":
                lambda f, t: int(np.nanargmin(f)),
            "This is the price of the lowest loss, NaN taken for one: stop at the target.":
                lambda f, t: int(np.argmin(f)),
            "This is the whole run's price: stop at the target.": lambda f, t: len(f) - 1,
            "It takes the loss nearest to the target, which may lie above it.":
                lambda f, t: int(np.nanargmin(np.abs(f - t))),
            "The inequality is the other way round: it stops where the loss is above the target.":
                lambda f, t: int(np.argmax(f > t)),
        }, {
            "": weighed(1, 2, 4),
            "It counts iterations: their prices differ, so count passes.": lambda calls, k: k,
            "It counts calls: a value takes one pass, a gradient two, a product four.":
                weighed(1, 1, 1),
            "It counts values alone: gradients and products take passes too.": weighed(1, 0, 0),
            "It counts gradients alone: values and products take passes too.": weighed(0, 2, 0),
            "It leaves out the products with the Hessian, four passes each.": weighed(1, 2, 0),
            "It leaves out the gradients, two passes each.": weighed(1, 0, 4),
            "It leaves out the values, a pass each.": weighed(0, 2, 4),
            "A gradient takes two passes, not three.": weighed(1, 3, 4),
            "A gradient takes two passes, not one.": weighed(1, 1, 4),
            "A product takes four passes, not two.": weighed(1, 2, 2),
            "A product takes four passes, not three.": weighed(1, 2, 3),
            "A product takes four passes, not one.": weighed(1, 2, 1),
            "The weights have changed places: 1 for a value, 2 for a gradient.": weighed(2, 1, 4),
            "The columns count all calls so far: adding them up counts them again.":
                lambda calls, k: sum(w * c[: k + 1].sum() for w, c in zip((1, 2, 4), calls)),
            "The columns count all calls so far: it takes the last iteration's alone.":
                lambda calls, k: sum(w * (c[k] - (c[k - 1] if k else 0))
                                     for w, c in zip((1, 2, 4), calls)),
            "It leaves out what the start had cost, row 0.":
                lambda calls, k: sum(w * (c[k] - c[0]) for w, c in zip((1, 2, 4), calls)),
        })  # fmt: skip

    at_once = np.array([f[0] <= t for t, f, *_ in found])
    right = each(first, weighed(1, 2, 4))
    need(
        same(got, right) or not same(got[~at_once], right[~at_once]),
        "Right, but where the start is at the target already: then its price is that of row 0.",
    )

    def wrong():
        i = np.flatnonzero(~np.isclose(got, right))[0]
        t, f, *calls = found[i]
        k = first(f, t)
        return ("Not yet: of the first row with fun <= target take nfev + 2 njev + 4 nhessp. A run "
                f"is there in row {k}, after {calls[0][k]:g} values, {calls[1][k]:g} gradients and "
                f"{calls[2][k]:g} products, {right[i]:g} passes; yours is {got[i]:g}, "
                f"{whose(got[i], f, calls)}.")  # fmt: skip

    compare(got, right, slips, wrong)
    yield 1 / 2
    for run in runs(rng, arrive=False):
        try:
            what = np.asarray(answer(*run))
        except Hint as hint:
            raise Hint(f"Where the target is never reached: {hint}") from hint
        need(what.shape == () and what.dtype.kind in "biuf",
             "Where the target is never reached, return np.inf: a number; yours is "
             f"{str(what)[:40]}.")  # fmt: skip
        need(what != weighed(1, 2, 4)(run[2:], 0),
             "Where the target is never reached it gives the start's price: argmax of nothing but "
             "False is 0. Return np.inf.")  # fmt: skip
        need(what != weighed(1, 2, 4)(run[2:], -1), "Where the target is never reached it gives "
             "the price of the whole run: as if it had arrived. Return np.inf.")  # fmt: skip
        need(not np.isnan(what), "Where the target is never reached it gives NaN, which is neither "
             "more nor less than any price: return np.inf.")  # fmt: skip
        need(what == np.inf, "Where the target is never reached, return np.inf, not "
             f"{what:g}, {whose(what, run[1], run[2:])}.")  # fmt: skip


def whose(price, fun, calls):
    """Which row of a run has this price."""
    rows = np.flatnonzero(np.dot([1, 2, 4], calls) == price)
    if not len(rows):
        return "the price of no row"
    nan = ", where the loss is NaN, which is not below anything" * bool(np.isnan(fun[rows[0]]))
    return f"the price of row {rows[0]}{nan}"


def arrived(got, target, fun, *calls):
    """The number, of a run that reaches the target."""
    nan = ", though in its last rows the loss is NaN" * bool(np.isnan(fun).any())
    need(not np.array_equal(got, np.inf), "It says np.inf of a run that is at the target in row "
         f"{np.argmax(fun <= target)}{nan}.")  # fmt: skip
    return numbers(got, ())


def bent(rng, signs):
    """A symmetric matrix with eigenvalues of these signs, and what ``eigh`` says of it.

    Where signs differ, the most negative is neither the smallest in size nor the largest.
    """
    n = len(signs)
    sizes = np.r_[1.9, 0.4, rng.uniform(0.9, 1.4, size=n - 3), 3.1]
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    H = (V * (sizes * signs)) @ V.T
    return (H + H.T) / 2, *np.linalg.eigh((H + H.T) / 2)


def direction(found):
    """A Hint where steps are not along the first eigenvector: of each the step, H, w and V."""
    units = [(p / np.linalg.norm(p), *about) for p, *about in found]
    wrong = [case for case in units if not same(abs(case[0] @ case[3][:, 0]), 1.0)]
    others = {
        "eigh's eigenvectors are the columns of its second result: this is a row.":
            lambda w, V: V[0],
        "This is the direction in which the loss bends up most: np.linalg.eigh sorts the "
        "eigenvalues, the lowest first, and eig does not.": lambda w, V: V[:, -1],
        "It takes the eigenvalue that is largest in size: the most negative one is meant.":
            lambda w, V: V[:, np.argmax(np.abs(w))],
        "It takes the eigenvalue that is smallest in size: the most negative one is meant.":
            lambda w, V: V[:, np.argmin(np.abs(w))],
        "It goes along several eigenvectors at once: along that of the most negative eigenvalue "
        "alone the loss bends down most.": lambda w, V: V[:, w < 0].sum(axis=1) / sum(w < 0) ** 0.5,
    }  # fmt: skip
    for hint, other in others.items() if wrong else ():
        need(not all(same(abs(u @ other(w, V)), 1.0) for u, _, w, V in wrong), hint)
    for u, H, w, _ in wrong[:1]:
        bend = u @ H @ u
        need(not all(same(H @ u, (u @ H @ u) * u) for u, H, *_ in wrong), "It goes along an "
             f"eigenvector, but that of the eigenvalue {bend:.3g}, where the most negative is "
             f"{w[0]:.3g}: np.linalg.eig gives them in any order, eigh sorts them.")  # fmt: skip
        need(False, f"Not yet: along this step the loss bends by {bend:.3g}; along the eigenvector "
             f"of H's most negative eigenvalue it bends by {w[0]:.3g}.")  # fmt: skip


def distance(length, radius, w, v):
    """A Hint where a step along the eigenvector v has not the length asked for."""
    wrong = {
        "Its length should be the radius: an eigenvector has length 1.": 1,
        "The eigenvalue does not belong in the length, which is the radius.": abs(w[0]) * radius,
        "Its length should be the radius, not the eigenvalue's size.": abs(w[0]),
        "The length is the root of the sum of squares, not the largest entry.":
            radius / np.abs(v).max(),
        "The length is the root of the sum of squares, not the sum of sizes.":
            radius / np.abs(v).sum(),
    }  # fmt: skip
    for hint, value in wrong.items():
        need(not same(length, value), f"The direction is right. {hint}")
    need(same(length, radius), f"The direction is right. The length should be {radius:.3g}, the "
         f"radius; it is {length:.3g}.")  # fmt: skip


@checker
def check_leave_saddle(answer, rng):
    """``leave_saddle(g, H, radius)``: a step along the most negative curvature, downhill.

    Half of the points for the direction, a quarter for its sign, a quarter for staying at minima.
    """
    n, found = int(rng.integers(5, 8)), []
    one = np.ones(n - 3)
    for signs in ([-1, 1, *-one, 1], [-1, 1, *one, 1], [-1, -1, *one, 1], [-1, -1, *-one, -1]):
        H, w, V = bent(rng, np.array(signs))
        radius, g = rng.uniform(0.2, 0.7), rng.normal(size=n)
        got = numbers(answer(0 * g, H, radius), (n,), "With g = 0: ")
        if not got.any():
            need(w[-1] > 0, "At a maximum, where all eigenvalues are negative, it stays: any way "
                 "leads down from there.")  # fmt: skip
            moved = numbers(answer(g, H, radius), (n,))
            need(not same(abs(moved @ V[:, 0]), radius), "With g = 0 it stays, as np.sign(0) is 0: "
                 "at the saddle itself either sign will do.")  # fmt: skip
            need(not moved.any(), "With g = 0 it stays, as every step does that is made of g: the "
                 "way out is an eigenvector of H.")  # fmt: skip
            need(False, "It stays where H has a negative eigenvalue (eigh sorts them, eig does "
                 "not): its eigenvector leads out.")  # fmt: skip
        found.append((got, H, w, V, radius))
    direction([case[:4] for case in found])
    for got, _, w, V, radius in found:
        distance(np.linalg.norm(got), radius, w, V[:, 0])
    yield 1 / 2
    slopes = []
    for _ in range(10):
        H, w, V = bent(rng, np.r_[-1, 1, one, 1])
        radius, g = rng.uniform(0.2, 0.7), rng.normal(size=n)
        got = numbers(answer(g, H, radius), (n,))
        need(same(abs(got @ V[:, 0]), radius) and same(np.linalg.norm(got), radius),
             "Right where g = 0. Elsewhere too it goes along the eigenvector, for the radius: g "
             "only says which of the two ways.")  # fmt: skip
        slopes.append(g @ got)
    need(np.min(slopes) < 0, "It climbs: of the two ways take the one with gᵀp <= 0.")
    need(np.max(slopes) <= 0, "Which way it goes is chance, for an eigenvector has no sign of its "
         "own: where gᵀp > 0 turn it round.")  # fmt: skip
    yield 3 / 4
    for slope in (0 * g, g):
        H = bent(rng, np.ones(n))[0]
        got = numbers(answer(slope, H, radius), (n,), "Where H has no negative eigenvalue: ")
        need(not got.any(), "Where H has no negative eigenvalue there is no saddle to leave, and "
             "p = 0.")  # fmt: skip
    H, w, _ = bent(rng, np.r_[-0.002, np.ones(n - 1)])
    got = numbers(answer(g, H, radius), (n,))
    need(got.any(), f"It stays where an eigenvalue is {w[0]:.4f}: that little is a way down too.")
