"""A gradient, and a doctor for gradients."""

import itertools

import numpy as np
import scipy

from ...losses import Logistic, Reshuffled
from ..hints import checker, compare, mixtures, need, numbers, probe, same


@checker
def check_logistic_gradient(answer, rng):
    """Check ``logistic_gradient(x, X, y)``, the gradient of the mean logistic loss (eqs 16-17).

    Half of the points are for the formula, half for arguments of any size.
    """
    m, n = int(rng.integers(11, 17)), int(rng.integers(6, 8))
    X, x = rng.normal(size=(m, n)), rng.normal(size=n)
    x *= 3 / np.abs(X @ x).max()
    y = rng.permutation(np.arange(m) % 3 // 2)  # a third of them 1
    loss, z = Logistic(X, y), X @ x

    def slips():
        q = scipy.special.expit(z)
        return mixtures(
            lambda r, outer: outer(r),
            {
                "": q - y,
                "Subtract y: the residual is ŷ - y, not ŷ alone.": q,
                "ŷ is σ(Xx), not Xx itself.": z - y,
                "ŷ is σ(Xx), not Xx itself, and y is subtracted.": z,
                "The residual is ŷ - y alone; σ' has cancelled.": (q - y) * q * (1 - q),
                "The logarithms' derivatives are there; the factor σ' of the chain rule is "
                "missing.": (q - y) / (q * (1 - q)),
                "This is σ', the derivative of ŷ. The loss's is ŷ - y.": q * (1 - q),
                "1 - ŷ - y stands for ŷ - y: σ(z) is 1/(1 + exp(-z)), mind the sign of z.": 1
                - q
                - y,
                "It has ŷ - (1 - y), or y - σ(-z): as if 1 - y stood in place of y.": q - (1 - y),
                "y is 0 or 1 here, not -1 or 1.": q - (2 * y - 1),
                "The samples with y = 0 are left out: this is half of the sum, or the formula for "
                "labels -1 and 1.": -y * (1 - q),
                "The part of the samples with y = 1 is missing.": (1 - y) * q,
                "The sign of the second part of the loss, that with 1 - y, is wrong.": -y * (1 - q)
                - (1 - y) * q,
                "This is with |ŷ - y|: the sign matters, in each part of the loss.": np.abs(q - y),
                "It squares the residual: it is ŷ - y, as it is.": (q - y) ** 2,
                "It rounds ŷ to a label: the loss knows ŷ itself.": np.round(q) - y,
                "It uses tanh for σ.": np.tanh(z) - y,
                "It uses softmax over the samples for σ.": np.exp(z - z.max())
                / np.exp(z - z.max()).sum()
                - y,
            },
            {
                "": lambda r: X.T @ r / m,
                "It is larger by a factor m: the loss is a mean over the m samples.": lambda r: (
                    X.T @ r
                ),
                "Divide by the number of samples m, not of parameters.": lambda r: X.T @ r / n,
                "Divide by the number of samples m, not of those with y = 1.": lambda r: (
                    X.T @ r / y.sum()
                ),
                "The first sample is left out: rows are counted from 0.": lambda r: (
                    X[1:].T @ r[1:] / m
                ),
                "The last sample is left out.": lambda r: X[:-1].T @ r[:-1] / m,
                "It multiplies the mean of X with the mean residual: the sum is over the "
                "products.": lambda r: X.mean(axis=0) * r.mean(),
            },
        )

    def alone():
        """Say in words what residual the answer gives for one sample alone."""
        what, q = "Not yet: the gradient is Xᵀ(ŷ - y) / m, with ŷ = σ(Xx).", scipy.special.expit(z)
        for i, row in enumerate(X):
            if (got := probe(answer, x.shape, x, X[i : i + 1], y[i : i + 1])) is None:
                return what
            r = got @ row / (row @ row)
            need(
                same(got, r * row),
                f"{what} Of a sample alone it is a multiple of its row in X; yours is none.",
            )
            need(
                same(got, (q[i] - y[i]) * row),
                f"{what} Of a sample alone with (Xx)_i = "
                f"{z[i]:.3g} and y = {y[i]} it is {q[i] - y[i]:.6g} times its row in X; yours is "
                f"{r:.6g} times it.",
            )
        return f"{what} Of each sample alone it is right, but not of the {m} together."

    right, got = loss.jac(x), numbers(answer(x, X, y), x.shape)
    more = (got - right) @ x / (x @ x)
    need(
        same(got, right) or not same(got, right + more * x),
        f"It adds {more:.3g} x, the gradient of a penalty that is not there.",
    )
    compare(got, right, slips, alone)
    yield 1 / 2
    for far in (1e3 * x, -1e5 * x):
        right = loss.jac(far)
        got = numbers(answer(far, X, y), right.shape, "For large Xx: ")
        inward = -X.T @ np.sign(X @ far) / m  # all ŷ a little nearer to a half
        eps = (got - right) @ inward / (inward @ inward)
        need(
            same(got, right) or not (eps > 1e-8 and np.allclose(got, right + eps * inward, 1e-5)),
            f"For large Xx: it keeps ŷ {eps:.1g} away from 0 and 1, which changes the "
            "gradient: the logarithms are not in it, and expit needs no clipping.",
        )
        compare(
            got,
            right,
            dict,
            "it is wrong, though right near 0; scipy's expit is right for any size.",
            "For large Xx: ",
        )


KINDS = {  # a bug, and what whoever misses it overlooks: told of the first, as others may follow
    "block": "It misses a gradient of which a half is wrong: look at each entry, the last ones "
    "too, with a bound below 0.001.",
    **dict.fromkeys(
        ("above", "below"),
        "It misses one entry of the gradient that is 0.1 off: look "
        "at each entry, with a bound below 0.001.",
    ),
    **dict.fromkeys(("high", "low"), "It misses one entry of the gradient that is 0.001 off."),
    "steep": "It misses one entry that is 0.001 off in a long gradient, as a bound on its share of "
    "the gradient does: the bound is for the difference itself.",
    "sign": "It misses one entry of the gradient with the wrong sign: compare the entries "
    "themselves, signs and all.",
    "swap": "It misses two entries of the gradient that have changed places: compare entry by "
    "entry, not sums or norms.",
    "flip": "It misses a gradient whose sign is wrong altogether: compare the entries themselves, "
    "signs and all.",
    "factor": "It misses a gradient that is twice too large: compare lengths too, not directions "
    "alone.",
}
OFF = {"above": 0.1, "below": -0.1, "high": 1e-3, "low": -1e-3, "steep": 1e-3}


def spoil(g, kind, i):
    """Return a gradient with a bug of at least 0.001 in some entry; a bug of one entry is in i."""
    wrong = g.copy()
    if kind in OFF:
        wrong[i] += OFF[kind]
    elif kind == "sign":
        wrong[np.argmax(np.abs(g))] *= -1
    elif kind == "swap":
        low, high = np.argmin(g), np.argmax(g)
        wrong[[low, high]] = g[[high, low]]
    elif kind == "block":
        wrong[len(g) // 2 :] = 0
    elif kind in ("flip", "factor"):
        wrong *= -1 if kind == "flip" else 2
    return wrong


def where(fun, g, x, looks, away, said):
    """Say in words where the answer looked at ``fun`` and ``jac``, and how good that is.

    ``away`` is how far from x it asked for ``jac``.
    """
    points = [z for z in map(np.frombuffer, looks) if z.shape == x.shape]
    moves = np.reshape([z - x for z in points if np.abs(z - x).max() > 1e-14], (-1, len(x)))
    if not len(moves):
        return "It looks at fun at no other point than x, or within 1e-14 of it: too near.", ""
    if (most := (np.abs(moves) > 1e-14).sum(axis=1).max()) > 1:
        return f"It looks at fun where {most} entries of x have moved at once.", ""
    if away > 1e-14:
        return f"It asks for jac at another point than x, {away:.1g} away.", ""
    each = moves.any(axis=0)
    if said == "none" and not each.all():  # one may blame a gradient for its first entry
        return f"It never moves entry {each.argmin()} of x.", ""
    steps = sorted({float(f"{step:.2g}") for step in moves.sum(axis=1)})
    low, high = min(steps[0], 0.0), max(steps[-1], 0.0)
    slopes = [(fun(x + high * e) - fun(x + low * e)) / (high - low) for e in np.eye(len(x))[each]]
    error = np.abs(slopes - g[each]).max()
    rule = ", for which no bound below that will do. Are yours such, and compared with jac(x)?"
    if said == "none" and error < 1e-4:
        rule = ": a bound between that and 0.001 for each entry, no mean or norm of all, will do."
    return "", (
        f"It moves one entry at a time, by {' or '.join(f'{h:g}' for h in steps[:4])}; "
        f"slopes from there are right to {error:.0e} as plain differences{rule}"
    )


def restless(fun):
    """Return ``fun``, off by one or two ten-thousandths, up and down, and never by the same."""
    share = ((-1) ** k * (1 + 0.618034 * k % 1) * 1e-4 for k in itertools.count())
    return lambda x: fun(x) * (1 + next(share))


@checker
def check_diagnose(answer, rng):
    """Check ``diagnose(fun, jac, x)``, which says "gradient", "resampled" or "none".

    The gradient is wrong, or the loss is re-sampled, or neither. A third of the points is for
    telling a loss that moves, two thirds for the gradients.
    """
    said, twice, shown, ends, luck = [], {}, {}, {"high": [-1, 1], "low": [0, -2]}, False
    moving = ("resampled", "loss alone", "little")
    kinds = rng.permutation([*KINDS, "high", "low", *moving, *["none"] * 4])
    for kind in ["resampled", *kinds]:  # whose answer comes first of all, even where one is missing
        n = int(rng.integers(4, 8))
        sound, x = Logistic(rng.normal(size=(90, n)), np.arange(90) % 2), rng.normal(size=n)
        drawn = Reshuffled(sound, 10, 3, int(rng.integers(99)))
        top = np.abs(sound.jac(x)).argmax()
        times = 3 / np.abs(sound.jac(x)[top]) if kind == "steep" else 1.0
        fun = {
            "resampled": drawn.fun,
            "loss alone": drawn.fun,
            "little": restless(sound.fun),
            "steep": lambda z, times=times, sound=sound: times * sound.fun(z),
        }
        fun = fun.get(str(kind), sound.fun)
        loss, bug = drawn if kind == "resampled" else sound, str(kind) if kind in KINDS else None
        at = ends[bug].pop() if bug in ends else top
        x[at] *= bug != "high"  # a step that is a share of it goes nowhere
        looks, away = {}, [0.0]

        def jac(z, x=x, away=away, loss=loss, bug=bug, at=at, times=times):
            away.append(np.abs(z - x).max())
            return spoil(times * loss.jac(z), bug if away[-1] < 0.1 else None, at)

        def watched(z, fun=fun, looks=looks):
            looks.setdefault(np.asarray(z, float).tobytes(), []).append(value := fun(z))
            return value

        got = str(answer(watched, jac, x))
        need(
            got in ("gradient", "resampled", "none"),
            f"Return one of gradient, resampled, none; yours is {got[:40]}.",
        )
        said.append((str(kind), got))
        luck = luck or got == "resampled" and max(map(len, looks.values()), default=0) < 2
        twice[str(kind)] = next((v[:2] for v in looks.values() if v[:1] != v[1:2] != []), None)
        i = np.argmax(np.abs(jac(x) - (g := times * sound.jac(x))))
        shown[str(kind), got] = (
            f"Of one its entry {i} is {jac(x)[i]:.4g}, where fun's slope is {g[i]:.4g}.",
            *where(fun, g, x, looks, max(away), got),
        )

    def share(said_so, *which):
        """Return which share of the patients of some kinds was told this."""
        told = [got for kind, got in said if kind in which]
        return sum(got == said_so for got in told) / len(told)

    need(
        share("gradient", "resampled") < 1
        or share("resampled", *KINDS) < 1
        or share("resampled", "none"),
        "It says 'resampled' of wrong gradients, and 'gradient' of a loss drawn anew: "
        "the two words have changed places.",
    )
    if share("resampled", *moving) == 1 and not share("resampled", "none", *KINDS):
        yield 1 / 3
    need(len({got for _, got in said}) > 1, f"It says {said[0][1]!r} to every patient.")
    need(
        not share("resampled", "none", *KINDS),
        "It calls a loss resampled that is the same at "
        "each call"
        + (
            ", and none that moves: == for !=, or two answers swapped."
            if not share("resampled", *moving)
            else ": compare fun(x) with fun(x), at one point and exactly."
        ),
    )
    for kind in moving:
        need(
            not twice[kind] or share("resampled", kind) == 1,
            lambda kind=kind: (
                "It does not say "
                "'resampled' of a loss drawn anew, though it has "
                "looked twice at one point: there fun "
                f"gave {twice[kind][0]:.7g} and {twice[kind][1]:.7g}. Any difference will do."
            ),
        )
    need(
        not share("gradient", "resampled"),
        "It blames the gradient for a loss drawn anew at each call: first look twice at one point.",
    )
    need(
        not share("none", "resampled"),
        "It misses a loss drawn anew at each call: look twice at one point.",
    )
    need(
        share("resampled", "loss alone"),
        "It looks at the gradient, which stays where only the loss is drawn anew: compare fun(x) "
        "with fun(x).",
    )
    need(
        share("resampled", "little"),
        "It misses a loss that moves by a few ten-thousandths: "
        "compare fun(x) with fun(x), and exactly.",
    )
    need(
        share("gradient", "none") < 1 or share("none", *KINDS) < 1,
        "It calls wrong gradients right, and right ones wrong: < for >, or two answers swapped.",
    )
    need(
        share("gradient", "none") < 1 or share("none", "factor") < 1,
        "It calls a gradient right that is twice too large, and a right one wrong: its slopes are "
        "twice too large. Between x - h and x + h lies 2h.",
    )
    need(
        share("gradient", "none") < 1 or share("none", "flip") < 1,
        "It calls a gradient right whose sign is wrong, and a right one wrong: its slopes have the"
        " wrong sign, or jac is added. A slope is fun(x + h) - fun(x - h), over 2h.",
    )
    every = share("gradient", *KINDS) == share("gradient", "none") == 1
    need(
        not share("gradient", "none"),
        lambda: (
            f"It blames {'every' if every else 'a right'} "
            f"gradient. {''.join(shown['none', 'gradient'][1:])}"
        ),
    )
    missed = [kind for kind in KINDS if share("none", kind)]
    need(
        len(missed) < len(KINDS),
        lambda: (
            "It misses every wrong gradient: a right one has fun's "
            f"slopes at x. {''.join(shown['block', 'none'][1:])}"
        ),
    )
    for one, other in itertools.permutations((("above", "high"), ("below", "low"))):
        need(
            share("none", *one) < 1 or share("none", *other),
            f"It misses entries {one[0]} the "
            f"slope, not entries {other[0]} it: take the difference's absolute value.",
        )
    need(
        missed != list(KINDS)[:-2] or shown["block", "none"][1],
        "It blames only gradients with "
        "every entry wrong: look at each entry, and one is enough, if it is 0.001 off.",
    )
    need(not missed, lambda: " ".join(filter(None, [KINDS[missed[0]], *shown[missed[0], "none"]])))
    need(not luck, "It has found a loss that moves without looking at it twice at one point.")
