"""Rows: which to look at, and how many at a time."""

import itertools
from functools import cache

import numpy as np

from ..hints import checker, mixtures, need, numbers, probe, same


@checker
def check_choose_rows(answer, rng):
    """Check ``choose_rows(iteration, m, size, hold, seed)``, a sampler for L-BFGS to work with."""
    for m, size, hold in ((61, 20, 5), (59, 16, 3)):  # some m > size * hold
        seed = int(rng.integers(1000))

        def rows(iteration, seed=seed, m=m, size=size, hold=hold):
            said = answer(iteration, m, size, hold, seed)
            got = numbers(said, None)
            need(
                got.shape != (m,) or not np.isin(got, (0, 1)).all(),
                "Return the rows' numbers, not a mark a row.",
            )
            got = numbers(
                got,
                (size,),
                f"In iteration {iteration}, for m = {m}, size = {size} and hold = {hold}: ",
            )
            need(np.isin(got, np.arange(m)).all(), f"Rows are whole numbers from 0 to {m - 1}.")
            need(len(set(got)) == size, "A row occurs twice in one batch.")
            kind = np.asarray(said).dtype
            need(kind.kind in "iu", f"Rows are of type int, not {kind}, which X[rows] refuses.")
            return set(got)

        need(
            rows(0) == rows(0),
            "Asked twice for one iteration, it gives other rows: a line search "
            "would compare two functions. Make a generator from the seed in every call.",
        )
        batches = [rows(i * hold) for i in range(70)]
        for k in (0, 1):
            before, _, after = rows(k), rows(9 * hold), rows(k)
            need(
                before == after,
                f"It remembers: iteration {k} gives other rows after iteration "
                f"{9 * hold} was asked for. The arguments alone decide.",
            )
        held = all(rows(i * hold + j) == batches[i] for i in range(3) for j in range(1, hold))
        need(
            held or any(rows(k) != rows(hold + k) for k in range(hold)),
            "Its rows come again after `hold` iterations, as with the remainder iteration % hold; "
            "the number of a block of iterations is iteration // hold.",
        )
        new = [] if held else [k for k in range(1, 3 * hold + 4) if rows(k) != rows(k - 1)]
        early = " before `hold` iterations are over" * (new[:1] < [hold])
        need(
            held,
            f"The rows change{early}: with hold = {hold} they should in iterations {hold}, "
            f"{2 * hold} and {3 * hold}, and yours do in {', '.join(map(str, new[:3]))}. Within a "
            "block y should be the difference of one function's gradients.",
        )
        few = f": they are always 0 to {size - 1}, of m = {m}" * (batches[0] == set(range(size)))
        different = len({*map(frozenset, batches)})
        need(different > 1, f"The rows stay the same after `hold` iterations{few}.")
        need(
            2 * len({pattern(batch, m) for batch in batches}) > different,
            "Its batches are one pattern of rows moved along the data, which may be sorted: draw "
            "them at random.",
        )
        need(
            different > 40,
            f"In 70 blocks there are only {different} different batches: draw "
            "another one for each block.",
        )
        need(
            rows(0) == batches[0],
            "It remembers: iteration 0 gives other rows after later ones were asked for.",
        )
        fixed = [i for i in range(5) if batches[i] == rows(i * hold, seed + 1)]
        need(len(fixed) < 5, "The seed changes nothing.")
        need(
            not fixed,
            lambda fixed=fixed, hold=hold: (
                f"In iteration {fixed[0] * hold} the seed changes nothing."
            ),
        )
        need(
            rows(0) != rows(0, seed + m),
            f"The seeds {seed} and {seed + m}, of which the one is "
            f"larger by m = {m}, give the same rows.",
        )
        never = sorted(set(range(m)) - set.union(*batches))
        need(
            not never,
            f"In 70 batches {len(never)} of {m} rows are never drawn, row "
            f"{min(never, default=0)} for one: draw from all m.",
        )
        times, row = max((sum(row in batch for batch in batches), row) for row in range(m))
        need(
            times < 140 * size / m,
            f"Of 70 batches {times} have row {row}, where chance gives "
            f"about {70 * size / m:.0f}: draw from all rows alike.",
        )
        stay = np.mean([len(old & new) for old, new in itertools.pairwise(batches)])
        need(
            stay < (size**2 / m + size) / 2,
            f"From one batch to the next {stay:.3g} of {size} "
            f"rows stay, where chance keeps {size**2 / m:.2g}: draw all of them anew.",
        )


def pattern(batch, m):
    """Return the gaps from row to row, round the end of the data, whichever comes first.

    Batches that are moved round the data have the same gaps.
    """
    gaps = np.diff(sorted(batch) + [min(batch) + m])
    return min(tuple(np.roll(gaps, k)) for k in range(len(gaps)))


@checker
def check_batch_size(answer, rng):
    """Check ``batch_size(G, theta)``, the smallest b with (1/b - 1/m) S² <= θ² ‖g‖².

    Half of the points are for batches much smaller than the data, half for batches of any size.
    """

    def cases(m, sizes):
        """Yield gradients, one in each row, and θ such that a certain b is the smallest."""
        shares = rng.permutation(np.linspace(0.15, 0.95, len(sizes)))
        if sizes[-1] == m:  # there m and m - 1 give the same, so the least goes there
            shares = np.roll(shares, -1 - shares.argmin())
        for b, below in zip(sizes, shares):
            G = rng.normal(size=(m, 5)) * rng.uniform(0.5, 3, size=5) + rng.normal(size=5)
            G *= 10 ** rng.uniform(-1, 1)  # a lost square shows
            noise, g = G.var(axis=0, ddof=1).sum(), G.mean(axis=0)
            yield G, float(np.sqrt((1 / (b - below) - 1 / m) * noise / (g @ g))), b

    small = list(cases(900, range(1, 10)))
    large = [*cases(60, (8, 15, 20, 24, 29, 33, 38, 44, 52, 60)), *cases(12, range(4, 8))]
    for problems, share in ((small, 1 / 2), (large, 1)):
        got = np.array([numbers(answer(G, theta), ()) for G, theta, _ in problems])
        if not same(got, [float(b) for *_, b in problems]):
            more = [probe(answer, (), *case[:2]) for case in large] if share < 1 else []
            if None not in more:  # so that no slip fits by chance
                got, problems = np.r_[got, more], problems + large * (share < 1)
            blame(got, np.array([b for *_, b in problems], float), problems, share)
        yield share
    G = np.array([3.0, 0.0]) + 1.5 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])  # no rounding
    b = numbers(answer(G, 0.5), ())
    need(
        b == 1,
        f"Right but where the bound is met exactly: (1/1 - 1/4) S² is θ²‖g‖², both 2.25, "
        f"so b = 1 will do; yours is {b:g}.",
    )


def blame(got, right, problems, share):
    """Raise the Hint for batch sizes that are not right."""
    need(not same(got, np.maximum(right, 2)), "Right but where a row is enough: there it gives 2.")
    across = [G.mean(axis=1, keepdims=True) for G, *_ in problems]  # g along the wrong axis

    def along(axis):  # with m the rows, or the columns
        noise = [np.sum((G - g) ** 2) / (G.shape[axis] - 1) for (G, *_), g in zip(problems, across)]
        return [
            np.ceil(S / (theta**2 * np.sum(g * g) + S / G.shape[axis]))
            for (G, theta, _), g, S in zip(problems, across, noise)
        ]

    across = same(got, along(0)) or same(got, along(1))
    axis = "The mean over the rows is that over axis 0, not 1."
    need(not across or not np.ptp(got), axis)
    columns = ", the number of G's columns," * int(got[0] == problems[0][0].shape[1])
    need(
        np.ptp(got[:9]),
        f"It gives {got[0]:g}{columns} for all of nine problems, of which each "
        "asks for another number of rows.",
    )

    rows = np.array([len(G) for G, *_ in problems])

    @cache  # each is in a hundred mixtures
    def noises(noise):
        return np.array([noise(G) for G, *_ in problems])

    @cache
    def bounds(signal):
        return np.array([signal(theta, G.mean(axis=0)) for G, theta, _ in problems])

    def each(noise, signal, formula, whole):
        return whole(formula(noises(noise), bounds(signal), rows))

    slips = {
        "g is the mean over the rows, not their sum.": each(
            lambda G: np.sum((G - G.sum(axis=0)) ** 2) / (len(G) - 1),
            lambda theta, g: theta**2 * (g @ g),
            lambda S, bound, m: S / (m**2 * bound + S / m),
            np.ceil,
        ),
    } | mixtures(
        each,
        {
            "": lambda G: G.var(axis=0, ddof=1).sum(),
            "S² divides by m - 1, not by m: numpy's var does so with ddof=1.": lambda G: G.var(
                axis=0
            ).sum(),
            "S² is the sum over the columns, the squared "
            "length of g_i - g: not their mean.": lambda G: G.var(axis=0, ddof=1).mean(),
            "S² is the sum over the columns, divided by m - "
            "1: not the mean of all entries.": lambda G: G.var(axis=0).mean(),
            "This is the variance of all entries of G together: "
            "each column has a mean of its own.": lambda G: G.var(ddof=1),
            "This is the variance of all entries of G together: each "
            "column has a mean of its own, and "
            "m - 1 divides.": lambda G: G.var(),
            "S² is the sum of the columns' variances: it adds "
            "what two columns have in common too.": lambda G: np.cov(G.T).sum(),
            "S² measures the distance from the mean g, which "
            "is not subtracted from each row.": lambda G: (G * G).sum() / (len(G) - 1),
            "S² is missing its square: it adds standard deviations.": lambda G: G.std(
                axis=0, ddof=1
            ).sum(),
            "S² adds the squared distances ‖g_i - g‖²: it adds the distances.": lambda G: (
                np.linalg.norm(G - G.mean(axis=0), axis=1).sum() / (len(G) - 1)
            ),
            "S² adds the squared distances ‖g_i - g‖²: it "
            "squares the sum of the distances.": lambda G: (
                np.linalg.norm(G - G.mean(axis=0), axis=1).sum() ** 2 / (len(G) - 1)
            ),
            "S² adds the columns' variances: it squares the "
            "sum of their standard deviations.": lambda G: G.std(axis=0, ddof=1).sum() ** 2,
            "This is the root of S².": lambda G: G.var(axis=0, ddof=1).sum() ** 0.5,
            "S² is a mean over the rows, and yours a sum: divide by m - 1.": lambda G: (
                len(G) * G.var(axis=0).sum()
            ),
            "S² is a sum over m - 1: without brackets / m - 1 "
            "divides by m, and subtracts 1.": lambda G: G.var(axis=0).sum() - 1,
        },
        {
            "": lambda theta, g: theta**2 * (g @ g),
            "θ is squared in the bound: both sides are squares.": lambda theta, g: theta * (g @ g),
            "‖g‖ is squared in the bound: both sides are squares.": lambda theta, g: (
                theta**2 * np.linalg.norm(g)
            ),
            "θ and ‖g‖ are squared in the bound: both sides are squares.": lambda theta, g: (
                theta * np.linalg.norm(g)
            ),
            "θ is missing in the bound.": lambda theta, g: g @ g,
            "‖g‖² is missing in the bound: the error is measured against it.": lambda theta, g: (
                theta**2
            ),
            "g is the mean over the rows: its squared "
            "length, not the mean of squares.": lambda theta, g: theta**2 * (g @ g) / len(g),
        },
        {
            "": lambda S, bound, m: S / (bound + S / m),
            "The batch holds rows of m without any "
            "twice: the term 1/m is missing.": lambda S, bound, m: S / bound,
            "The batch holds rows of m without any twice: cutting at m is not enough, the term 1/m "
            "belongs in the solution.": lambda S, bound, m: np.minimum(S / bound, m),
            "The term 1/m has the wrong sign: solve "
            "(1/b - 1/m) S² = θ²‖g‖² for b.": lambda S, bound, m: S / (bound - S / m),
            "In 1/m stands the number of rows: it has that of the columns.": lambda S, bound, m: (
                S / (bound + S / 5)
            ),
            "The quotient is upside down: more noise "
            "asks for a larger batch.": lambda S, bound, m: bound / S,
        },
        {
            "": np.ceil,
            "One too few, as from rounding down: round up, for the bound must hold.": np.floor,
            "Round up: to the nearest is too small half of the time.": np.round,
            "A number of rows is whole: round up.": lambda b: b,
            "One too many: round up, and no more.": lambda b: np.ceil(b) + 1,
        },
    )
    for hint, value in slips.items():
        need(not same(got, value), hint)
    off = int(np.flatnonzero(~np.isclose(got, right))[0])
    (G, theta, b), mine = problems[off], got[off]
    m, noise, g = len(G), G.var(axis=0, ddof=1).sum(), G.mean(axis=0)
    where = "" if share < 1 else "Right where the batch is small beside m. "
    need(mine % 1 == 0, f"{where}A number of rows is whole: yours is {mine:.4g}.")
    need(1 <= mine <= m, f"{where}A batch has from 1 to m rows: of {m}, yours has {mine:g}.")
    error = np.sqrt((1 / mine - 1 / m) * noise / (g @ g))
    said = "too few" if mine < b else "more than it takes"
    need(
        False,
        f"{where}With m = {m}, θ = {theta:.5g}, S² = {noise:.4g} and ‖g‖² = {g @ g:.4g}, "
        f"a batch of {mine:g} is {said}: its error is {error:.5g} of ‖g‖, and {b} is the smallest "
        "number that does.",
    )
