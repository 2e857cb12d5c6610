"""A step that Armijo accepts."""

import numpy as np

from ...losses import Rosenbrock
from ..hints import Hint, bounded, checker, need, numbers, same

CONSTANTS = (1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.9)  # what one may have fixed


@checker
def check_armijo(answer, rng):
    """Check ``armijo(fun, x, p, f, slope, c1)``, the first of 1, ½, ¼, ... that Armijo accepts."""
    loss, halves = Rosenbrock(), 0.5 ** np.arange(40)
    found, falls, cases, looks, refusals = [], [], [], [], []
    for k in range(60):
        if k == 59 and not same(found, [right for *_, right in cases]):
            break  # a long p would add nothing to what is wrong already
        x, c1 = rng.normal(size=2), rng.choice([1e-3, 0.02, 0.15, 0.4, 0.7])
        f, g = loss.fun_and_jac(x)
        p = -g * rng.uniform(0.1, 9, size=2) ** (k % 2) * 10 ** rng.uniform(-3, 0.5)

        def along(p, x=x, f=f):
            return np.array([(loss.fun(x + a * p) - f) / a for a in halves])

        # The last p is so long that it takes 22 halvings: a floor of 1e-8 does no harm.
        while k == 59 and (along(p) <= c1 * (g @ p))[:22].any():
            p = 2 * p
        slope, tried, fall = float(g @ p), [], along(p)
        if not k % 3:  # c1 is within a thousandth of what one of the steps just meets, or misses
            near = fall[:9] / slope
            near = near[(0.01 < near) & (near < 0.9)]
            c1 = rng.choice(near) * rng.choice([0.999, 1.001]) if len(near) else c1
        right = halves[np.argmax(fall <= c1 * slope)]

        def fun(z, x=x, p=p, tried=tried):
            tried.append(((np.asarray(z) - x) @ p / (p @ p), np.array(z).ravel(), x, p))
            return loss.fun(z)

        def endless(right=right, tried=tried, x=x, p=p, f=f, slope=slope, c1=c1):
            a = tried[-1][0]
            if off := [z for b, z, start, way in tried if not same(z, start + b * way)]:
                return f"It looks at {off[0][:2].round(3)}, which is no x + αp."
            if a < 0:
                return "It looks along -p: the steps are x + αp."
            if a > 1 + 1e-9:
                return (
                    f"It looks beyond x + p, at x + {a:.3g} p: go from the given x each time, "
                    "by p, ½ p, ¼ p, ..."
                )
            steps = [a for a, *_ in tried]
            drops = [(a, f - loss.fun(x + a * p), -c1 * a * slope) for a in steps if a > 1e-8]
            for a, drop, least in drops:
                if drop >= least:
                    refusals.append(
                        f"It refuses the step {a:.3g}, at which fun is {drop:.5g} less than f, and "
                        f"c1 α slope asks for {least:.5g} less: take the first such step."
                    )
                    return refusals[-1]
            first = ", ".join(f"{a:.3g}" for a in steps[:4])
            return (
                "It has evaluated fun 200 times and takes no step: of the α at which it looks "
                f"the first are {first}. Look at 1, ½, ¼, ..., down to {right:g} here."
            )

        count = len(refusals)
        try:
            got = numbers(answer(bounded(fun, 200, endless), x, p, f, slope, c1), None)
        except Hint:
            if len(refusals) == count:
                raise
            got = np.zeros(())  # no step: as from a loop that ends when steps are tiny
        places = [a for a, *_ in tried]
        off = [z for a, z, *_ in tried if not same(z, x + a * p)]
        need(not off, lambda off=off: f"It looks at {off[0][:2].round(3)}, which is no x + αp.")
        need(max(places, default=0) >= 0, "It looks along -p: the steps are x + αp.")
        need(
            got.shape != (2,) or not any(same(got, a * p) for a in halves),
            "Return the step α alone, not α p.",
        )
        need(
            got.shape != (2,) or not same((got - x) * (p @ p), (got - x) @ p * p),
            "Return the step α, not the point that it leads to.",
        )
        found.append(float(numbers(got, ())))
        falls.append(fall), cases.append((c1, slope, p @ p, right)), looks.append(places)
    c1, slope, norm, right = np.array(cases).T
    found, falls = np.array(found), np.array(falls)

    def slips():
        def chosen(held):
            return np.where(held.any(axis=1), halves[held.argmax(axis=1)], 0)

        def first(share, promise):
            return chosen(falls <= (share * promise)[:, None])

        def without_alpha(sign):  # f + c1 slope: a bound that does not move
            return chosen(rises <= sign * (c1 * slope)[:, None])

        rises, promised, least = falls * halves, np.outer(c1 * slope, halves), found.min()
        fixed = {
            f"Its steps are those that c1 = {c:g} gives, whatever c1 is.": first(c, slope)
            for c in CONSTANTS
        }
        return {
            "It uses -‖p‖² where Armijo's condition has the slope gᵀp: right for p = -g "
            "alone.": first(c1, -norm),
            (
                "It accepts any decrease, or almost: ask for the "
                "share c1 of what the slope promises."
            ): first(0, slope),
            "The slope is negative already: the condition adds c1 α slope to f.": first(-c1, slope),
            "It asks for the whole of what the slope promises, or more: c1 times that, c1 α slope, "
            "is enough.": first(1, slope),
            "The slope is missing: the promise is c1 α slope.": first(c1, np.ones_like(c1)),
            "The slope is missing: the promise is c1 α slope, a decrease.": first(
                -c1, np.ones_like(c1)
            ),
            "It asks for half of the decrease: that is not in the condition.": first(c1 / 2, slope),
            "It asks for 1 - c1 of the promise, not c1.": first(1 - c1, slope),
            "It halves once too often: return the step that was accepted.": right / 2,
            "It returns the last step that was refused.": np.minimum(2 * right, 1),
            "It returns the last step that was refused, or 2.": 2 * right,
            "Try the step 1 first.": chosen((rises <= promised) & (halves < 1)),
            "It starts from 2: try the step 1 first.": np.where(right == 1, 2, right),
            "It always returns 1: try smaller steps until one is accepted.": np.ones_like(right),
            "α is missing: the promise is c1 α slope, less for shorter steps.": without_alpha(1),
            "α is missing in c1 α slope, and the slope is negative already.": without_alpha(-1),
            "The inequality is the other way round: it halves while the step is good.": chosen(
                rises > promised
            ),
            "It returns how often it halved; return the step.": -np.log2(right),
            "The promise is c1 α slope: it has the square of α.": chosen(
                rises <= promised * halves
            ),
            "It adds c1 α ‖p‖²: the slope is gᵀp, which is negative.": first(c1, norm),
            "The slope is gᵀp already: it is not multiplied by ‖p‖.": first(c1, slope * norm**0.5),
            "The slope is gᵀp already: it is not divided by ‖p‖.": first(c1, slope / norm**0.5),
            "f is the loss at x: it takes that at the step tried before.": chosen(
                rises <= promised + np.c_[0 * c1, rises[:, :-1]]
            ),
            **fixed,
            **(
                {
                    f"It stops halving at {least:g}: go on until a step is accepted.": np.maximum(
                        right, least
                    )
                }
                if least < 1
                else {}
            ),
        }

    if same(found, right):
        return
    for hint, value in slips().items():
        plain = [np.where(np.abs(v) < 1e-7, 0, v) for v in (found, value)]
        need(not (plain[1].any() and same(*plain)), hint)
    need(not refusals, "".join(refusals[:1]))
    stuck = [places for places, a in zip(looks, right) if a < 1 and len(places) > 1]
    need(
        not stuck or not all(same(min(places), 1) or not any(places) for places in stuck),
        "It looks at fun nowhere between x and x + p: look at x + αp, with each α.",
    )
    odd = [a for places in looks for a in places if a > 1e-6 and not np.isclose(a, halves).any()]
    need(
        not odd or (np.log2(found[found > 0]) % 1).any(),
        lambda: f"It evaluates fun at x + {odd[0]:.8g} p, where α is 1, ½, ¼, ... of p as it is.",
    )
    need((found > 0).all(), f"A step must be positive; yours is {found.min():g}.")
    off = found[np.log2(found) % 1 != 0]
    need(not len(off), lambda: f"Halve the step each time: {off[0]:g} is none of 1, ½, ¼, ...")
    for places, a in zip(looks, found):
        steps = -np.unique([-float(f"{b:.3g}") for b in places if b > 1e-6])[:9]
        need(
            not a > 0 or np.isclose(a, places).any(),
            lambda a=a: f"It returns {a:.3g}, and never has looked at x + {a:.3g} p.",
        )
        need(
            np.allclose(steps, halves[: len(steps)], 0.01, 0),
            lambda steps=steps: (
                "Halve the "
                "step each time, from 1 on: it looks at "
                f"{', '.join(f'{b:.3g}' for b in steps[:4])}."
            ),
        )
    long, short = np.flatnonzero(found > right), np.flatnonzero(found < right)

    def numbers_of(i, a):
        if a > 1:
            return "longer than 1"
        fall = -a * falls[i, int(-np.log2(a))]
        return (
            f"with c1 = {c1[i]:.4g}: fun is {fall:.5g} less than f there, and c1 α slope asks "
            f"for {-c1[i] * a * slope[i]:.5g} less"
        )

    need(
        not len(long),
        lambda: (
            "Armijo's condition fails at the returned step "
            f"{found[long[0]]:g}, {numbers_of(long[0], found[long[0]])}."
        ),
    )
    need(
        not len(short),
        lambda: (
            f"Armijo's condition held for the step {right[short[0]]:g} "
            f"already, {numbers_of(short[0], right[short[0]])}. Stop at the first."
        ),
    )
