"""The L-BFGS direction, by its two loops."""

import numpy as np

from ..hints import checker, compare, mixtures, probe, reproduced, same


@checker
def check_two_loop(answer, rng):
    """Check ``two_loop(g, S, Y)``, the L-BFGS direction.

    Row i of S and of Y is pair i, the oldest first.
    """
    k, n = int(rng.integers(3, 5)), int(rng.integers(6, 9))
    g, S, R = rng.normal(size=n), rng.normal(size=(k, n)), rng.normal(size=(n, n))
    Y = S @ (R @ R.T + np.eye(n))

    def fewer():
        """In words with how many pairs it is wrong."""
        for j in range(1, k):
            got = probe(answer, (n,), g, S[-j:], Y[-j:])
            if got is not None and not same(got, dense(g, S[-j:], Y[-j:])):
                break
        else:
            return f"Not yet: with fewer pairs no fault shows, but with {k} it is wrong."
        good = f"right with {j - 1} pair{'s' * (j > 2)}" if j > 1 else "N&W algorithm 7.4"
        i = np.abs(got - (right := dense(g, S[-j:], Y[-j:]))).argmax()
        return (
            f"Not yet: {good}; with {j} pair{'s' * (j > 1)} entry {i} of -Hg should be "
            f"{right[i]:.6g}, and it is {got[i]:.6g}."
        )

    compare(
        answer(g, S, Y),
        dense(g, S, Y),
        lambda: reproduced(answer, two_loop_slips, (g, S, Y), (g + 1, S[1:], Y[1:])),
        fewer,
    )
    compare(
        answer(g, S / 100, Y / 100),
        dense(g, S, Y),
        dict,
        "it is wrong.",
        "Right, but for pairs a hundredth as long, which give the same H: ",
    )


def dense(g, S, Y, gamma=None):
    """Return the direction by N&W eq. 7.16, with H as a matrix, pair after pair."""
    H = np.eye(len(g)) * ((S[-1] @ Y[-1]) / (Y[-1] @ Y[-1]) if gamma is None else gamma)
    for s, y in zip(S, Y):
        V = np.eye(len(g)) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    return -H @ g


def two_loop_slips(g, S, Y):
    """Return what the recursion gives with one or two things wrong in it, by their hints."""
    pairs, k = range(len(S)), len(S)
    sy, yy, ss = S[-1] @ Y[-1], Y[-1] @ Y[-1], S[-1] @ S[-1]

    def direction(rho, first, alpha, down, start, second, mate, beta, weight, up):
        q, alphas = g.copy(), dict.fromkeys(pairs, 0.0)
        for i in first:
            alphas[i] = rho(S[i], Y[i]) * alpha(S[i], Y[i], q)
            q = q - alphas[i] * down(S[i], Y[i])
        r = begin = start(q)
        for i in second:
            b = rho(S[i], Y[i]) * beta(S[i], Y[i], r, begin, q)
            r = r + weight(alphas[mate(i)], b) * up(S[i], Y[i])
        return -r

    return mixtures(
        direction,
        {
            "": lambda s, y: 1 / (s @ y),
            "ρ is one over sᵀy, not sᵀy.": lambda s, y: s @ y,
            "ρ is one over sᵀy, not over yᵀy.": lambda s, y: 1 / (y @ y),
            "ρ is one over sᵀy, not over sᵀs.": lambda s, y: 1 / (s @ s),
            "ρ is missing.": lambda s, y: 1.0,
            "Each pair has a ρ of its own; yours is the newest pair's in all.": lambda s, y: 1 / sy,
        },
        {
            "": pairs[::-1],
            "The first loop goes from the newest pair to the oldest.": pairs,
            "The first loop leaves out the oldest pair.": pairs[:0:-1],
            "The first loop leaves out the newest pair.": pairs[-2::-1],
            "The first loop is missing, never runs or leaves q as it is: from the newest pair on, "
            "subtract αy.": (),
        },
        {
            "": lambda s, y, q: s @ q,
            (
                "Each α of the first loop is ρ sᵀq with the q of that moment, not sᵀg."
            ): lambda s, y, q: s @ g,
            "α is ρ sᵀq, not ρ yᵀq.": lambda s, y, q: y @ q,
            "In the first loop ρ is missing: α is ρ sᵀq.": lambda s, y, q: (s @ q) * (s @ y),
            "In the first loop ρ is one over sᵀy, not sᵀy.": lambda s, y, q: (s @ q) * (s @ y) ** 2,
        },
        {
            "": lambda s, y: y,
            "The first loop subtracts α y, not α s.": lambda s, y: s,
            "The first loop subtracts α y; it does not add it.": lambda s, y: -y,
            "The first loop never changes q: subtract α y from it.": lambda s, y: 0 * y,
        },
        {
            "": lambda q: q * sy / yy,
            "Between the loops multiply by γ = sᵀy / yᵀy of the newest pair.": lambda q: q,
            "The second loop starts from γq, not from 0.": lambda q: 0 * q,
            "γ comes from the newest pair; yours is the oldest pair's.": lambda q: (
                q * (S[0] @ Y[0]) / (Y[0] @ Y[0])
            ),
            "γ is sᵀy / yᵀy, not its inverse.": lambda q: q * yy / sy,
            "γ is sᵀy / yᵀy, not sᵀs / sᵀy.": lambda q: q * ss / sy,
            "γ is sᵀy / yᵀy, not sᵀs / yᵀy.": lambda q: q * ss / yy,
            "γ is sᵀy / yᵀy, not sᵀy / sᵀs.": lambda q: q * sy / ss,
            "γ is sᵀy / yᵀy: the denominator is missing.": lambda q: q * sy,
            "γ is sᵀy / yᵀy: the numerator is missing.": lambda q: q / yy,
            "γ multiplies q; the second loop does not start from g.": lambda q: g * sy / yy,
        },
        {
            "": pairs,
            "The second loop goes from the oldest pair to the newest.": pairs[::-1],
            "The second loop leaves out the newest pair.": pairs[:-1],
            "The second loop leaves out the oldest pair.": pairs[1:],
            "The second loop is missing, never runs or leaves r as it is: from the oldest pair on, "
            "add (α - β)s.": (),
        },
        {
            "": lambda i: i,
            "Each α belongs to its own pair: after a first loop from the newest to the oldest, the "
            "second meets them in reverse.": lambda i: k - 1 - i,
            (
                "Each α belongs to its own pair: the second loop has the oldest pair's in all."
            ): lambda i: 0,
        },
        {
            "": lambda s, y, r, begin, q: y @ r,
            "β is ρ yᵀr, not ρ sᵀr.": lambda s, y, r, begin, q: s @ r,
            "In the second loop ρ is missing: β is ρ yᵀr.": lambda s, y, r, begin, q: (
                (y @ r) * (s @ y)
            ),
            "In the second loop ρ is one over sᵀy, not sᵀy.": lambda s, y, r, begin, q: (
                (y @ r) * (s @ y) ** 2
            ),
            "β is ρ yᵀr with the r of that moment, not ρ yᵀq.": lambda s, y, r, begin, q: y @ q,
            "β is ρ yᵀr with the r of that moment, not the first r.": lambda s, y, r, begin, q: (
                y @ begin
            ),
        },
        {
            "": lambda a, b: a - b,
            "The second loop adds (α - β)s: β is missing.": lambda a, b: a,
            "The second loop adds (α - β)s: α is missing.": lambda a, b: -b,
            "The second loop adds (α - β)s: the sign is wrong.": lambda a, b: b - a,
            "The second loop adds (α - β)s, not (α + β)s.": lambda a, b: a + b,
        },
        {
            "": lambda s, y: s,
            "The second loop adds a multiple of s, not of y.": lambda s, y: y,
        },
    ) | {
        "The pairs are in the wrong order: the newest is the last.": dense(g, S[::-1], Y[::-1]),
        "S and Y have changed places.": dense(g, Y, S),
        "This is steepest descent: the two loops are missing.": -g,
        "It uses the newest pair alone; go through all of them.": dense(g, S[-1:], Y[-1:]),
        "It uses the oldest pair alone; go through all of them.": dense(g, S[:1], Y[:1]),
        "It leaves out the newest pair.": dense(g, S[:-1], Y[:-1]),
        "γ is the newest pair's; yours is the mean of all pairs' γ.": dense(
            g, S, Y, np.mean(np.sum(S * Y, axis=1) / np.sum(Y * Y, axis=1))
        ),
        "It is multiplied by γ before or behind the loops too: between them is enough.": dense(
            g, S, Y
        )
        * sy
        / yy,
        "γ belongs between the loops, not before or behind them.": dense(g, S, Y, 1) * sy / yy,
    }
