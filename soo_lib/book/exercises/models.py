"""The lowest point of a model inside a radius."""

import numpy as np

from ..hints import checker, need, numbers, same, told


def problem(rng, values, lam, room=1.0):
    """Make a model whose lowest point in the ball is known: inside if ``lam`` is 0, or on the rim.

    An answer goes the other way round; here p and λ come first, then g = -(B + λI) p. Where λ is
    minus the lowest eigenvalue, its eigenvector is an axis, and g has no part along it.
    """
    n, hard = len(values), int(lam == -values[0])
    p, Q = rng.normal(size=n) * 10 ** rng.uniform(-1, 1), np.eye(n)
    Q[hard:, hard:] = np.linalg.qr(rng.normal(size=(n - hard, n - hard)))[0]
    B = (Q * values) @ Q.T
    if hard:
        p[0] = rng.uniform(0.5, 2) * np.linalg.norm(p[1:])
    g = -(B @ p + lam * p)
    g[:hard] = 0.0
    order = rng.permutation(n)
    order = np.roll(order, order[0] == 0)  # so that no row of eigh's is that axis
    B = (B + B.T)[np.ix_(order, order)] / 2
    return g[order], B, room * np.linalg.norm(p), p[order]


def model(p, g, B):
    return g @ p + p @ B @ p / 2


def to_rim(p, radius):
    """Return p, shortened to the radius if it is longer."""
    return p * min(1, radius / max(np.linalg.norm(p), np.finfo(float).tiny))


def stopped(g, B, radius):
    """Steihaug's conjugate gradients (N&W algorithm 7.2), which stop at the rim."""
    p, r = np.zeros_like(g), g
    d = -r
    for _ in g:
        bend = d @ B @ d
        ahead = p + r @ r / bend * d if bend > 0 else None
        if ahead is None or np.linalg.norm(ahead) >= radius:
            along, dd = p @ d, d @ d
            return p + (np.sqrt(along**2 + dd * (radius**2 - p @ p)) - along) / dd * d
        p, old = ahead, r @ r
        r = g + B @ p
        d = -r + r @ r / old * d
    return p


def dogleg(g, B, radius):
    """Go out to the lowest point along -g and on to Newton's step, and stop at the rim."""
    cauchy, newton = -(g @ g) / (g @ B @ g) * g, -np.linalg.solve(B, g)
    if np.linalg.norm(cauchy) >= radius or np.linalg.norm(newton) <= radius:
        return to_rim(cauchy if np.linalg.norm(cauchy) >= radius else newton, radius)
    d = newton - cauchy
    along, dd = cauchy @ d, d @ d
    return cauchy + (np.sqrt(along**2 + dd * (radius**2 - cauchy @ cauchy)) - along) / dd * d


def slips(g, B, radius, right):
    """Return points that one may take for the lowest, by their hints.

    g is not 0, and B has an inverse.
    """
    w, Q = np.linalg.eigh(B)
    c, bend = Q.T @ g, g @ B @ g
    newton, sizes, rim = -Q @ (c / w), -Q @ (c / np.abs(w)), -radius * g / np.linalg.norm(g)
    found = {
        "This is minus the lowest point: the sign is wrong.": -right,
        "This is Newton's step, though it is longer than the radius."
        if w[0] > 0
        else "This is Newton's step. With a negative eigenvalue it leads to a saddle of the model, "
        "or its top, and the lowest point is on the rim.": newton,
        "It shortens Newton's step to the radius: the radius chooses the direction too. Find the λ "
        "of (B + λI) p = -g.": to_rim(newton, radius),
        "It goes Newton's way to the rim: with B positive definite and Newton's step inside, that "
        "is the answer; else find the λ.": radius * newton / np.linalg.norm(newton),
        "This is the step along -g to the rim, right for tiny radii alone.": rim,
        "This is the lowest point along -g. In the whole ball there are lower ones.": to_rim(
            -(g @ g) / bend * g, radius
        )
        if bend > 0
        else rim,
        "This is -g: B is missing, and the radius.": -g,
        "This is -g, cut at the radius: B is missing.": to_rim(-g, radius),
        "It bounds each entry of p by the radius: bound ‖p‖.": np.clip(newton, -radius, radius),
        "It divides by B's diagonal alone.": to_rim(-g / np.diag(B), radius),
        "It takes the sizes of B's eigenvalues: λ is one number, added to them all.": sizes,
        (
            "It takes the sizes of B's eigenvalues, and shortens: λ "
            "is one number, added to them all."
        ): to_rim(sizes, radius),
        (
            "This is the point in the basis of the eigenvectors, V "
            "its columns: V @ p brings it back."
        ): Q.T @ right,
        "It goes along the lowest eigenvector alone: g counts too.": -radius
        * np.sign(c[0])
        * Q[:, 0],
        (
            "These are conjugate gradients, stopped at the rim: near, but not the lowest point."
        ): stopped(g, B, radius),
    }
    if w[0] > 0:
        found[
            "This is the dogleg, two straight pieces in place of the path: near, but not the "
            "lowest point."
        ] = dogleg(g, B, radius)
    for lam, name in ((radius, "the radius itself"), (1 / radius, "1/radius"), (1.0, "1")):
        found[
            f"It takes {name} for λ: that is 0 where Newton's step is the answer, else find the "
            "λ with which ‖p‖ is the radius."
        ] = -Q @ (c / (w + lam))
    return found


def on_path(p, g, B):
    """Return the λ of (B + λI) p = -g, or None where p solves that for no λ."""
    if not p.any():
        return None
    slope = g + B @ p
    lam = -(p @ slope) / (p @ p)
    most = np.linalg.norm(g) + np.linalg.norm(B @ p)
    return lam if np.linalg.norm(slope + lam * p) < 1e-4 * most else None


def bounded_by(length, p, g, B):
    """Does p solve (B + λI) p = -g on the rim of this length, or inside with λ = 0?"""
    inside = np.linalg.norm(p) < length and np.allclose(B @ p, -g)
    return on_path(p, g, B) is not None and (inside or np.isclose(np.linalg.norm(p), length, 1e-4))


def fault(p, g, B, radius, right):
    """Raise a Hint that says which condition for the lowest point p fails (N&W theorem 4.1)."""
    size, (w, Q) = np.linalg.norm(p), np.linalg.eigh(B)
    need(size > 0, "It does not move: 0 is no lowest point here.")
    if (lam := on_path(p, g, B)) is None:
        others = {
            "It is as if pᵀBp had no ½: the model's slope is g + Bp.": 2 * B,
            "It sets B's negative eigenvalues to 0: leave them, λ lifts them all alike.": (
                Q * np.maximum(w, 0)
            )
            @ Q.T,
            "It takes the sizes of B's eigenvalues: λ is one number, added to them all.": (
                Q * np.abs(w)
            )
            @ Q.T,
            "It takes B's diagonal alone.": np.diag(np.diag(B)),
            "It takes V for Vᵀ: the eigenvectors are the columns, so that Vᵀg has g's parts along "
            "them, and V @ p brings p back.": (Q.T * w) @ Q,
        }
        for hint, other in others.items():
            need(on_path(p, g, other) is None, hint)
        slope = g + B @ p
        need(
            np.ptp(slope) > 1e-6 * np.abs(slope).max(),
            "B + λ adds λ to every entry: on the diagonal alone it is B + λI.",
        )
        need(on_path(p, Q @ g, B) is None, "It takes g for its parts along the eigenvectors, Vᵀg.")
        for place, step, slope in (("in", p, Q @ Q @ g), ("out", Q @ Q @ p, g)):
            need(
                on_path(step, slope, B) is None,
                "It takes V for Vᵀ, or Vᵀ for V, on the way "
                f"{place}: Vᵀg has g's parts along the eigenvectors, V's columns, and V @ p "
                "brings p back.",
            )
        need(
            size < (1 + 1e-6) * radius,
            f"It leaves the ball, whose radius is {radius:.4g}: its "
            f"length is {size - radius:.2g} more.",
        )
        at = "on the rim" if size > (1 - 1e-6) * radius else "inside"
        best = "inside" if np.linalg.norm(right) < (1 - 1e-6) * radius else "on the rim"
        low = model(right, g, B)
        need(
            False,
            f"Not yet: it is {at}, where the model is {model(p, g, B) - low:.2g} above its "
            f"lowest value, {low:.4g}, which is {best}. There g + Bp points against p, or is 0: "
            "(B + λI) p = -g with λ >= 0.",
        )
    so = "It solves (B + λI) p = -g, but"
    need(lam > -1e-4 * np.abs(w).max(), f"{so} with a negative λ: at the lowest point λ >= 0.")
    need(
        w[0] + lam > -1e-4 * np.abs(w).max(),
        f"{so} B + λI has a negative eigenvalue: λ is at least minus the lowest of B.",
    )
    which = "small" if size > radius else "large"
    need(False, f"{so} the length is {size:.8g} with a radius of {radius:.8g}: λ is too {which}.")


def is_lowest(got, g, B, radius, right):
    """Is the point inside, and as low as the right one up to a millionth of its depth?"""
    inside = np.linalg.norm(got) <= (1 + 1e-6) * radius
    return inside and model(got, g, B) <= (1 - 1e-6) * model(right, g, B)


@checker
def check_step_inside(answer, rng):
    """Check ``step_inside(g, B, radius)``, the lowest point of gᵀp + ½ pᵀBp with ‖p‖ <= radius.

    Half of the points are for positive definite B, a quarter for other B, and a quarter for g with
    no part along the lowest eigenvector.
    """

    def ask(*problems):
        got = [numbers(answer(*given), given[0].shape) for *given, _ in problems]
        wrong = [(p, *given) for p, given in zip(got, problems) if not is_lowest(p, *given)]
        found = [slips(*given) for _, *given in wrong]
        for hint in found[0] if wrong else ():
            need(not all(same(p, slip[hint]) for (p, *_), slip in zip(wrong, found)), hint)
        for power, hint in (0.5, "root: ‖p‖ is bounded, not ‖p‖²"), (2, "square: ‖p‖² is radius²"):
            need(
                not wrong
                or not all(bounded_by(radius**power, p, g, B) for p, g, B, radius, _ in wrong),
                f"It solves (B + λI) p = -g, but the length is the radius's {hint}.",
            )
        for (p, g, B, radius, right), slip in zip(wrong, found):
            for hint, value in slip.items() if on_path(p, g, B) is None else ():
                need(not same(p, value), f"In one problem: {hint}")
            fault(p, g, B, radius, right)

    def eigenvalues(*first):
        return np.r_[first, rng.uniform(0.6, 5, size=int(rng.integers(2, 4)))]

    convex = [problem(rng, eigenvalues(0.3), 0.0, rng.uniform(1.3, 3)) for _ in range(3)]
    ask(*convex, *[problem(rng, eigenvalues(0.3), lam) for lam in (0.02, 0.08, 0.4, 1.5, 150)])
    yield 1 / 2
    bent = [problem(rng, eigenvalues(-2), rng.uniform(2.05, 2.4)) for _ in range(3)]
    inside = bent[0]
    while np.linalg.norm(np.linalg.solve(*inside[1::-1])) > inside[2]:  # Newton's step fits
        inside = problem(rng, eigenvalues(-2), rng.uniform(2.05, 2.4))
    bent += [problem(rng, eigenvalues(-2, -0.7), rng.uniform(2.2, 5)) for _ in range(3)]
    ask(*bent, inside)
    g, radius = rng.normal(size=int(rng.integers(3, 6))), rng.uniform(0.3, 0.9)  # so that λ > ‖g‖
    with told("With B = 0, where the model is a slope: "):
        got = numbers(answer(g, np.diag(0 * g), radius), g.shape)
    need(
        is_lowest(got, g, np.diag(0 * g), radius, -radius * g / np.linalg.norm(g)),
        "With B = 0 the model is a slope: its lowest point is on the rim, along -g.",
    )
    yield 3 / 4
    for lowest in (-2, -0.5, -2):
        hard_case(answer, *problem(rng, eigenvalues(lowest), -lowest))
    some = (problem(rng, np.r_[-2, rng.uniform(0.6, 5, size=3)], 2) for _ in range(12))
    hard_case(answer, *max(some, key=lambda m: abs(np.linalg.eigh(m[1])[1].T @ m[0])[0]))  # rounded
    g, B, radius, p = problem(rng, eigenvalues(-1), 1)
    v = np.linalg.eigh(B)[1][:, 0]
    hard_case(answer, 0 * g, B, radius, radius * v)
    p = p - (p @ v) * v
    ask((-(B @ p + 3 * p), B, np.linalg.norm(p), p))  # nothing along v, but λ = 3 leads to the rim


def hard_case(answer, g, B, radius, right):
    """Raise a Hint where the answer is wrong for g with no part along the lowest eigenvector v."""
    where = "With g = 0: " if not g.any() else "Where g has no part along the lowest eigenvector: "
    with told(where):
        said = answer(g, B, radius)
    need(
        "nan" not in str(said),
        f"{where}it gives NaN, as 0 over 0 does. The part of p along the "
        "lowest eigenvector is free there: what leads to the rim is right.",
    )
    got = numbers(said, g.shape, where)
    if is_lowest(got, g, B, radius, right):
        return
    w, Q = np.linalg.eigh(B)
    v, damped = Q[:, 0], -np.linalg.pinv(B - w[0] * np.eye(len(g)), rcond=1e-9) @ g
    need(got.any(), f"{where}it stays, but along the lowest eigenvector all ways lead down.")
    lam = on_path(got, g, B)
    need(
        lam is None or lam + w[0] > -1e-3,
        lambda: (
            f"{where}it solves (B + λI) p = -g with λ = "
            f"{round(lam, 3) + 0.0:g}; it should be minus the lowest eigenvalue, {-w[0]:.3g}."
        ),
    )
    need(
        not np.allclose(got - (got @ v) * v, damped, 0, 1e-3 * radius)
        or np.linalg.norm(got) >= radius,
        f"{where}it stops short of the rim. With λ minus the lowest eigenvalue add as much of the "
        "eigenvector as brings it there." + f" Rounded, vᵀg is {v @ g:.0e}." * bool(v @ g),
    )
    need(
        np.linalg.norm(got @ v) > 1e-3 * radius,
        f"{where}it has no part along the lowest "
        "eigenvector. There the model falls for ever: add what leads to the rim.",
    )
    need(
        not same(abs(got @ v), np.linalg.norm(got)) or not g.any(),
        f"{where}it goes along the lowest eigenvector alone. g counts too.",
    )
    need(
        not same((got - damped) @ (got - damped), radius**2 - damped @ damped),
        f"{where}what it "
        "adds is as long as it should be, but does not go along the lowest eigenvector, a column.",
    )
    need(
        np.linalg.norm(got) <= (1 + 1e-6) * radius,
        f"{where}it leaves the ball, with a length of "
        f"{np.linalg.norm(got):.8g} where the radius is {radius:.8g}.",
    )
    off = np.linalg.norm(got - (got @ v) * v - damped)
    need(
        False,
        f"{where}the part of p across the lowest eigenvector is off by {off:.3g}: it "
        "should solve (B + λI) p = -g with λ minus the lowest eigenvalue.",
    )
