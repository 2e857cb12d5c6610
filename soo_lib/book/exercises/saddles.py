"""The way out of a saddle."""

import numpy as np

from ..hints import checker, need, numbers, same


def bent(rng, signs):
    """Return a symmetric matrix with eigenvalues of these signs, and its ``eigh``.

    Where signs differ, the most negative is neither the smallest in size nor the largest.
    """
    n = len(signs)
    sizes = np.r_[1.9, 0.4, rng.uniform(0.9, 1.4, size=n - 3), 3.1]
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    H = (V * (sizes * signs)) @ V.T
    return (H + H.T) / 2, *np.linalg.eigh((H + H.T) / 2)


def direction(found):
    """Raise a Hint where steps are not along the first eigenvector.

    ``found`` has of each the step, H, w and V.
    """
    units = [(p / np.linalg.norm(p), *about) for p, *about in found]
    wrong = [case for case in units if not same(abs(case[0] @ case[3][:, 0]), 1.0)]
    others = {
        "eigh's eigenvectors are the columns of its second result: this is a row.": lambda w, V: V[
            0
        ],
        (
            "It goes along the eigenvector of the eigenvalue "
            "largest in size: take the most negative."
        ): lambda w, V: V[:, np.argmax(np.abs(w))],
        "This is the direction in which the loss bends up most, that of the largest eigenvalue: "
        "the most negative is the first that np.linalg.eigh gives.": lambda w, V: V[:, -1],
        (
            "It goes along the eigenvector of the eigenvalue "
            "smallest in size: take the most negative."
        ): lambda w, V: V[:, np.argmin(np.abs(w))],
        "It goes along several eigenvectors at once: along that of the most negative eigenvalue "
        "alone the loss bends down most.": lambda w, V: V[:, w < 0].sum(axis=1) / sum(w < 0) ** 0.5,
    }
    unsorted = [np.linalg.eig(H)[1].real.T for _, H, *_ in units]  # its columns, as rows
    for place in (0, -1) if wrong else ():
        need(
            not all(same(abs(u @ V[place]), 1.0) for (u, *_), V in zip(units, unsorted)),
            "np.linalg.eig gives eigenvalues in any order: eigh sorts them, the lowest first.",
        )
    for hint, other in others.items() if wrong else ():
        need(not all(same(abs(u @ other(w, V)), 1.0) for u, _, w, V in wrong), hint)
    for u, H, w, _ in wrong[:1]:
        bend = u @ H @ u
        need(
            not all(same(H @ u, (u @ H @ u) * u) for u, H, *_ in wrong),
            "It goes along an "
            f"eigenvector, but that of the eigenvalue {bend:.3g}, where the most negative is "
            f"{w[0]:.3g}.",
        )
        need(
            False,
            f"Not yet: along this step the loss bends by {bend:.6g}; along the eigenvector "
            f"of H's most negative eigenvalue it bends by {w[0]:.6g}.",
        )


def distance(length, radius, w, v):
    """Raise a Hint where a step along the eigenvector v does not have the length asked for."""
    wrong = {
        "Its length should be the radius: an eigenvector has length 1.": 1,
        "The eigenvalue does not belong in the length, which is the radius.": abs(w[0]) * radius,
        "Its length should be the radius, not the eigenvalue's size.": abs(w[0]),
        "The length is the root of the sum of squares, not the largest entry.": radius
        / np.abs(v).max(),
        "The length is the root of the sum of squares, not the sum of sizes.": radius
        / np.abs(v).sum(),
    }
    for hint, value in wrong.items():
        need(not same(length, value), f"The direction is right. {hint}")
    need(
        same(length, radius),
        f"The direction is right. The length should be {radius:.8g}, the "
        f"radius; it is {length:.8g}.",
    )


@checker
def check_leave_saddle(answer, rng):
    """Check ``leave_saddle(g, H, radius)``, a step downhill along the most negative curvature.

    Half of the points are for the direction, a quarter for its sign, and a quarter for staying at
    minima.
    """
    n, found = int(rng.integers(5, 8)), []
    one = np.ones(n - 3)
    for signs in ([-1, 1, *-one, 1], [-1, 1, *one, 1], [-1, -1, *one, 1], [-1, -1, *-one, -1]):
        H, w, V = bent(rng, np.array(signs))
        radius, g = rng.uniform(0.2, 0.7), rng.normal(size=n)
        got = numbers(answer(0 * g, H, radius), (n,), "With g = 0: ")
        if not got.any():
            need(
                w[-1] > 0,
                "At a maximum, where all eigenvalues are negative, it stays: any way "
                "leads down from there.",
            )
            moved = numbers(answer(g, H, radius), (n,))
            need(
                not same(abs(moved @ V[:, 0]), radius),
                "With g = 0 it stays: gᵀv is 0, but at the saddle itself either sign will do.",
            )
            u = moved / max(np.linalg.norm(moved), 1e-300)
            need(
                not same(abs(u @ V[:, 0]), 1.0),
                "With g = 0 it stays. Elsewhere it goes along "
                f"the eigenvector, but for a length of {np.linalg.norm(moved):.6g} where the "
                f"radius is {radius:.6g}: g says which of the two ways, no more.",
            )
            bend = u @ H @ u
            need(
                not moved.any() or not same(H @ u, bend * u),
                "With g = 0 it stays, where either "
                f"sign will do. Elsewhere it goes along the eigenvector of {bend:.3g}, where the "
                f"most negative eigenvalue is {w[0]:.3g}.",
            )
            need(
                not moved.any(),
                "With g = 0 it stays, as every step does that is made of g or "
                "multiplied by what is 0 with it: an eigenvector of H leads out.",
            )
            need(
                False,
                f"It stays where H has the eigenvalues {w.round(2)}: the eigenvector of "
                "the most negative leads out.",
            )
        found.append((got, H, w, V, radius))
    direction([case[:4] for case in found])
    for got, _, w, V, radius in found:
        distance(np.linalg.norm(got), radius, w, V[:, 0])
    yield 1 / 2
    slopes = []
    for k in range(20):
        H, w, V = bent(rng, np.r_[-1, 1 - k % 4 // 2 * 2, one, 1])
        radius, g = rng.uniform(0.2, 0.7), rng.normal(size=n) * (1e-5 if k % 2 else 1)
        got = numbers(answer(g, H, radius), (n,))
        need(
            same(abs(got @ V[:, 0]), radius) and same(np.linalg.norm(got), radius),
            "Right where g = 0. Elsewhere too it should go along the eigenvector of the most "
            "negative eigenvalue, for the radius: g only says which of the two ways.",
        )
        slopes.append(g @ got)
    need(np.min(slopes) < 0, "It climbs: of the two ways take the one with gᵀp <= 0.")
    need(
        np.max(slopes[::2]) <= 0,
        f"In {sum(np.array(slopes[::2]) > 0)} of 10 problems it climbs: "
        "an eigenvector has no sign of its own; where gᵀp > 0 turn it round.",
    )
    need(
        np.max(slopes) <= 0,
        f"Right but where g is small: gᵀp is {np.max(slopes):.2g} for one "
        "such step, and the sign of that counts too.",
    )
    yield 3 / 4
    for slope in (0 * g, g):
        H = bent(rng, np.ones(n))[0]
        got = numbers(answer(slope, H, radius), (n,), "Where H has no negative eigenvalue: ")
        need(
            not got.any(),
            "Where H has no negative eigenvalue there is no saddle to leave, and p = 0.",
        )
    H, w, _ = bent(rng, np.r_[-0.002, np.ones(n - 1)])
    got = numbers(answer(g, H, radius), (n,))
    need(got.any(), f"It stays where an eigenvalue is {w[0]:.4f}: that little is a way down too.")
