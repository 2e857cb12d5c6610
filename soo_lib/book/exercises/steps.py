"""Steps, step lengths and directions."""

import numpy as np

from ...losses import Rosenbrock
from ..hints import bounded, checker, need, numbers, same

CONSTANTS = (1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.9)  # what one may have fixed


@checker
def check_armijo(answer, rng):
    """``armijo(fun, x, p, f, slope, c1)``: the first of 1, ½, ¼, ... that Armijo accepts."""
    loss, halves, found, falls, cases = Rosenbrock(), 0.5 ** np.arange(40), [], [], []
    for k in range(60):
        x, c1 = rng.normal(size=2), rng.choice([1e-3, 0.02, 0.15, 0.4, 0.7])
        f, g = loss.fun_and_jac(x)
        p = -g * rng.uniform(0.1, 9, size=2) ** (k % 2) * 10 ** rng.uniform(-3, 0.5)
        slope, tried = float(g @ p), []
        fall = np.array([(loss.fun(x + a * p) - f) / a for a in halves])
        if not k % 3:  # c1 within a thousandth of what one of the steps just meets, or misses
            near = fall[:9] / slope
            near = near[(0.01 < near) & (near < 0.9)]
            c1 = rng.choice(near) * rng.choice([0.999, 1.001]) if len(near) else c1
        right = halves[np.argmax(fall <= c1 * slope)]

        def fun(z, x=x, p=p, tried=tried):
            tried.append(((np.asarray(z) - x) @ p / (p @ p), np.ravel(z), x, p))
            return loss.fun(z)

        def endless(right=right, tried=tried, f=f, slope=slope, c1=c1):
            a, z, x, p = tried[-1]
            if not same(z, x + a * p):
                return f"It looks at {z[:2].round(3)}, which is no x + αp."
            if a < 0:
                return "It looks along -p, where the loss rises: the steps are x + αp."
            if a > 1:
                return "Its steps grow beyond x + p: halve α, and go from the given x each time."
            steps = [a for a, *_ in tried]
            falls = [(a, f - loss.fun(x + a * p), -c1 * a * slope) for a in steps if a > 1e-8]
            for a, fall, least in falls:
                need(fall < least, f"It refuses the step {a:.3g}, at which fun is {fall:.5g} less "
                     f"than f, and c1 α slope asks for {least:.5g} less: take the first such "
                     "step.")  # fmt: skip
            first = ", ".join(f"{a:.3g}" for a in steps[:4])
            return (f"It has evaluated fun 200 times and takes no step: the first are {first}. "
                    f"Halve α each time, down to {right:g} here.")  # fmt: skip

        got = numbers(answer(bounded(fun, 200, endless), x, p, f, slope, c1), None)
        places = [a for a, *_ in tried]
        off = [z for a, z, *_ in tried if not same(z, x + a * p)]
        need(not off, lambda off=off: f"It looks at {off[0][:2].round(3)}, which is no x + αp.")
        need(max(places, default=0) >= 0, "It looks along -p: the steps are x + αp.")
        need(got.shape != (2,) or not any(same(got, a * p) for a in halves),
             "Return the step α alone, not α p.")  # fmt: skip
        need(got.shape != (2,), "Return the step α, not the point that it leads to.")
        found.append(float(numbers(got, ())))
        falls.append(fall), cases.append((c1, slope, p @ p, right))
    c1, slope, norm, right = np.array(cases).T
    found, falls = np.array(found), np.array(falls)

    def slips():
        def chosen(held):
            return np.where(held.any(axis=1), halves[held.argmax(axis=1)], 0)

        def first(share, promise):
            return chosen(falls <= (share * promise)[:, None])

        def without_alpha(sign):  # f + c1 slope: a bound that does not move
            return chosen(rises <= sign * (c1 * slope)[:, None])

        rises, promised = falls * halves, np.outer(c1 * slope, halves)
        fixed = {f"It uses c1 = {c:g} of its own; take the argument c1.": first(c, slope)
                 for c in CONSTANTS}  # fmt: skip
        return {
            "It uses -‖p‖² where Armijo's condition has the slope gᵀp: right for p = -g "
            "alone.": first(c1, -norm),
            "It accepts any decrease, or almost: ask for the share c1 of what the slope promises.":
                first(0, slope),
            "The slope is negative already: the condition adds c1 α slope to f.": first(-c1, slope),
            "It asks for the whole of what the slope promises: c1 is missing.": first(1, slope),
            "The slope is missing: the promise is c1 α slope.": first(c1, np.ones_like(c1)),
            "The slope is missing: the promise is c1 α slope, a decrease.":
                first(-c1, np.ones_like(c1)),
            "It asks for half of the decrease: that is not in the condition.": first(c1 / 2, slope),
            "It asks for 1 - c1 of the promise, not c1.": first(1 - c1, slope),
            "It halves once too often: return the step that was accepted.": right / 2,
            "It returns the last step that was refused.": np.minimum(2 * right, 1),
            "It returns the last step that was refused, or 2.": 2 * right,
            "Try the step 1 first.": np.minimum(right, 0.5),
            "It starts from 2: try the step 1 first.": np.where(right == 1, 2, right),
            "It always returns 1: try smaller steps until one is accepted.": np.ones_like(right),
            "α is missing: the promise is c1 α slope, less for shorter steps.": without_alpha(1),
            "α is missing in c1 α slope, and the slope is negative already.": without_alpha(-1),
            "The inequality is the other way round: it halves while the step is good.": chosen(
                rises > promised),
            "It returns how often it halved; return the step.": -np.log2(right),
            "The promise is c1 α slope: it has the square of α.": chosen(
                rises <= promised * halves),
            "It adds c1 α ‖p‖²: the slope is gᵀp, which is negative.": first(c1, norm),
            "The slope is gᵀp already: it is not multiplied by ‖p‖.": first(c1, slope * norm**0.5),
            "The slope is gᵀp already: it is not divided by ‖p‖.": first(c1, slope / norm**0.5),
            "f is the loss at x: it takes that at the step tried before.": chosen(
                rises <= promised + np.c_[0 * c1, rises[:, :-1]]),
            **fixed,
            **{f"It stops after {n} halvings: go on until a step is accepted.":
               np.maximum(right, 0.5**n) for n in (1, 2, 3, 4, 5, 8, 10)},
        }  # fmt: skip

    if not same(found, right):
        for hint, value in slips().items():
            plain = [np.where(np.abs(v) < 1e-7, 0, v) for v in (found, value)]
            need(not (plain[1].any() and same(*plain)), hint)
    need((found > 0).all(), f"A step must be positive; yours is {found.min():g}.")
    off = found[np.log2(found) % 1 != 0]
    need(not len(off), lambda: f"Halve the step each time: {off[0]:g} is none of 1, ½, ¼, ...")
    long, short = np.flatnonzero(found > right), np.flatnonzero(found < right)
    need(not len(long), lambda: "Armijo's condition fails at the returned step "
         f"{found[long[0]]:g}, with c1 = {c1[long[0]]:g}.")  # fmt: skip
    need(not len(short), lambda: f"Armijo's condition, with c1 = {c1[short[0]]:g}, held for the "
         f"step {right[short[0]]:g} already: stop at the first.")  # fmt: skip


def valleys(rng):
    """Functions of one number with their derivatives, c1 and c2, and whether a flat point of theirs
    may lie high: scaled so that a search from 1, halving or doubling, meets the traps."""
    quadratic = lambda t: t * t / 2 - t, lambda t: t - 1  # noqa: E731
    quartic = lambda t: t**4 / 4 - t, lambda t: t**3 - 1  # noqa: E731
    waves = lambda t: t * t / 20 - np.sin(t), lambda t: t / 10 - np.cos(t)  # noqa: E731
    pairs = [(1e-4, 0.9), (0.1, 0.3), (0.3, 0.5), (0.01, 0.1), (0.2, 0.25)]
    traps = [(waves, 1 / t, (0.1, 0.3)) for t in (5.27, 7.07, 14.14, 2 * 5.27)]
    traps += [(quadratic, 1 / t, (0.45, 0.6)) for t in (1.3, 1.4, 2.6)]  # flat, too long
    traps += [(quadratic, 1 / t, (0.1, 0.15)) for t in (0.75, 1.25, 0.8)]  # c2 is small
    traps += [(quartic, 1 / 1.21, (0.1, 0.3))]  # Armijo holds, and it rises
    others = [(shape, s, pairs[rng.integers(len(pairs))]) for shape in (quadratic, quartic, waves)
              for s in np.geomspace(0.03, 30, 6) * rng.uniform(0.8, 1.25, size=6)]  # fmt: skip
    for k in rng.permutation(len(traps + others)):
        (f, df), s, (c1, c2) = (traps + others)[k]
        base, height = rng.normal() * 5, 10 ** rng.uniform(-1, 1)
        yield (lambda a, f=f, s=s, h=height, b=base: b + h * f(a / s),
               lambda a, df=df, s=s, h=height: h / s * df(a / s), c1, c2)  # fmt: skip


@checker
def check_strong_wolfe(answer, rng):
    """``strong_wolfe(phi, dphi, c1, c2)``: a step that satisfies the strong Wolfe conditions."""

    def ask(phi, dphi, c1, c2):
        tried = []

        def watched(a):
            tried.append(a)
            return phi(a)

        def endless():
            need(tried, "It asks for φ' thousands of times, and never for φ: the first condition, "
                 "that the loss falls enough, needs φ.")  # fmt: skip
            steps = [float(np.ravel(a)[0]) for a in tried if np.any(a)]
            last = f", the last {steps[-1]:.3g}," if steps else ""
            need(not steps or not good((steps[-1], phi, dphi, c1, c2)),
                 lambda: f"It has looked {len(tried)} times{last} and refuses a step at which both "
                 f"conditions hold: {fall(steps[-1], phi, dphi, c1, c2)}; "
                 f"{slope(steps[-1], phi, dphi, c1, c2)}."
                 + " With c1 and c2 in each other's places they do not hold."
                 * (not good((steps[-1], phi, dphi, c2, c1))))  # fmt: skip
            start = "" if len(steps) < len(tried) else f" φ(0) is {phi(0):.3g} here; it never asks."
            return (f"It has looked {len(tried)} times{last} and takes no step; halving and "
                    f"doubling need a dozen.{start}")  # fmt: skip

        got = answer(bounded(watched, 1000, endless), bounded(dphi, 3000, endless), c1, c2)
        return float(numbers(got, ()))

    def first(a, phi, dphi, c1, c2):
        return phi(a) <= phi(0) + c1 * a * dphi(0) + 1e-12

    def second(a, phi, dphi, c1, c2):
        return abs(dphi(a)) <= -c2 * dphi(0) * (1 + 1e-9)

    def good(case):
        return case[0] > 0 and first(*case) and second(*case)

    def fall(a, phi, dphi, c1, c2):
        return f"φ(α) - φ(0) is {phi(a) - phi(0):.3g}, and c1 α φ'(0) is {c1 * a * dphi(0):.3g}"

    def slope(a, phi, dphi, c1, c2):
        return f"φ'(α) is {dphi(a):.3g}, and c2 |φ'(0)| is {-c2 * dphi(0):.3g}"

    found = [(ask(*valley), *valley) for valley in valleys(rng)]

    def all_with(c):
        return all(a > 0 and first(a, p, d, *c(c1, c2)) and second(a, p, d, *c(c1, c2))
                   for a, p, d, c1, c2 in found)  # fmt: skip

    failing = [case for case in found if not good(case)]
    if not failing:
        return
    flat = all(second(*case) for case in found)
    if not flat and all(ask(phi, dphi, 1e-5, 0.95) == a for a, phi, dphi, *_ in found):
        for c in ((0.1, 0.3), (1e-4, 0.9), (1e-4, 0.1), (1e-3, 0.9), (0.1, 0.9), (1e-4, 0.5)):
            need(not all_with(lambda *_, c=c: c),
                 f"It uses c1 = {c[0]:g} and c2 = {c[1]:g} of its own; take the arguments.")
    need(not all_with(lambda c1, c2: (c2, c1)), "c1 and c2 have changed places.")
    need(not flat or not all(phi(a) < phi(0) for a, phi, *_ in found),
         "Its steps are flat enough, and below φ(0), but not by c1 α |φ'(0)|: at the returned step "
         f"{failing[0][0]:.3g} {fall(*failing[0])}.")  # fmt: skip
    need(not flat,
         "Its steps are flat enough, but not all are low enough: where |φ'| is small the loss may "
         "still be high. The first condition fails at the returned step "
         f"{failing[0][0]:.3g}: {fall(*failing[0])}.")  # fmt: skip
    need(not all(abs(dphi(a)) <= c2 for a, _, dphi, _, c2 in found),
         "At all its steps |φ'(α)| is at most c2; the bound is c2 |φ'(0)|.")  # fmt: skip
    a, phi, dphi, c1, c2 = failing[0]
    short, long = (pick(a for a, *_ in found) for pick in (min, max))
    need(short > 0, f"A step must be positive; yours is {short:g}.")
    need(short > 1e-9 or any(good((0.5**k, *case)) for a, *case in found if a <= 1e-9
                             for k in range(20)),
         f"It goes down to a step of {short:.1g}, where 2 or more is one that holds: where φ still "
         "falls steeply, and no step was too long, the next one is twice as long.")  # fmt: skip
    need(short > 1e-9, lambda: next(
        f"It goes down to a step of {a:.1g}, where {s:g} is one that holds: there "
        f"{fall(s, *case)}; {slope(s, *case)}." for a, *case in found for k in range(20)
        if a <= 1e-9 and good(((s := 0.5**k), *case))))  # fmt: skip
    fails = "Wolfe condition fails at the returned step"
    only = " The first alone is met everywhere." * all(first(*case) for case in found)
    only += " None of its steps is longer than 1, where some must be." * (long <= 1)
    need(first(a, phi, dphi, c1, c2), f"The first {fails} {a:.3g}, with c1 = {c1:g}: the loss "
         f"falls too little there: {fall(*failing[0])}.")  # fmt: skip
    need(dphi(a) >= c2 * dphi(0), f"The second {fails} {a:.3g}, with c2 = {c2:g}: it still falls "
         f"steeply there: {slope(*failing[0])}.{only}")  # fmt: skip
    need(False, f"The second {fails} {a:.3g}, with c2 = {c2:g}: it rises steeply there, and the "
         f"strong condition bounds |φ'(α)|, not φ'(α) alone: {slope(*failing[0])}.")  # fmt: skip
