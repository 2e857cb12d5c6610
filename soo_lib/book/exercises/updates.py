"""BFGS's update of the inverse Hessian."""

import numpy as np

from ..hints import Hint, checker, compare, mixtures, need, numbers, same


@checker
def check_bfgs_update(answer, rng):
    """Check ``bfgs_update(H, s, y)``, the new approximation of the inverse Hessian (N&W eq. 6.17).

    Half of the points are for the matrix, half for a pair that must be refused.
    """
    n = int(rng.integers(4, 7))
    s = y = np.ones(n)
    while (s * y).min() >= 0:  # the product of the pair is positive, not each of its terms
        R, Q, s = rng.normal(size=(n, n)), rng.normal(size=(n, n)), rng.normal(size=n)
        H, y = R @ R.T / n + np.eye(n), (Q @ Q.T / n + np.eye(n)) @ s
    right = updated(H, s, y)

    got = numbers(answer(H, s, y), (n, n))
    need(
        not same(got, H), "H has not changed, and the pair's product sᵀy, one number, is positive."
    )
    if not same(got, right):
        compare(got, right, lambda: update_slips(H, s, y), lambda: lacking(got, right, s, y))
    compare(
        answer(H, s / 1000, y / 1000),
        right,
        lambda: {
            "The matrix is right, but the pair of a short step is "
            "refused: there too sᵀy is positive.": H,
        },
        "it is wrong.",
        "Right for a pair. For a thousandth of it: ",
    )
    flat = y - (0.999 * (s @ y) / (s @ s)) * s  # sᵀy is positive, but small
    compare(
        answer(H, s, flat),
        updated(H, s, flat),
        lambda: {
            "The matrix is right, but a pair is refused with sᵀy = "
            f"{s @ flat:.2g}, which is positive, "
            f"where sᵀs is {s @ s:.2g} and yᵀy {flat @ flat:.2g}.": H,
        },
        "it is wrong.",
        "Right for a pair. Where sᵀy is small: ",
    )
    yield 1 / 2
    first, Hs = np.eye(n)[0], H @ s
    other = Hs - (Hs @ s / (s @ s) + Hs @ Hs / (Hs @ s)) / 2 * s  # sᵀy < 0, but sᵀHy > 0
    pairs = ("negative", s, -y), ("negative", s, other), ("0", s - s[0] * first, first)
    for what, step, bad in pairs:
        where = f"The matrix is right. But where sᵀy is {what}: "
        try:
            got = numbers(answer(H, step, bad), (n, n), where)
        except Hint as hint:
            raise Hint(hint if where in str(hint) else f"{where}{hint}") from hint
        need(same(got, H), f"{where}no positive definite matrix maps y to s. Return H as it was.")


def updated(
    H,
    s,
    y,
    rho=lambda s, y: 1 / (s @ y),
    left=lambda r, s, y: -r * np.outer(s, y),
    right=lambda r, s, y: -r * np.outer(y, s),
    last=lambda r, s, y: r * np.outer(s, s),
):
    """Return (I - ρsyᵀ) H (I - ρysᵀ) + ρssᵀ, or what is left of it with something changed."""
    r, eye = rho(s, y), np.eye(len(s))
    return (eye + left(r, s, y)) @ H @ (eye + right(r, s, y)) + last(r, s, y)


def lacking(got, right, s, y):
    """Say which property of the update a matrix lacks first."""
    more = s @ (got - right) @ s / (s @ s) ** 2
    if same(got, right + more * np.outer(s, s)):
        return f"Not yet: right but for the multiple of ssᵀ, which is {abs(more):.4g} too " + (
            "large." if more > 0 else "small."
        )
    if not np.allclose(got, got.T):
        return "Not yet: the new H is not symmetric, and a Hessian's inverse is."
    if not np.allclose(got @ y, s):
        return "Not yet: the new H does not meet the secant equation, Hy = s."
    return (
        "It is symmetric and meets the secant equation, as many matrices do. BFGS's is "
        "(I - ρsyᵀ) H (I - ρysᵀ) + ρssᵀ."
    )


def update_slips(H, s, y):
    """Return the update with one or two things wrong in it, and other people's updates."""
    Hy, Hs, rest, eye, r = H @ y, H @ s, s - H @ y, np.eye(len(s)), 1 / (s @ y)
    sides = {
        "": lambda r, s, y: -r * np.outer(s, y),
        "Left of H stands I - ρsyᵀ, not its transpose.": lambda r, s, y: -r * np.outer(y, s),
        "Left of H the factor I - ρsyᵀ is missing, or it is I alone.": lambda r, s, y: 0.0,
        "Left of H stands I - ρsyᵀ, with a minus.": lambda r, s, y: r * np.outer(s, y),
        "Left of H stands I - ρsyᵀ: ρ is missing there.": lambda r, s, y: -np.outer(s, y),
        "Left of H, s * y is no outer product: np.outer makes the matrix syᵀ.": lambda r, s, y: (
            -r * np.outer(s * y, np.ones(len(s)))
        ),
        "Left of H, s @ y is one number: np.outer makes the matrix syᵀ.": lambda r, s, y: (
            -r * (s @ y)
        ),
    }
    mirrored = {
        hint.replace("Left", "Right")
        .replace("syᵀ", "ysᵀ")
        .replace("s * y", "y * s")
        .replace("s @ y", "y @ s"): lambda r, s, y, part=part: np.transpose(part(r, s, y))
        for hint, part in sides.items()
    }
    found = {
        "Both factors are transposed: left of H stands I - ρsyᵀ, right of it I - ρysᵀ.": updated(
            H,
            s,
            y,
            left=lambda r, s, y: -r * np.outer(y, s),
            right=lambda r, s, y: -r * np.outer(s, y),
        ),
        "s * y is no outer product: np.outer makes the matrices.": updated(
            H, s, y, left=lambda r, s, y: -r * s * y, right=lambda r, s, y: -r * s * y
        ),
        "s @ y and s @ s are one number each: np.outer makes the matrices.": updated(
            H,
            s,
            y,
            left=lambda r, s, y: -1.0,
            right=lambda r, s, y: -1.0,
            last=lambda r, s, y: r * (s @ s),
        ),
        "s * y and s * s are no outer products: np.outer makes the matrices.": updated(
            H,
            s,
            y,
            left=lambda r, s, y: -r * s * y,
            right=lambda r, s, y: -r * s * y,
            last=lambda r, s, y: r * s * s,
        ),
        "The factors and H are multiplied entry by entry: matrices take @.": (
            eye - r * np.outer(s, y)
        )
        * H
        * (eye - r * np.outer(y, s))
        + r * np.outer(s, s),
        "It starts from a multiple of the identity: H is the one that is given.": updated(
            eye * (s @ y) / (y @ y), s, y
        ),
        "It starts from the identity: H is the one that is given.": updated(eye, s, y),
        "This is the inverse of the right matrix: H "
        "approximates the inverse Hessian already.": np.linalg.inv(updated(H, s, y)),
        "In 1 - ρsyᵀ the 1 is added to every entry: np.eye makes the identity.": (
            1 - r * np.outer(s, y)
        )
        @ H
        @ (1 - r * np.outer(y, s))
        + r * np.outer(s, s),
        "Multiplied out, the factors leave a term ρ²(yᵀHy)ssᵀ as well.": H
        + r * np.outer(s, s)
        - r * (np.outer(Hy, s) + np.outer(s, Hy)),
        "Multiplied out, the term with yᵀHy has ρ²: a ρ is missing.": H
        + r * (1 + y @ Hy) * np.outer(s, s)
        - r * (np.outer(Hy, s) + np.outer(s, Hy)),
        "s and y have changed places: H is the inverse's approximation, and maps y to s.": updated(
            H, y, s
        ),
        "This is the update of B, which maps s to y. H is its inverse, and maps y to s.": H
        - np.outer(Hs, Hs) / (s @ Hs)
        + np.outer(y, y) / (s @ y),
        "This is DFP's update of H (Davidon, Fletcher and Powell's), not BFGS's.": H
        - np.outer(Hy, Hy) / (y @ Hy)
        + np.outer(s, s) / (s @ y),
        "This is the symmetric update of rank one, not BFGS's.": H
        + np.outer(rest, rest) / (rest @ y),
        "This is Broyden's update, which is not symmetric.": H + np.outer(rest, y) / (y @ y),
    }
    return found | mixtures(
        lambda *parts: updated(H, s, y, *parts),
        {
            "": lambda s, y: 1 / (s @ y),
            "ρ is one over sᵀy, not sᵀy.": lambda s, y: s @ y,
            "ρ is one over sᵀy, not over yᵀHy.": lambda s, y: 1 / (y @ H @ y),
            "ρ is one over sᵀy, not over yᵀy.": lambda s, y: 1 / (y @ y),
            "ρ is one over sᵀy, not over sᵀs.": lambda s, y: 1 / (s @ s),
            "ρ is one over sᵀy, not over ‖s‖‖y‖.": lambda s, y: (s @ s * (y @ y)) ** -0.5,
            "ρ is missing.": lambda s, y: 1.0,
        },
        sides,
        mirrored,
        {
            "": lambda r, s, y: r * np.outer(s, s),
            "The last term, ρssᵀ, is missing.": lambda r, s, y: 0.0,
            "The last term is added, not subtracted.": lambda r, s, y: -r * np.outer(s, s),
            "The last term is ρssᵀ: ρ is missing there.": lambda r, s, y: np.outer(s, s),
            "The last term is ssᵀ over sᵀy, not times it.": lambda r, s, y: (
                np.outer(s, s) * (s @ y)
            ),
            "The last term is ρssᵀ, not ρyyᵀ.": lambda r, s, y: r * np.outer(y, y),
            "The last term is ρssᵀ, not ρsyᵀ.": lambda r, s, y: r * np.outer(s, y),
            "The last term is ρssᵀ, not ρysᵀ.": lambda r, s, y: r * np.outer(y, s),
            "The last term is ρssᵀ: s @ s is one number, "
            "np.outer makes the matrix.": lambda r, s, y: r * (s @ s),
            "The last term is ρssᵀ: s * s is no outer "
            "product, np.outer makes the matrix.": lambda r, s, y: r * s * s,
        },
    )
