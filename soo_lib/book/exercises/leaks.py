"""Rows that were seen before."""

import numpy as np

from ..hints import checker, need, numbers


@checker
def check_leaked_rows(answer, rng):
    """Check ``leaked_rows(X_train, X_dev)``, the numbers of the dev rows that are in train too."""
    m, n = int(rng.integers(38, 46)), 6
    train = rng.integers(0, 6, size=(m, n)) + rng.choice([0.25, 0.5], size=(m, n))
    train[4:7] = train[1:4]  # rows that occur twice in train
    near = train[rng.choice(m, 10, replace=False)].copy()  # alike but for one entry, by little
    near[np.arange(10), np.arange(10) % n] += 10.0 ** -np.arange(1, 11)
    true = train[np.r_[1, rng.choice(np.arange(7, m - 1), 4, replace=False)]]
    mixed = rng.permuted(train[:6], axis=1)  # the same entries in another order
    new = rng.integers(0, 6, size=(4, n)) + 0.125
    drawn = rng.choice(train.ravel(), (4, n))  # entries that train has, in rows that it has not
    level = np.r_[1, -1, 0 * train[0, 2:]], np.r_[train[9, 1], -train[9, 0], 0 * train[0, 2:]]
    drawn = np.r_[drawn, train[8:10] + level]  # one has a row's sum, one its product with the row
    dev = np.r_[true, true[:2], near, near[:2], mixed, drawn, new, new[:2]]  # some twice in dev
    dev = np.r_[train[-1:], rng.permutation(dev), train[:1]]  # no loop may leave out an end

    equal = dev[:, None] == train
    match = equal.all(axis=2)
    leaks = np.flatnonzero(match.any(axis=1))
    got = numbers(answer(train, dev), None)
    need(
        got.shape != (len(dev),) or not np.isin(got, (0, 1)).all(),
        "Return the leaks' numbers, not a mark a row: np.flatnonzero.",
    )
    need(
        got.shape != (m,) or not np.isin(got, (0, 1)).all(),
        "It marks the rows of train; return the numbers of the rows of dev.",
    )
    need(got.ndim != 2 or got.shape[1] != n, "Return the numbers of the rows, not the rows.")
    need(got.ndim != 2 or 2 not in got.shape, "Return the numbers in dev alone, not pairs.")
    need(got.ndim == 1, f"Return a list of row numbers; yours has the shape {got.shape}.")
    found = set(got)

    def once(rows):  # of rows that are equal, the first or the last
        return {int(i) for i in np.unique(rows, axis=0, return_index=True)[1]}

    twice = {i for i in range(len(dev)) if (dev == dev[i]).all(axis=1).sum() > 1}
    again = {i for i in range(len(dev)) if (dev[:i] == dev[i]).all(axis=1).any()}
    close = np.isclose(dev[:, None], train).all(axis=2).any(axis=1)
    sums = np.isclose(dev.sum(axis=1)[:, None], train.sum(axis=1)).any(axis=1)
    ordered = (np.sort(dev)[:, None] == np.sort(train)).all(axis=2).any(axis=1)
    same_place = [i for i in range(min(m, len(dev))) if (dev[i] == train[i]).all()]
    first = {int(leaks[(dev[leaks] == row).all(axis=1)][0]) for row in dev[leaks]}
    last = {int(leaks[(dev[leaks] == row).all(axis=1)][-1]) for row in dev[leaks]}
    in_train = set(np.flatnonzero(match.any(axis=0)))
    slips = {
        "It names the rows of train; return the numbers of the rows of dev.": in_train,
        "It names rows of train, the first that match; return the numbers of the rows of dev.": set(
            match.argmax(axis=1)[leaks]
        ),
        "It names rows of train, the last that match; return the numbers of the rows of dev.": set(
            m - 1 - match[:, ::-1].argmax(axis=1)[leaks]
        ),
        "It names every row of dev, as if each were looked for in dev.": set(range(len(dev))),
        "It names every row of train: go through dev, and look for its rows in train.": set(
            range(m)
        ),
        "It names the rows that do not leak.": set(range(len(dev))) - set(leaks),
        "It names the rows that occur twice within dev; a leak is a row of train.": twice,
        "It names the rows that occur twice within dev besides the leaks.": twice | set(leaks),
        "It names rows that repeat an earlier row of dev besides the leaks; a leak is a row of "
        "train.": again | set(leaks),
        "It leaves out leaks that occur twice in dev: each is one.": set(leaks) - twice,
        "It leaves out leaks that occur twice in train: each is one.": set(
            np.flatnonzero(match.sum(axis=1) == 1)
        ),
        "Of a leak that occurs twice in dev it names the first alone.": first,
        "Of a leak that occurs twice in dev it names the last alone.": last,
        "A row counts only if all its entries agree: any where all is meant.": set(
            np.flatnonzero(equal.any(axis=2).any(axis=1))
        ),
        "Each entry is looked for somewhere in train: a whole row must agree with one row.": set(
            np.flatnonzero(np.isin(dev, train).all(axis=1))
        ),
        (
            "Each entry is looked for in its column of train: a whole row must agree with one row."
        ): set(np.flatnonzero(equal.any(axis=1).all(axis=1))),
        "It takes rows that are merely close: all entries must agree exactly.": set(
            np.flatnonzero(close)
        ),
        "It takes rows that have the sum, or mean, of a row of train.": set(np.flatnonzero(sums)),
        "It takes rows that have the sum of a row of train, digit for digit: compare entries.": set(
            np.flatnonzero(np.isin(dev.sum(axis=1), train.sum(axis=1)))
        ),
        "It takes rows that have the same entries in another order.": set(np.flatnonzero(ordered)),
        "It compares each row of dev with the row of train of the same number alone: compare with "
        "every row.": set(same_place),
    }
    need(found != {i + 1 for i in leaks}, "It counts the rows from 1: the first is row 0.")
    if found != set(leaks):
        for hint, rows in slips.items():
            need(found != rows or not rows, hint)
    wrong, missed = sorted(found - set(leaks)), sorted(set(leaks) - found)
    need(not wrong or wrong[0] >= 0, lambda: f"Row {wrong[0]:g} is none of dev's.")
    need(not wrong or wrong[-1] < len(dev), lambda: f"Row {wrong[-1]:g} is none of dev's.")
    need(not wrong, lambda: max(describe(dev[int(i)], train, i) for i in wrong)[1])
    need(
        not missed,
        lambda: (
            f"It misses {len(missed)} of {len(leaks)} leaks: row {missed[0]} of "
            f"dev is row {match[missed[0]].argmax()} of train's {m}."
        ),
    )
    need(np.array_equal(got, leaks), "Give each row once, in ascending order.")
    none = numbers(answer(train, new), None)
    need(
        not none.size,
        lambda: (
            f"Right but where no row leaks: it returns {none}, and should "
            "return no number, as in an empty list."
        ),
    )


def describe(row, train, number):
    """Say by how much, and in words how, a row that was named differs from those of train."""
    differ, off = (train != row).sum(axis=1), np.abs(train - row)
    nearest = np.lexsort((off.max(axis=1), differ))[0]
    most = off[nearest].max()
    return most, (
        f"It names row {number:g} of dev, which is not in train: in row {nearest} of "
        f"train, the most alike, {differ[nearest]} of {len(row)} entries differ, entry "
        f"{off[nearest].argmax()} by {most:.1g}."
    )
