"""What gradients tell of a quadratic: conjugate gradients, and BFGS's update."""

import numpy as np

from ..hints import Hint, checker, compare, mixtures, need, numbers, probe, same


@checker
def check_conjugate_gradients(answer, rng):
    """``conjugate_gradients(A, b, x, steps)``, the point that it comes to (N&W algorithm 5.2)."""
    n = int(rng.integers(5, 8))
    R, b, x = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)
    A = R @ R.T / n + np.eye(n)

    got = numbers(answer(A, b, x, 3), (n,))
    need(not same(got, x), "It does not move: this is x itself.")
    need(not same(got, np.linalg.solve(A, b)),
         "This solves Ax = b at once. After 3 steps of more the method is not there yet.")
    compare(got, linear_cg(A, b, x, 3), lambda: cg_slips(A, b, x, 3) | {
        "It starts from 0: start from the x that is given.": linear_cg(A, b, 0 * x, 3),
        "This is the way from x. Return the point that it leads to.": linear_cg(A, b, x, 3) - x,
    }, lambda: stray(answer, A, b, x))  # fmt: skip
    for steps, what in ((n, "n steps should end at the minimum"), (1, "one step is wrong")):
        compare(answer(A, b, x, steps), linear_cg(A, b, x, steps), dict,
                f"Three steps are right, but {what}: how often does the loop run?")  # fmt: skip


def stray(answer, A, b, x):
    """In words the first of three steps that goes wrong, by its α and β."""
    points = [linear_cg(A, b, x, k) for k in range(4)]
    moves, gs = np.diff(points, axis=0), [A @ point - b for point in points]
    ps = [p * (g @ g) / -(p @ g) for p, g in zip(moves, gs)]  # for pᵀg is -gᵀg
    for k, name in enumerate(("first", "second", "third")):
        got = probe(answer, x.shape, A, b, x, k + 1)
        if got is None or same(got, points[k + 1]):
            continue
        basis, moved = np.transpose([-gs[k], *ps[max(k - 1, 0) : k]]), got - points[k]
        alpha, *rest = parts = np.linalg.lstsq(basis, moved, rcond=None)[0]
        right = moves[k] @ ps[k] / (ps[k] @ ps[k])
        said = f"Not yet: the {name} of the steps is wrong."
        if not alpha or not same(basis @ parts, moved):
            return f"{said} It is no multiple of {'-g + βp' if k else '-g'}, with g = Ax - b."
        if k and not np.isclose(rest[0] / alpha, beta := gs[k] @ gs[k] / (gs[k - 1] @ gs[k - 1])):
            return (f"{said} In -g + βp it has β = {rest[0] / alpha:.4g}, where gᵀg / g_oldᵀg_old "
                    f"is {beta:.4g}.")  # fmt: skip
        return (f"{said} Its direction is right, but it has α = {alpha:.4g}, where gᵀg / pᵀAp is "
                f"{right:.4g}.")  # fmt: skip
    return "Not yet, though from the start one, two and three steps are right."


def linear_cg(A, b, x, steps, gradient=lambda A, b, x: A @ x - b,
              alpha=lambda A, g, p: g @ g / (p @ A @ p),
              beta=lambda g, old, p: g @ g / (old @ old),
              turn=lambda g, old, beta, p: -g + beta * p, fresh=True):  # fmt: skip
    """Conjugate gradients, or what is left of it with something changed."""
    g = gradient(A, b, x)
    p = -g
    for _ in range(steps):
        x = x + alpha(A, g, p) * p
        old, g = g, gradient(A, b, x) if fresh else g
        p = turn(g, old, beta(g, old, p), p)
    return x


def cg_slips(A, b, x, steps):
    """What the method gives with one or two things wrong in it."""

    def run(count, *parts):
        with np.errstate(all="ignore"):
            point = linear_cg(A, b, x, count, *parts)
        return np.nan_to_num(point, nan=0.0, posinf=0.0, neginf=0.0)  # it may diverge

    return mixtures(run, {
        "": steps,
        "It takes one step too few.": steps - 1,
        "It takes one step too many.": steps + 1,
        "It takes one step and stops.": 1,
        "It takes n steps, whatever `steps` says.": len(x),
    }, {
        "": lambda A, b, x: A @ x - b,
        "The gradient is Ax - b: b is missing.": lambda A, b, x: A @ x,
        "The gradient is Ax - b, not Ax + b.": lambda A, b, x: A @ x + b,
        "It goes along +g, which climbs: p starts as -g, with g = Ax - b.":
            lambda A, b, x: b - A @ x,
    }, {
        "": lambda A, g, p: g @ g / (p @ A @ p),
        "α is gᵀg over pᵀAp, not over gᵀAg.": lambda A, g, p: g @ g / (g @ A @ g),
        "α is gᵀg over pᵀAp, not over pᵀp.": lambda A, g, p: g @ g / (p @ p),
        "The numerator of α is gᵀg, not pᵀp.": lambda A, g, p: p @ p / (p @ A @ p),
        "α is positive: gᵀg, or -gᵀp, over pᵀAp.": lambda A, g, p: g @ p / (p @ A @ p),
        "α is positive: gᵀg over pᵀAp.": lambda A, g, p: -(g @ g) / (p @ A @ p),
        "α is gᵀg over pᵀAp; the division is upside down.":
            lambda A, g, p: (p @ A @ p) / (g @ g),
        "The step has a fixed length: α is gᵀg over pᵀAp.": lambda A, g, p: 1.0,
        "α is gᵀg over pᵀAp: a factor ½ is too much.": lambda A, g, p: g @ g / (p @ A @ p) / 2,
        "The numerator of α is gᵀg: it has the norm without the square.":
            lambda A, g, p: np.sqrt(g @ g) / (p @ A @ p),
    }, {
        "": lambda g, old, p: g @ g / (old @ old),
        "This is steepest descent: β is missing.": lambda g, old, p: 0.0,
        "β is the new square over the old one, not the old over the new.":
            lambda g, old, p: old @ old / (g @ g),
        "β is the quotient of the squares, not of the norms.":
            lambda g, old, p: np.sqrt(g @ g / (old @ old)),
        "β is positive.": lambda g, old, p: -(g @ g) / (old @ old),
        "β is 1: it should be gᵀg / g_oldᵀg_old.": lambda g, old, p: 1.0,
        "β divides by g_oldᵀg_old, not by pᵀp.": lambda g, old, p: g @ g / (p @ p),
        "Both gradients of β are the new one's: keep the old one before it changes.":
            lambda g, old, p: g @ old / (g @ old),
    }, {
        "": lambda g, old, beta, p: -g + beta * p,
        "The new direction is -g + βp; it has +g.": lambda g, old, beta, p: g + beta * p,
        "The direction is bent by the direction before, not by the gradient before.":
            lambda g, old, beta, p: -g + beta * old,
        "The direction before is multiplied by β, the gradient is not.":
            lambda g, old, beta, p: beta * (p - g),
        "The gradient in the new direction must be the one at the new point.":
            lambda g, old, beta, p: -old + beta * p,
        "The new direction lacks -g.": lambda g, old, beta, p: beta * p,
        "The direction never changes: p = -g + βp after each step.":
            lambda g, old, beta, p: p,
    }, {
        "": True,
        "The gradient must be computed anew after each step.": False,
    })  # fmt: skip


@checker
def check_bfgs_update(answer, rng):
    """``bfgs_update(H, s, y)``, the new approximation of the inverse Hessian (N&W eq. 6.17).

    Half of the points for the matrix, half for a pair that must be refused.
    """
    n = int(rng.integers(4, 7))
    s = y = np.ones(n)
    while (s * y).min() >= 0:  # the product of the pair is positive, not each of its terms
        R, Q, s = rng.normal(size=(n, n)), rng.normal(size=(n, n)), rng.normal(size=n)
        H, y = R @ R.T / n + np.eye(n), (Q @ Q.T / n + np.eye(n)) @ s
    right = updated(H, s, y)

    got = numbers(answer(H, s, y), (n, n))
    need(not same(got, H), "H has not changed, and the pair's product sᵀy, one number, is "
         "positive.")  # fmt: skip
    if not same(got, right):
        compare(got, right, lambda: update_slips(H, s, y), lacking(got, s, y))
    compare(answer(H, s / 100, y / 100), right, lambda: {
        "The matrix is right, but the pair of a short step is refused: there too sᵀy is positive.":
            H,
    }, "Right for a pair, but not for a hundredth of it.")  # fmt: skip
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


def updated(H, s, y, rho=lambda s, y: 1 / (s @ y), left=lambda r, s, y: -r * np.outer(s, y),
            right=lambda r, s, y: -r * np.outer(y, s), last=lambda r, s, y: r * np.outer(s, s)):
    """(I - ρsyᵀ) H (I - ρysᵀ) + ρssᵀ, or what is left of it with something changed."""
    r, eye = rho(s, y), np.eye(len(s))
    return (eye + left(r, s, y)) @ H @ (eye + right(r, s, y)) + last(r, s, y)


def lacking(got, s, y):
    """The first property of the update that a matrix lacks."""
    if not np.allclose(got, got.T):
        return "Not yet: the new H is not symmetric, and a Hessian's inverse is."
    if not np.allclose(got @ y, s):
        return "Not yet: the new H does not meet the secant equation, Hy = s."
    return ("It is symmetric and meets the secant equation, as many matrices do. BFGS's is "
            "(I - ρsyᵀ) H (I - ρysᵀ) + ρssᵀ.")  # fmt: skip


def update_slips(H, s, y):
    """What the update gives with one or two things wrong in it, and other people's updates."""
    Hy, Hs, rest, eye, r = H @ y, H @ s, s - H @ y, np.eye(len(s)), 1 / (s @ y)
    sides = {
        "": lambda r, s, y: -r * np.outer(s, y),
        "Left of H stands I - ρsyᵀ, not its transpose.": lambda r, s, y: -r * np.outer(y, s),
        "Left of H the factor I - ρsyᵀ is missing.": lambda r, s, y: 0.0,
        "Left of H stands I - ρsyᵀ, with a minus.": lambda r, s, y: r * np.outer(s, y),
        "Left of H, s * y is no outer product: np.outer makes the matrix syᵀ.":
            lambda r, s, y: -r * np.outer(s * y, np.ones(len(s))),
        "Left of H, s @ y is one number: np.outer makes the matrix syᵀ.":
            lambda r, s, y: -r * (s @ y),
    }  # fmt: skip
    mirrored = {
        hint.replace("Left", "Right").replace("syᵀ", "ysᵀ").replace("s * y", "y * s")
        .replace("s @ y", "y @ s"): lambda r, s, y, part=part: np.transpose(part(r, s, y))
        for hint, part in sides.items()
    }  # fmt: skip
    found = {
        "Both factors are transposed: left of H stands I - ρsyᵀ, right of it I - ρysᵀ.":
            updated(H, s, y, left=lambda r, s, y: -r * np.outer(y, s),
                    right=lambda r, s, y: -r * np.outer(s, y)),
        "s * y is no outer product: np.outer makes the matrices.":
            updated(H, s, y, left=lambda r, s, y: -r * s * y, right=lambda r, s, y: -r * s * y),
        "s @ y and s @ s are one number each: np.outer makes the matrices.":
            updated(H, s, y, left=lambda r, s, y: -1.0, right=lambda r, s, y: -1.0,
                    last=lambda r, s, y: r * (s @ s)),
        "s * y and s * s are no outer products: np.outer makes the matrices.":
            updated(H, s, y, left=lambda r, s, y: -r * s * y, right=lambda r, s, y: -r * s * y,
                    last=lambda r, s, y: r * s * s),
        "The factors and H are multiplied entry by entry: matrices take @.":
            (eye - r * np.outer(s, y)) * H * (eye - r * np.outer(y, s)) + r * np.outer(s, s),
        "It starts from a multiple of the identity: H is the one that is given.":
            updated(eye * (s @ y) / (y @ y), s, y),
        "It starts from the identity: H is the one that is given.": updated(eye, s, y),
        "This is the inverse of the right matrix: H approximates the inverse Hessian already.":
            np.linalg.inv(updated(H, s, y)),
        "In 1 - ρsyᵀ the 1 is added to every entry: np.eye makes the identity.":
            (1 - r * np.outer(s, y)) @ H @ (1 - r * np.outer(y, s)) + r * np.outer(s, s),
        "Multiplied out, the factors leave a term ρ²(yᵀHy)ssᵀ as well.":
            H + r * np.outer(s, s) - r * (np.outer(Hy, s) + np.outer(s, Hy)),
        "Multiplied out, the term with yᵀHy has ρ²: a ρ is missing.":
            H + r * (1 + y @ Hy) * np.outer(s, s) - r * (np.outer(Hy, s) + np.outer(s, Hy)),
        "s and y have changed places: H is the inverse's approximation, and maps y to s.":
            updated(H, y, s),
        "This is the update of B, which maps s to y. H is its inverse, and maps y to s.":
            H - np.outer(Hs, Hs) / (s @ Hs) + np.outer(y, y) / (s @ y),
        "This is DFP's update of H (Davidon, Fletcher and Powell's), not BFGS's.":
            H - np.outer(Hy, Hy) / (y @ Hy) + np.outer(s, s) / (s @ y),
        "This is the symmetric update of rank one, not BFGS's.":
            H + np.outer(rest, rest) / (rest @ y),
        "This is Broyden's update, which is not symmetric.": H + np.outer(rest, y) / (y @ y),
    }  # fmt: skip
    return found | mixtures(lambda *parts: updated(H, s, y, *parts), {
        "": lambda s, y: 1 / (s @ y),
        "ρ is one over sᵀy, not sᵀy.": lambda s, y: s @ y,
        "ρ is one over sᵀy, not over yᵀy.": lambda s, y: 1 / (y @ y),
        "ρ is one over sᵀy, not over sᵀs.": lambda s, y: 1 / (s @ s),
        "ρ is one over sᵀy, not over ‖s‖‖y‖.": lambda s, y: (s @ s * (y @ y)) ** -0.5,
        "ρ is missing.": lambda s, y: 1.0,
    }, sides, mirrored, {
        "": lambda r, s, y: r * np.outer(s, s),
        "The last term, ρssᵀ, is missing.": lambda r, s, y: 0.0,
        "The last term is added, not subtracted.": lambda r, s, y: -r * np.outer(s, s),
        "The last term is ρssᵀ: ρ is missing there.": lambda r, s, y: np.outer(s, s),
        "The last term is ssᵀ over sᵀy, not times it.": lambda r, s, y: np.outer(s, s) / r,
        "The last term is ρssᵀ, not ρyyᵀ.": lambda r, s, y: r * np.outer(y, y),
        "The last term is ρssᵀ, not ρsyᵀ.": lambda r, s, y: r * np.outer(s, y),
        "The last term is ρssᵀ: s @ s is one number, np.outer makes the matrix.":
            lambda r, s, y: r * (s @ s),
    })  # fmt: skip
