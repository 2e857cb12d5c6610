"""Second derivatives of networks."""

import numpy as np
import scipy

from ..hints import checker, compare, mixtures, need, numbers, same, scale


@checker
def check_softmax_hessian(answer, rng):
    """Check ``softmax_hessian(z)``, the cross-entropy's Hessian in one sample's logits (eq. 83).

    Half of the points are for the matrix, half for logits of any size.
    """
    K = int(rng.integers(4, 7))  # with 3 a mean is too near to the largest of far logits
    z = rng.normal(size=K)
    q = scipy.special.softmax(z)
    right = np.diag(q) - np.outer(q, q)

    def slips():
        e, eye = np.exp(z), np.eye(K)
        return mixtures(
            lambda v, build: build(v),
            {
                "": q,
                "q is softmax(z), not z itself.": z,
                "The exponentials are not divided by their sum: q = softmax(z).": e,
                "These are the exponentials over the largest of them, "
                "as exp(z - max(z)) makes them: "
                "divide by their sum.": e / e.max(),
                "It uses the sigmoid in place of softmax.": scipy.special.expit(z),
                "It uses log q in place of q.": np.log(q),
                "softmax takes exp(z), not exp(-z).": scipy.special.softmax(-z),
            },
            {
                "": lambda v: np.diag(v) - np.outer(v, v),
                "Off the diagonal the entries are -q_i q_j, not 0.": lambda v: np.diag(v * (1 - v)),
                "Subtract the outer product q qᵀ.": np.diag,
                "Subtract the outer product q qᵀ, not q.": lambda v: np.diag(v) - v,
                "Off the diagonal the sign is wrong: -q_i q_j.": lambda v: (
                    np.diag(v - 2 * v * v) + np.outer(v, v)
                ),
                "The outer product is subtracted, not added.": lambda v: (
                    np.diag(v) + np.outer(v, v)
                ),
                "The diagonal is q_i (1 - q_i): Diag(q) is missing.": lambda v: -np.outer(v, v),
                "It is Diag(q) that q qᵀ is subtracted from, not the identity.": lambda v: (
                    eye - np.outer(v, v)
                ),
                "The diagonal's q_i² is subtracted twice: q_i (1 - q_i) stands there.": lambda v: (
                    np.diag(v * (1 - v)) - np.outer(v, v)
                ),
                "On the diagonal q_i (1 - q_i), off it -q_i q_j: it has q_i (1 - q_j).": lambda v: (
                    np.outer(v, 1 - v)
                ),
                "On the diagonal q_i (1 - q_i), off it -q_i q_j: it "
                "has q_j (1 - q_i), like q - q qᵀ: "
                "np.diag makes the matrix Diag(q).": lambda v: np.outer(1 - v, v),
                "For a vector q @ q.T is one number: np.outer makes the matrix.": lambda v: (
                    np.diag(v) - v @ v
                ),
                "q * q is no outer product: np.outer makes the matrix.": lambda v: (
                    np.diag(v) - v * v
                ),
                "Off the diagonal the entries are -q_i q_j: it has -q_j alone.": lambda v: (
                    np.diag(v * (1 - v)) - v * (1 - eye)
                ),
            },
        )

    got = numbers(answer(z), (K, K))

    def rest():
        need(np.allclose(got, got.T), "The Hessian is not symmetric, and second derivatives are.")
        diagonal = same(np.diag(got), np.diag(right))
        off = same(got - np.diag(np.diag(got)), right - np.diag(np.diag(right)))
        need(not off, "Right off the diagonal; on it the entries are q_i (1 - q_i).")
        need(not diagonal, "The diagonal is right. Off it, the entries are -q_i q_j.")
        with np.errstate(all="ignore"):  # v, should it be Diag(v) - v vᵀ
            v = np.sqrt([-got[i, i - 1] * got[i, i - 2] / got[i - 1, i - 2] for i in range(K)])
        need(
            not same(got, np.diag(v) - np.outer(v, v)),
            f"It is Diag(q) - q qᵀ, but not with softmax(z) = {q.round(4)}: with {v.round(4)}.",
        )
        i, j = np.unravel_index(np.abs(got - right).argmax(), right.shape)
        return (
            f"Not yet: with q = softmax(z) it is Diag(q) - q qᵀ. Entry {i}, {j} should be "
            f"{right[i, j]:.4g}; yours is {got[i, j]:.4g}."
        )

    compare(got, right, slips, rest)
    yield 1 / 2
    for shift in (1000, -1000):
        compare(
            answer(z + shift),
            right,
            dict,
            "it is wrong.",
            f"For z near {shift} (subtract max(z) first): ",
        )
    far = np.r_[z[:2] + 1000, z[2:] - 1000]
    q = scipy.special.softmax(far)
    compare(
        answer(far),
        np.diag(q) - np.outer(q, q),
        dict,
        "it is wrong.",
        "For a z with entries near 1000 and near -1000 (subtract max(z) first, which leaves "
        "none above 0): ",
    )


@checker
def check_hessian_step(answer, rng):
    """Check ``hessian_step(W, a, gX, H)``, eqs 66-67 for sigmoid units with outputs a.

    Two thirds of the points are for the first term, one third for the term with σ''.
    """
    rows, columns = int(rng.integers(4, 7)), 3
    (W, R), a, gX = rng.normal(size=(2, rows, columns)), rng.random(rows), rng.normal(size=rows)
    H, d = R.T @ R, a * (1 - a)
    HX = W @ H @ W.T
    first = np.outer(d, d) * HX
    right = first + np.diag(d * (1 - 2 * a) * gX)

    def slips():
        s = scipy.special.expit(a)
        again = "a is σ(z) already: σ' is a(1 - a), without another σ."
        slopes = {
            "": d,
            again: s * (1 - s),
            "σ' is a(1 - a), not a.": a,
            "σ' is a(1 - a), not 1 - a.": 1 - a,
            "σ' is a(1 - a); 1 - a² is tanh's.": 1 - a * a,
            "σ' is a(1 - a), not its square root.": d**0.5,
            "σ' is a(1 - a), not a(1 + a).": a * (1 + a),
        }
        bends = {
            "": lambda d: d * (1 - 2 * a),
            "σ'' is a(1 - a)(1 - 2a), not 1 - 2a alone.": lambda d: 1 - 2 * a,
            "The σ'' term has the wrong sign: σ'' = a(1 - a)(1 - 2a).": lambda d: -d * (1 - 2 * a),
            "It is σ'' that multiplies the gradient, not σ'.": lambda d: d,
            "σ'' is a(1 - a)(1 - 2a), not a(1 - a)(1 - a).": lambda d: d * (1 - a),
            "In the σ'' term a(1 - a) comes twice: in "
            "Diag(σ'' gX) only σ'' has it, once.": lambda d: d * d * (1 - 2 * a),
            "σ'' is not the square of σ': it is a(1 - a)(1 - 2a).": lambda d: d * d,
            "σ'' is a(1 - a)(1 - 2a); -2a(1 - a²) is tanh's.": lambda d: -2 * a * (1 - a * a),
            "a is σ(z) already: σ'' is a(1 - a)(1 - 2a), without another σ.": lambda d: (
                s * (1 - s) * (1 - 2 * s)
            ),
        }
        found = mixtures(
            lambda d, sides, bend, g, place: sides(d) + place(bend(d) * g),
            slopes,
            {
                "": lambda d: np.outer(d, d) * HX,
                "σ' belongs on both sides of W H Wᵀ, not on the left alone.": lambda d: (
                    d[:, None] * HX
                ),
                "σ' belongs on both sides of W H Wᵀ, not on the right alone.": lambda d: d * HX,
                "D stands on both sides of W H Wᵀ: here its "
                "square multiplies the columns.": lambda d: d * d * HX,
                "D stands on both sides of W H Wᵀ, not twice on the left.": lambda d: (
                    (d * d)[:, None] * HX
                ),
                "σ' is missing on both sides of W H Wᵀ.": lambda d: HX,
                "The first term, D W H Wᵀ D, is missing.": lambda d: 0 * HX,
                "Of W H Wᵀ all entries count, not the diagonal alone, "
                "which a diagonal matrix D leaves "
                "with * for @.": lambda d: np.diag(d * d * np.diag(HX)),
                "H is missing between W and Wᵀ.": lambda d: np.outer(d, d) * (W @ W.T),
                "Of H all entries count, not the diagonal alone.": lambda d: (
                    np.outer(d, d) * (W @ np.diag(np.diag(H)) @ W.T)
                ),
            },
            bends,
            {
                "": gX,
                "The σ'' term is multiplied by gX: that is missing.": np.ones(rows),
                "The σ'' term is multiplied by gX as it is: the sign matters.": np.abs(gX),
                "The σ'' term is multiplied by gX, not by its square.": gX * gX,
            },
            {
                "": np.diag,
                "The σ'' term goes on the diagonal, np.diag(σ'' * "
                "gX): it adds a vector to each row.": lambda v: np.tile(v, (rows, 1)),
                "The σ'' term goes on the diagonal: np.diag makes it so.": lambda v: np.tile(
                    v[:, None], rows
                ),
                "The σ'' term goes on the diagonal, not as one number everywhere.": lambda v: (
                    np.full((rows, rows), v.sum())
                ),
                "The σ'' term is added to D H_X D: it is not "
                "multiplied by σ' on both sides.": lambda v: np.diag(d * v * d),
                "The term with σ'' is missing.": lambda v: np.zeros((rows, rows)),
            },
        )
        return {
            "This is eq. 66. Now σ' on both sides, and the σ'' term.": HX,
            "The first term is right. Add the one with σ''.": first,
            "The σ'' term is right; the first is missing.": right - first,
            "σ' is a(1 - a): it is 1 in both terms, or it is missing in both.": HX
            + np.diag((1 - 2 * a) * gX),
            "a is σ(z) already: σ' and σ'' come from a, without another σ.": np.outer(
                s * (1 - s), s * (1 - s)
            )
            * HX
            + np.diag(s * (1 - s) * (1 - 2 * s) * gX),
            **{
                f"In the first term: {hint}": np.outer(v, v) * HX + right - first
                for hint, v in slopes.items()
                if hint
            },
            **found,
        }

    got, plain = (
        numbers(answer(W, a, g, H), (rows, rows), "Where gX is 0: " * (not g.any()))
        for g in (gX, 0 * gX)
    )
    otherwise = "Not yet: W H Wᵀ with D = Diag(a(1 - a)) on both sides, and Diag(σ'' gX) besides."
    if same(plain, first):
        otherwise = "The first term is right. The other is Diag(σ'' gX): σ'' = a(1 - a)(1 - 2a)."
        yield 2 / 3
    elif same(got - plain, right - first):
        factor = scale(plain, first)
        need(not factor, f"The σ'' term is right, and the first up to {factor}.")
        otherwise = "The σ'' term is right. The first is D W H Wᵀ D, with D = Diag(a(1 - a))."
    compare(got, right, slips, otherwise)


@checker
def check_sign_rule(answer, rng):
    """Check ``sign_rule(z, g)``, which says where σ''(z) g >= 0 in arrays (eqs 87-89, corrected).

    Half of the points are for the signs, half for the zeros.
    """
    z, g = rng.integers(-3, 4, size=(2, 500)) / 2 * rng.choice([1, 1, 1e-6], size=(2, 500))
    z[[0, -1]], g[[0, -1]] = 1, -1  # there a loop that leaves them out shows
    z[[1, 2]], g[[1, 2]] = 40, [1, -1]  # there σ(z) rounds to 1
    right, said = z * g <= 0, answer(z, g)
    got = numbers(said, (500,))
    need(
        np.isin(got, (0, 1)).all() and np.asarray(said).dtype == bool,
        f"Return an array of True and False: a comparison gives one. Yours begins with {got[:3]}.",
    )
    inside = z * g != 0
    large = z == 40
    if (got == right)[inside & ~large].all():
        yield 1 / 2

    def slips():
        return {
            "This is the paper's eqs 88-89, which are reversed: σ'' > 0 where z < 0.": z * g >= 0,
            "It says the opposite everywhere: σ'' > 0 where z < 0, and the rule asks for >= 0.": z
            * g
            > 0,
            "Where z or g is 0 the term is 0, and 0 counts as non-negative.": z * g < 0,
            "The sign of g matters too.": z <= 0,
            "The sign of g matters too; and σ''(0) = 0.": z < 0,
            "The sign of g matters too, and σ'' > 0 where z < 0.": z >= 0,
            "The sign of g matters, and σ'' > 0 where z < 0.": z > 0,
            "The sign of z matters too.": g >= 0,
            "The sign of z matters too, and g = 0 makes the term 0.": g > 0,
            "The sign of z matters, and so does g's as it is.": g <= 0,
            "The sign of z matters, and so does g's.": g < 0,
            "It says True everywhere.": np.ones(500),
            "It says False everywhere.": np.zeros(500),
        }

    for hint, value in ({} if np.array_equal(got, right) else slips()).items():
        need(not np.array_equal(got, value), hint)
    need(
        (got == right)[~inside].all() or (got != right)[inside].any(),
        lambda: (
            "Right but where z or g is 0: there the term is 0, and 0 counts as non-negative. "
            f"Where z is {z[got != right][0]:g} and g is {g[got != right][0]:g} it says False."
        ),
    )
    need(
        (got == right)[inside].any(),
        "Where neither is 0 this is the paper's rule, which is "
        "reversed: σ'' > 0 where z < 0. And where one is 0 the term is 0, which counts as "
        "non-negative.",
    )
    wrong = np.flatnonzero((got != right) & inside)
    plain = np.where(large, 0, np.abs(z * g))
    wrong = wrong[np.argsort(-plain[wrong], kind="stable")]  # plain numbers first
    for k in wrong[:1]:
        alike = (z == z[k]) & (g == g[k]) & (got == right)
        need(
            not alike.any(),
            f"Entry {k} is wrong, and entry {alike.argmax()}, which has the same "
            "z and g, is right.",
        )
    need(
        not len(wrong),
        lambda: (
            f"Where z is {z[wrong[0]]:g} and g is {g[wrong[0]]:g} it says {bool(got[wrong[0]])}; "
            "σ''(z) has -z's sign."
            + " There σ(z) rounds to 1: take z's sign alone."
            * bool(large[wrong[0]])
        ),
    )
