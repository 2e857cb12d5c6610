"""Directions: Newton's, conjugate, and by the two loops."""

import numpy as np

from ..hints import checker, compare, mixtures, need, numbers, same


@checker
def check_newton_step(answer, rng):
    """``newton_step(x, g, H)``, the point that one full Newton step from x leads to (eq. 1)."""
    n = int(rng.integers(4, 7))
    x, g, R = rng.normal(size=n), rng.normal(size=n), rng.normal(size=(n, n))
    H = R @ R.T + 0.1 * np.eye(n)
    p = -np.linalg.solve(H, g)

    def slips():
        return mixtures(lambda step, lead: lead(step), {
            "": p,
            "It multiplies by H. Solve the system H p = -g.": -H @ g,
            "It divides by H's diagonal alone.": -g / np.diag(H),
            "It adds to H's diagonal: a full Newton step takes H as it is.":
                -np.linalg.solve(H + np.eye(n), g),
            "H is missing: this is a gradient step.": -g,
            "Of the two triangular systems one is missing.":
                -np.linalg.solve(np.linalg.cholesky(H), g),
            "Of the two triangular systems the first is missing.":
                -np.linalg.solve(np.linalg.cholesky(H).T, g),
            "1 / H and H**-1 invert entry by entry: solve the system.": -(1 / H) @ g,
            "It solves for x where the system has g.": -np.linalg.solve(H, x),
            "It divides each entry by a sum of H's entries: solve the system.": -g / H.sum(axis=1),
        }, {
            "": lambda step: x + step,
            "It climbs: that is the plus sign of the paper's eq. 5. The step is -H⁻¹g.":
                lambda step: x - step,
            "This is the step. Return the point that it leads to.": lambda step: step,
            "This is H⁻¹g. Return the point x - H⁻¹g.": lambda step: -step,
        })  # fmt: skip

    got = numbers(answer(x, g, H), (n,))
    need(not same(got, x), "It does not move: this is x itself.")
    need(same(got, x + p) or not along(got - x, p),
         "The direction is right, but not the length: a full step is x - H⁻¹g.")  # fmt: skip
    compare(got, x + p, slips, lambda: "Not yet: solve H p = -g, and return x + p. With your p, "
            f"H p + g is not 0: its first entry is {(H @ (got - x) + g)[0]:.3g}.")  # fmt: skip


def along(a, b):
    """Whether a is a positive multiple of b."""
    return same(a / np.linalg.norm(a), b / np.linalg.norm(b))


@checker
def check_polak_ribiere(answer, rng):
    """``polak_ribiere(g, g_old)``: Polak-Ribière's β, at least 0 (N&W eqs 5.44-5.45).

    Half of the points for β where it is positive, half for the 0.
    """
    g, old = rng.normal(size=(2, 12, 5))
    g[::2] = 0.6 * old[::2] + 0.1 * g[::2]  # here β < 0
    g[1::4] = 1.5 * old[1::4] + 0.1 * g[1::4]  # here β > 0, and the two gradients agree
    g[3::4] = 2 * g[3::4] - 0.5 * old[3::4]

    def dot(a, b):
        return np.sum(a * b, axis=1)

    def slips():
        return mixtures(lambda above, below, floor: floor(above / below), {
            "": dot(g, g - old),
            "This is Fletcher and Reeves' β: the numerator should be gᵀ(g - g_old).": dot(g, g),
            "The difference is the other way round: gᵀ(g - g_old).": dot(g, old - g),
            "The numerator is gᵀ(g - g_old), not the difference's square.": dot(g - old, g - old),
            "The difference is multiplied by g, not by g_old.": dot(old, g - old),
            "The two gradients have changed places.": dot(old, old - g),
            "The numerator has the difference of the gradients, not their sum.": dot(g, g + old),
            "The numerator lacks gᵀg.": dot(g, old),
            "0 is for a negative β, not for the negative terms of its sum.":
                dot(np.maximum(g * (g - old), 0), 1),
        }, {
            "": dot(old, old),
            "Divide by the old gradient's square, not the new one's.": dot(g, g),
            "Divide by the square of the old gradient's norm, not by the norm.":
                dot(old, old) ** 0.5,
            "The square root does not belong in the new gradient's norm either.": dot(g, g) ** 0.5,
            "Divide by g_oldᵀg_old; with the difference there it is Hestenes and Stiefel's, or "
            "another's.": dot(old, g - old),
            "Divide by g_oldᵀg_old, not by the difference's square.": dot(g - old, g - old),
            "Divide by g_oldᵀg_old, not by gᵀg_old.": dot(g, old),
            "The denominator g_oldᵀg_old is missing.": np.ones(len(g)),
            "a / g_old @ g_old divides by g_old first, entry by entry: put g_old @ g_old in "
            "brackets.": np.full(len(g), 1 / g.shape[1]),
        }, {
            "": lambda beta: np.maximum(beta, 0),
            "Where it is negative take 0, which restarts the method.": lambda beta: beta,
            "Take 0 where β is negative, not its absolute value.": np.abs,
            "It takes the smaller of β and 0; take the larger.": lambda beta: np.minimum(beta, 0),
            "β may be larger than 1.": lambda beta: np.clip(beta, 0, 1),
            "Where β is negative take 0, not 1.": lambda beta: np.where(beta < 0, 1, beta),
        })  # fmt: skip

    right = np.maximum(dot(g, g - old) / dot(old, old), 0)
    got = np.array([numbers(answer(*pair), ()) for pair in zip(g, old)])
    if same(got[right > 0], right[right > 0]):
        yield 1 / 2

    def wrong():
        i = np.flatnonzero(~np.isclose(got, right))[0]
        return (f"Not yet: where gᵀg is {dot(g, g)[i]:.4g}, gᵀg_old {dot(g, old)[i]:.4g} and "
                f"g_oldᵀg_old {dot(old, old)[i]:.4g}, β is {right[i]:.4g}; yours is "
                f"{got[i]:.4g}.")  # fmt: skip

    compare(got, right, slips, wrong)


@checker
def check_two_loop(answer, rng):
    """``two_loop(g, S, Y)``, the L-BFGS direction; row i of S and Y is pair i, oldest first."""
    k, n = int(rng.integers(3, 5)), int(rng.integers(6, 9))
    g, S, R = rng.normal(size=n), rng.normal(size=(k, n)), rng.normal(size=(n, n))
    Y = S @ (R @ R.T + np.eye(n))
    compare(
        answer(g, S, Y),
        dense(g, S, Y),
        lambda: two_loop_slips(g, S, Y),
        "Not yet: N&W algorithm 7.4. Keep each α of the first loop for the second.",
    )


def dense(g, S, Y, gamma=None):
    """The direction by N&W eq. 7.16: H as a matrix, pair after pair."""
    H = np.eye(len(g)) * ((S[-1] @ Y[-1]) / (Y[-1] @ Y[-1]) if gamma is None else gamma)
    for s, y in zip(S, Y):
        V = np.eye(len(g)) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    return -H @ g


def two_loop_slips(g, S, Y):
    """What the recursion gives with one or two things wrong in it."""
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

    return mixtures(direction, {
        "": lambda s, y: 1 / (s @ y),
        "ρ is one over sᵀy, not sᵀy.": lambda s, y: s @ y,
        "ρ is one over sᵀy, not over yᵀy.": lambda s, y: 1 / (y @ y),
        "ρ is one over sᵀy, not over sᵀs.": lambda s, y: 1 / (s @ s),
        "ρ is missing.": lambda s, y: 1.0,
    }, {
        "": pairs[::-1],
        "The first loop goes from the newest pair to the oldest.": pairs,
        "The first loop leaves out the oldest pair.": pairs[:0:-1],
        "The first loop is missing: from the newest pair on, subtract αy.": (),
    }, {
        "": lambda s, y, q: s @ q,
        "Each α of the first loop is ρ sᵀq with the q of that moment, not sᵀg.":
            lambda s, y, q: s @ g,
        "α is ρ sᵀq, not ρ yᵀq.": lambda s, y, q: y @ q,
        "In the first loop ρ is missing: α is ρ sᵀq.": lambda s, y, q: (s @ q) * (s @ y),
    }, {
        "": lambda s, y: y,
        "The first loop subtracts α y, not α s.": lambda s, y: s,
        "The first loop subtracts α y; it does not add it.": lambda s, y: -y,
        "The first loop never changes q: subtract α y from it.": lambda s, y: 0 * y,
    }, {
        "": lambda q: q * sy / yy,
        "Between the loops multiply by γ = sᵀy / yᵀy of the newest pair.": lambda q: q,
        "γ comes from the newest pair; yours is the oldest pair's.":
            lambda q: q * (S[0] @ Y[0]) / (Y[0] @ Y[0]),
        "γ is sᵀy / yᵀy, not its inverse.": lambda q: q * yy / sy,
        "γ is sᵀy / yᵀy, not sᵀs / sᵀy.": lambda q: q * ss / sy,
        "γ is sᵀy / yᵀy, not sᵀs / yᵀy.": lambda q: q * ss / yy,
        "γ is sᵀy / yᵀy, not sᵀy / sᵀs.": lambda q: q * sy / ss,
        "γ is sᵀy / yᵀy: the denominator is missing.": lambda q: q * sy,
        "γ is sᵀy / yᵀy: the numerator is missing.": lambda q: q / yy,
        "γ multiplies q; the second loop does not start from g.": lambda q: g * sy / yy,
    }, {
        "": pairs,
        "The second loop goes from the oldest pair to the newest.": pairs[::-1],
        "The second loop leaves out the newest pair.": pairs[:-1],
        "The second loop is missing: from the oldest pair on, add (α - β)s.": (),
    }, {
        "": lambda i: i,
        "Each α belongs to its own pair: the second loop meets them in the other order.":
            lambda i: k - 1 - i,
    }, {
        "": lambda s, y, r, begin, q: y @ r,
        "β is ρ yᵀr, not ρ sᵀr.": lambda s, y, r, begin, q: s @ r,
        "In the second loop ρ is missing: β is ρ yᵀr.":
            lambda s, y, r, begin, q: (y @ r) * (s @ y),
        "β is ρ yᵀr with the r of that moment, not ρ yᵀq.": lambda s, y, r, begin, q: y @ q,
        "β is ρ yᵀr with the r of that moment, not the first r.":
            lambda s, y, r, begin, q: y @ begin,
    }, {
        "": lambda a, b: a - b,
        "The second loop adds (α - β)s: β is missing.": lambda a, b: a,
        "The second loop adds (α - β)s: α is missing.": lambda a, b: -b,
        "The second loop adds (α - β)s: the sign is wrong.": lambda a, b: b - a,
        "The second loop adds (α - β)s, not (α + β)s.": lambda a, b: a + b,
    }, {
        "": lambda s, y: s,
        "The second loop adds a multiple of s, not of y.": lambda s, y: y,
    }) | {
        "The pairs are in the wrong order: the newest is the last.": dense(g, S[::-1], Y[::-1]),
        "S and Y have changed places.": dense(g, Y, S),
        "This is steepest descent: the two loops are missing.": -g,
        "It uses the newest pair alone; go through all of them.": dense(g, S[-1:], Y[-1:]),
        "It uses the oldest pair alone; go through all of them.": dense(g, S[:1], Y[:1]),
        "It leaves out the newest pair.": dense(g, S[:-1], Y[:-1]),
        "It leaves out the oldest pair.": dense(g, S[1:], Y[1:]),
        "γ belongs between the loops, not behind them.": dense(g, S, Y, 1) * sy / yy,
    }  # fmt: skip
