"""Conjugate gradients on a quadratic."""

import numpy as np

from ..hints import checker, compare, mixtures, need, numbers, probe, reproduced, same


@checker
def check_conjugate_gradients(answer, rng):
    """Check ``conjugate_gradients(A, b, x, steps)``, the point it comes to (N&W algorithm 5.2)."""
    n = int(rng.integers(5, 8))
    R, b, x = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)
    A = R @ R.T / n + np.eye(n)

    got = numbers(answer(A, b, x, 3), (n,))
    need(not same(got, x), "It does not move: this is x itself.")
    need(
        not same(got, np.linalg.solve(A, b)),
        f"This is the solution of Ax = b. After 3 of {n} steps the method is not there yet.",
    )
    compare(
        got,
        linear_cg(A, b, x, 3),
        lambda: reproduced(answer, cg_slips, (A, b, x, 3), (A, b, x + 1, 2)),
        lambda: stray(answer, A, b, x),
    )
    for steps, what in ((n, "n, which should end at the minimum"), (1, "one")):
        compare(
            answer(A, b, x, steps),
            linear_cg(A, b, x, steps),
            dict,
            "it is wrong. How often does the loop run?",
            f"Three steps are right. With {what}: ",
        )


def stray(answer, A, b, x):
    """Say in words which of three steps is the first to go wrong, by its α and β."""
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
        if not moved.any():
            return f"{said} It stays where it is."
        for j in range(1, len(x) + 1):
            need(not same(got, linear_cg(A, b, x, j)), f"Asked for {k + 1}, it goes {j} steps.")
        if k and same(ps[k - 1] * (moved @ ps[k - 1]), moved * (ps[k - 1] @ ps[k - 1])):
            return f"{said} It goes along the direction before: -g, at the new point, is not in it."
        need(not same(got, moves[k]), f"{said} This is αp alone: the step leads to x + αp.")
        if not alpha or not same(basis @ parts, moved):
            return (
                f"{said} It leads to no x + αp with one number α, "
                f"p = {'-g + βp' if k else '-g'} and g = Ax - b."
            )
        if k and not np.isclose(rest[0] / alpha, beta := gs[k] @ gs[k] / (gs[k - 1] @ gs[k - 1])):
            mine, back = (round(v, 12) + 0.0 for v in (rest[0] / alpha, rest[0]))
            p = basis @ parts / alpha
            if np.isclose(alpha, gs[k] @ gs[k] / (p @ A @ p)):  # α is right, so β alone is to blame
                return (
                    f"{said} In -g + βp it has β = {mine:.6g}, where gᵀg / g_oldᵀg_old "
                    f"is {beta:.6g}."
                )
            return (
                f"{said} It goes {alpha:.4g} times -g, at the new point, and {back:.4g} "
                f"times p, the direction before; it should be {right:.4g} and "
                f"{beta * right:.4g} times."
            )
        p = "-g + βp" if k else "-g"
        return (
            f"{said} Its direction is right, but it goes {alpha:.6g} times {p}, with "
            f"g = Ax - b; gᵀg / pᵀAp is {right:.6g}."
        )
    return "Not yet, though from the start one, two and three steps are right."


def linear_cg(
    A,
    b,
    x,
    steps,
    gradient=lambda A, b, x: A @ x - b,
    alpha=lambda A, g, p: g @ g / (p @ A @ p),
    beta=lambda g, old, p: g @ g / (old @ old),
    turn=lambda g, old, beta, p: -g + beta * p,
    fresh=True,
):
    """Run conjugate gradients, or what is left of it with something changed."""
    g = gradient(A, b, x)
    p = -g
    for _ in range(steps):
        x = x + alpha(A, g, p) * p
        old, g = g, gradient(A, b, x) if fresh else g
        p = turn(g, old, beta(g, old, p), p)
    return x


def cg_slips(A, b, x, steps):
    """Return what the method gives with one or two things wrong in it, by their hints."""

    def run(count, *parts):
        with np.errstate(all="ignore"):
            point = linear_cg(A, b, x, count, *parts)
        return np.nan_to_num(point, nan=0.0, posinf=0.0, neginf=0.0)  # it may diverge

    return (
        {
            "The first step goes along +g, with g = Ax - b, "
            "which climbs: p starts as -g.": linear_cg(
                A, b, x, steps, lambda A, b, x: b - A @ x, turn=lambda g, old, beta, p: g + beta * p
            ),
        }
        | mixtures(
            run,
            {
                "": steps,
                "It takes one step too few.": steps - 1,
                "It takes one step too many.": steps + 1,
                "This is the point after one step.": 1,
                "It takes n steps, not `steps`.": len(x),
            },
            {
                "": lambda A, b, x: A @ x - b,
                "The gradient is Ax - b: b is missing.": lambda A, b, x: A @ x,
                "The gradient is Ax - b, not Ax + b.": lambda A, b, x: A @ x + b,
                "It goes along +g, which climbs: the steps are x + αp "
                "with a positive α, and p starts as "
                "-g, with g = Ax - b.": lambda A, b, x: b - A @ x,
            },
            {
                "": lambda A, g, p: g @ g / (p @ A @ p),
                "α is gᵀg over pᵀAp, not over gᵀAg.": lambda A, g, p: g @ g / (g @ A @ g),
                "α is gᵀg over pᵀAp, not over pᵀp.": lambda A, g, p: g @ g / (p @ p),
                "The numerator of α is gᵀg, not pᵀp.": lambda A, g, p: p @ p / (p @ A @ p),
                "α is positive: gᵀg, or -gᵀp, over pᵀAp.": lambda A, g, p: g @ p / (p @ A @ p),
                "α is gᵀg over pᵀAp; the division is upside down.": lambda A, g, p: (
                    (p @ A @ p) / (g @ g)
                ),
                "The step is p itself, with a fixed α of 1: α is gᵀg over pᵀAp.": lambda A, g, p: (
                    1.0
                ),
                "α is gᵀg over pᵀAp: a factor ½ is too much.": lambda A, g, p: (
                    g @ g / (p @ A @ p) / 2
                ),
                "The numerator of α is gᵀg: it has the norm without the square.": lambda A, g, p: (
                    np.sqrt(g @ g) / (p @ A @ p)
                ),
            },
            {
                "": lambda g, old, p: g @ g / (old @ old),
                "β is missing, or 0, as in steepest descent.": lambda g, old, p: 0.0,
                "β is the new square over the old one, "
                "not the old over the new.": lambda g, old, p: old @ old / (g @ g),
                "β is the quotient of the squares, not of the norms.": lambda g, old, p: np.sqrt(
                    g @ g / (old @ old)
                ),
                "β is positive, and the direction "
                "before added, not subtracted.": lambda g, old, p: -(g @ g) / (old @ old),
                "β is 1: it should be gᵀg / g_oldᵀg_old.": lambda g, old, p: 1.0,
                "β divides by g_oldᵀg_old, not by pᵀp.": lambda g, old, p: g @ g / (p @ p),
            },
            {
                "": lambda g, old, beta, p: -g + beta * p,
                "The new direction is -g + βp, with "
                "g = Ax - b; it has +g.": lambda g, old, beta, p: g + beta * p,
                "The direction is bent by the direction "
                "before, not by the gradient before.": lambda g, old, beta, p: -g + beta * old,
                "The direction before is multiplied by "
                "β, the gradient is not.": lambda g, old, beta, p: beta * (p - g),
                "The gradient in the new direction must be "
                "the one at the new point.": lambda g, old, beta, p: -old + beta * p,
                "The new direction lacks -g.": lambda g, old, beta, p: beta * p,
                "The direction never changes: p = -g "
                "+ βp after each step.": lambda g, old, beta, p: p,
            },
            {
                "": True,
                "The gradient must be computed anew after each step.": False,
            },
        )
        | {
            "It starts from 0: start from the x that is given.": linear_cg(A, b, 0 * x, steps),
            "This is the way from x. Return the point that it leads to.": linear_cg(A, b, x, steps)
            - x,
        }
    )
