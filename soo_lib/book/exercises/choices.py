"""The price of a run: an open exercise's automatic part."""

import numpy as np

from ..hints import checker, compare, mixtures, need, numbers, same, told

KINDS = "falls", "falls", "meets", "returns", "overflows", "at once"


def runs(rng, arrive, kinds=KINDS):
    """Yield runs as on record: a target, the losses, and the calls so far.

    A few of them rise on their way. Where not ``arrive``, no loss reaches the target.
    """
    for kind in rng.permutation(kinds):
        k = int(rng.integers(16, 22))
        fun = 10.0 * 0.7 ** (np.arange(k) + rng.uniform(0.1, 0.4, size=k))
        first = 0 if kind == "at once" else int(rng.integers(4, 8))
        above = fun[first - 1] - fun[first] if first else fun[0]
        target = fun[first] + (
            0 if kind == "meets" else 0.9 * above
        )  # it lies nearer to the loss before
        fun[-1] *= 1.7  # the lowest loss is not the last
        if kind == "returns":
            fun[first + 1 : k // 2 + 1] = (
                1.5 * target
            )  # a search by halving goes on from the middle
        elif kind == "leaves":
            fun[-1] = 1.5 * target  # and ends above it
        elif kind == "overflows":
            fun[[2, -2, -1]] = np.nan
        if not arrive:
            target = 0.5 * np.nanmin(fun)
        steps = [rng.integers(1, most, size=k) for most in (4, 3, 9)]
        # No two prices of a run are alike, nor is a price anywhere a number of calls.
        yield (float(target), fun, *(np.cumsum(step).astype(float) for step in steps))


@checker
def check_price_to_reach(answer, rng):
    """Check ``price_to_reach(target, fun, nfev, njev, nhessp)``.

    It returns how many passes a run takes until its loss is at most the target. Half of the points
    are for runs that arrive, half for runs that never do.
    """
    found = sorted(runs(rng, arrive=True), key=lambda run: np.isnan(run[1]).any())
    got = np.array([arrived(answer(*run), *run) for run in found])

    def each(which, price):
        """Return the price of each run at the place that ``which`` finds."""
        return np.array(
            [price(calls, min(max(which(f, t), 0), len(f) - 1)) for t, f, *calls in found]
        )

    def first(f, t):
        return int(np.argmax(f <= t))

    def weighed(value, gradient, product):
        return lambda calls, k: value * calls[0][k] + gradient * calls[1][k] + product * calls[2][k]

    def slips():
        return mixtures(
            each,
            {
                "": first,
                "A loss that meets the target exactly has "
                "reached it: at most, not less.": lambda f, t: int(np.argmax(f < t)),
                "This is the price one iteration before it arrives.": lambda f, t: first(f, t) - 1,
                "This is the price one iteration later than it arrives.": lambda f, t: (
                    first(f, t) + 1
                ),
                "This is the price of the row from which on the loss "
                "stays below: take the first time "
                "that it is at most the target.": lambda f, t: (
                    int(np.max(np.flatnonzero(f > t), initial=-1)) + 1
                ),
                "It leaves out the losses that are NaN, and so "
                "counts other rows than nfev does.": lambda f, t: first(f[~np.isnan(f)], t),
                "This is the last time that the loss is at "
                "most the target: take the first.": lambda f, t: int(
                    np.max(np.flatnonzero(f <= t))
                ),
                "This is the price of the lowest loss: stop at the target.": lambda f, t: int(
                    np.nanargmin(f)
                ),
                "This is the price of the lowest loss, NaN taken "
                "for one: stop at the target.": lambda f, t: int(np.argmin(f)),
                "This is the whole run's price: stop at the target.": lambda f, t: len(f) - 1,
                "It stops at a loss above the target, the nearest to it.": lambda f, t: int(
                    np.nanargmin(np.abs(f - t))
                ),
                "This is the price of row 0 of every run, as if "
                "any loss were at most the target.": lambda f, t: 0,
            },
            {
                "": weighed(1, 2, 4),
                "It counts iterations: their prices differ, so count passes.": lambda calls, k: k,
                "It counts calls: a value takes one pass, a gradient two, a product four.": weighed(
                    1, 1, 1
                ),
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
                "The weights have changed places: 1 for a value, 2 for a gradient.": weighed(
                    2, 1, 4
                ),
                "The weights have changed places: 2 for a gradient, 4 for a product.": weighed(
                    1, 4, 2
                ),
                "The columns count all calls so far: adding "
                "them up counts them again.": lambda calls, k: sum(
                    w * c[: k + 1].sum() for w, c in zip((1, 2, 4), calls)
                ),
                "The columns count all calls so far: it "
                "adds those of the rows before.": lambda calls, k: sum(
                    w * c[:k].sum() for w, c in zip((1, 2, 4), calls)
                ),
                "The columns count all calls so far: it takes "
                "the last iteration's alone.": lambda calls, k: sum(
                    w * (c[k] - (c[k - 1] if k else 0)) for w, c in zip((1, 2, 4), calls)
                ),
                "It leaves out what the start had cost, row 0.": lambda calls, k: sum(
                    w * (c[k] - c[0]) for w, c in zip((1, 2, 4), calls)
                ),
            },
        )

    at_once = np.array([f[0] <= t for t, f, *_ in found])
    right = each(first, weighed(1, 2, 4))
    need(
        same(got, right) or not same(got[~at_once], right[~at_once]),
        "Right, but where the start is at the target already: then its price is that of row 0.",
    )

    def wrong():
        off = np.flatnonzero(~np.isclose(got, right))
        rowless = [i for i in off if "no row" in whose(got[i], found[i][1], found[i][2:])]
        i = (rowless or off)[0]  # a row may have that price by chance
        t, f, *calls = found[i]
        k = first(f, t)
        return (
            "Not yet: of the first row with fun <= target take nfev + 2 njev + 4 nhessp. A run "
            f"is there in row {k}, after {calls[0][k]:g} values, {calls[1][k]:g} gradients and "
            f"{calls[2][k]:g} products, {right[i]:g} passes; yours is {got[i]:g}, "
            f"{whose(got[i], f, calls)}."
        )

    compare(got, right, slips, wrong)
    t, f, *calls = next(runs(rng, True, ["falls"]))
    run = t, *(column[: first(f, t) + 1] for column in (f, *calls))
    need(
        same(arrived(answer(*run), *run), weighed(1, 2, 4)(calls, first(f, t))),
        "Wrong where a run is at the target in its last row: that row counts too.",
    )
    t, f, *calls = run = next(runs(rng, True, ["leaves"]))
    need(
        same(arrived(answer(*run), *run), weighed(1, 2, 4)(calls, first(f, t))),
        "Wrong where a run that was at the target ends above it: take the first time.",
    )
    yield 1 / 2
    for run in runs(rng, arrive=False):
        with told("Where the target is never reached: "):
            what = np.asarray(answer(*run))
        need(
            what.shape == () and what.dtype.kind in "biuf",
            "Where the target is never reached, return np.inf: a number; yours is "
            f"{str(what)[:40]}.",
        )
        need(
            what != weighed(1, 2, 4)(run[2:], 0),
            "Where the target is never reached it gives the start's price, as argmax of nothing "
            "but False would. Return np.inf.",
        )
        need(
            what != weighed(1, 2, 4)(run[2:], -1),
            "Where the target is never reached it gives "
            "the price of the whole run: as if it had arrived. Return np.inf.",
        )
        need(
            not np.isnan(what),
            "Where the target is never reached it gives NaN, which is neither "
            "more nor less than any price: return np.inf.",
        )
        need(
            what == np.inf,
            "Where the target is never reached, return np.inf, not "
            f"{what:g}, {whose(what, run[1], run[2:])}.",
        )


def whose(price, fun, calls):
    """Say in words which row of a run has this price."""
    rows = np.flatnonzero(np.dot([1, 2, 4], calls) == price)
    if not len(rows):
        return "the price of no row"
    nan = ", where the loss is NaN, which is not below anything" * bool(np.isnan(fun[rows[0]]))
    return f"the price of row {rows[0]}{nan}"


def arrived(got, target, fun, *calls):
    """Return the price of a run that reaches the target, as a number."""
    nan = ", though in other rows the loss is NaN" * bool(np.isnan(fun).any())
    nan += ", its last" * bool((fun[:-1] > target).all())
    nan += ", and ends above it" * bool(fun[-1] > target)
    need(
        not np.array_equal(got, np.inf),
        f"It says np.inf of a run that is at the target in row {np.argmax(fun <= target)}{nan}.",
    )
    return numbers(got, ())
