"""Directions: Newton's, and a conjugate one."""

import numpy as np

from ..hints import checker, compare, mixtures, need, numbers, same, told


@checker
def check_newton_step(answer, rng):
    """Check ``newton_step(x, g, H)``, the point where one full Newton step from x leads (eq. 1)."""
    n = int(rng.integers(4, 7))
    x, g, R = rng.normal(size=n), rng.normal(size=n), rng.normal(size=(n, n))
    H = R @ R.T + 0.1 * np.eye(n)
    p, (w, V) = -np.linalg.solve(H, g), np.linalg.eigh(H)

    def slips():
        return mixtures(
            lambda step, lead: lead(step),
            {
                "": p,
                "It multiplies by H. Solve the system H p = -g.": -H @ g,
                "It divides by H's diagonal alone.": -g / np.diag(H),
                "It adds to H's diagonal: a full Newton step takes H as it is.": -np.linalg.solve(
                    H + np.eye(n), g
                ),
                "This is a gradient step: H has no part in it.": -g,
                "Of the two triangular systems one is missing.": -np.linalg.solve(
                    np.linalg.cholesky(H), g
                ),
                "Of the two triangular systems the first is missing.": -np.linalg.solve(
                    np.linalg.cholesky(H).T, g
                ),
                (
                    "The second triangular system has the first one's "
                    "matrix: it should be the transpose."
                ): -np.linalg.solve(np.linalg.cholesky(H) @ np.linalg.cholesky(H), g),
                "1 / H and H**-1 invert entry by entry: solve the system.": -(1 / H) @ g,
                "It solves for x where the system has g.": -np.linalg.solve(H, x),
                "It solves for x - g where the system has g.": np.linalg.solve(H, x - g) - x,
                "It divides by the roots of H's eigenvalues.": -V @ (V.T @ g / np.sqrt(w)),
                "It takes H's upper triangle alone.": -np.linalg.solve(np.triu(H), g),
                "It takes H's lower triangle alone.": -np.linalg.solve(np.tril(H), g),
                "It takes V for Vᵀ: the eigenvectors are the columns of V.": -V.T @ (V @ g / w),
                "It divides each entry by a sum of H's entries: solve the system.": -g
                / H.sum(axis=1),
            },
            {
                "": lambda step: x + step,
                (
                    "The sign is that of the paper's eq. 5, which climbs: the step is -H⁻¹g."
                ): lambda step: x - step,
                "This is the step. Return the point that it leads to.": lambda step: step,
                "This is minus the step. Return the point x - H⁻¹g.": lambda step: -step,
            },
        )

    got = numbers(answer(x, g, H), (n,))
    need(not same(got, x), "It does not move: this is x itself.")
    need(
        same(got, x + p) or not along(got - x, p),
        lambda: (
            "The direction is right, but not the length: it goes "
            f"{np.linalg.norm(got - x) / np.linalg.norm(p):.4g} "
            "times as far as the full step, -H⁻¹g."
        ),
    )

    def rest():
        need(
            not along(got - x, -g) and not along(got - x, g),
            "It goes along the gradient: H turns the step as well.",
        )
        step = got - x
        Hp = H @ step
        mu = -step @ (Hp + g) / (step @ step)
        need(
            not same(Hp + mu * step, -g),
            f"It adds {mu:.3g} to H's diagonal: a full Newton step takes H as it is.",
        )
        i = np.abs(Hp + g).argmax()
        return (
            "Not yet: solve H p = -g, and return x + p. With your point less x for p, entry "
            f"{i} of H p is {Hp[i]:.5g}, and that of -g is {-g[i]:.5g}."
        )

    compare(got, x + p, slips, rest)


def along(a, b):
    """Is a a positive multiple of b?"""
    return same(a / np.linalg.norm(a), b / np.linalg.norm(b))


@checker
def check_polak_ribiere(answer, rng):
    """Check ``polak_ribiere(g, g_old)``, Polak-Ribière's β but at least 0 (N&W eqs 5.44-5.45).

    Half of the points are for β where it is positive, half for the 0.
    """
    g, old = rng.normal(size=(2, 12, 5))
    g[1::2] = 0.6 * old[1::2] + 0.1 * g[1::2]  # here β < 0
    g[::4] = 1.5 * old[::4] + 0.1 * g[::4]  # here β > 0, and the two gradients agree
    g[2::4] *= -2 * np.sign(np.sum(g * old, axis=1))[2::4, None]  # and here they do not
    g[0] = 1.02 * old[0]  # a small β is one too
    g[6] *= 0.1  # β > 0, though the new gradient is the shorter one

    def dot(a, b):
        return np.sum(a * b, axis=1)

    def slips():
        return mixtures(
            lambda above, below, floor: floor(above / below),
            {
                "": dot(g, g - old),
                "The numerator is Fletcher and Reeves'; it should be gᵀ(g - g_old).": dot(g, g),
                "The difference is the other way round: gᵀ(g - g_old).": dot(g, old - g),
                "The numerator is gᵀ(g - g_old), not the difference's square.": dot(
                    g - old, g - old
                ),
                "The difference is multiplied by g, not by g_old.": dot(old, g - old),
                "In the numerator the two gradients have changed places.": dot(old, old - g),
                "The numerator has the difference of the gradients, not their sum.": dot(
                    g, g + old
                ),
                "The numerator is gᵀ(g - g_old), not gᵀg_old.": dot(g, old),
                "0 is for a negative β, not for the negative terms of its sum.": dot(
                    np.maximum(g * (g - old), 0), 1
                ),
            },
            {
                "": dot(old, old),
                "Divide by the old gradient's square, not the new one's.": dot(g, g),
                "Divide by the square of the old gradient's norm, not by the norm.": dot(old, old)
                ** 0.5,
                "Divide by g_oldᵀg_old, not by the new gradient's norm.": dot(g, g) ** 0.5,
                "Divide by g_oldᵀg_old; with the difference there it is Hestenes and Stiefel's, or "
                "another's.": dot(old, g - old),
                "Divide by g_oldᵀg_old, not by the difference's square.": dot(g - old, g - old),
                "Divide by g_oldᵀg_old, not by gᵀg_old.": dot(g, old),
                "The denominator g_oldᵀg_old is missing.": np.ones(len(g)),
                "a / g_old @ g_old divides by g_old first, entry by entry: put g_old @ g_old in "
                "brackets.": np.full(len(g), 1 / g.shape[1]),
            },
            {
                "": lambda beta: np.maximum(beta, 0),
                "Where it is negative take 0, which restarts the method.": lambda beta: beta,
                "Take 0 where β is negative, not its absolute value.": np.abs,
                "It takes the smaller of β and 0; take the larger.": lambda beta: np.minimum(
                    beta, 0
                ),
                "β may be larger than 1.": lambda beta: np.clip(beta, 0, 1),
                "Where β is negative take 0, not 1.": lambda beta: np.where(beta < 0, 1, beta),
            },
        ) | {
            "It divides entry by entry, and adds then: divide one sum by the other.": np.maximum(
                dot(g, (g - old) / old**2), 0
            ),
            "The division is upside down: g_oldᵀg_old is the denominator.": np.maximum(
                dot(old, old) / dot(g, g - old), 0
            ),
            "It divides gᵀg_old alone: put the numerator in brackets.": np.maximum(
                dot(g, g) - dot(g, old) / dot(old, old), 0
            ),
        }

    right = np.maximum(dot(g, g - old) / dot(old, old), 0)
    got, positive = right.copy(), right > 0
    for where, those in ("", positive), ("Where β is negative: ", ~positive):
        with told(where):
            got[those] = [numbers(answer(*pair), ()) for pair in zip(g[those], old[those])]
        if those is positive and same(got[those], right[those]):
            yield 1 / 2
    need(np.ptp(got), f"It gives {got[0]:.4g} for all of twelve pairs of gradients.")

    def wrong():
        i = (np.abs(got - right) / (right + 0.1)).argmax()
        return (
            f"Not yet: where gᵀg is {dot(g, g)[i]:.4g}, gᵀg_old {dot(g, old)[i]:.4g} and "
            f"g_oldᵀg_old {dot(old, old)[i]:.4g}, β is {right[i]:.4g}; yours is "
            f"{got[i]:.4g}."
        )

    compare(got, right, slips, wrong)
