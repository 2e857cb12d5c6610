"""Steps that satisfy the strong Wolfe conditions."""

import itertools

import numpy as np

from ..hints import Hint, bounded, checker, need, numbers, probe


def valleys(rng):
    """Yield functions of one number with their derivatives, c1 and c2.

    They are scaled so that a search from 1, halving or doubling, meets the traps. The good steps of
    the last two are a thousand times shorter and longer than 1, and the last takes 14 trials.
    """
    quadratic = lambda t: t * t / 2 - t, lambda t: t - 1  # noqa: E731
    quartic = lambda t: t**4 / 4 - t, lambda t: t**3 - 1  # noqa: E731
    waves = lambda t: t * t / 20 - np.sin(t), lambda t: t / 10 - np.cos(t)  # noqa: E731
    bent = lambda t: np.cos(t + 0.3), lambda t: -np.sin(t + 0.3)  # noqa: E731 steepest later
    tail = lambda t: t * t / 200 + np.exp(-t), lambda t: t / 100 - np.exp(-t)  # noqa: E731
    pairs = [(1e-4, 0.9), (0.1, 0.3), (0.3, 0.5), (0.01, 0.1), (0.2, 0.25)]
    traps = [(waves, 1 / t, (0.1, 0.3)) for t in (5.27, 6.3, 7.07, 14.14, 2 * 5.27)]
    traps += [(quadratic, 1 / t, (0.45, 0.6)) for t in (1.3, 1.4, 2.6)]  # flat, too long
    traps += [(quadratic, 1 / t, (0.1, 0.15)) for t in (0.75, 1.25, 0.8)]  # c2 is small
    traps += [(quartic, 1 / 1.21, (0.1, 0.3)), (bent, 1, (0.1, 0.3))]  # Armijo holds, and it rises
    traps += [(tail, 1 / 3.2, (0.3, 0.5))]  # even the lowest point is not low enough
    others = [
        (shape, s, pairs[rng.integers(len(pairs))])
        for shape in (quadratic, quartic, waves)
        for s in np.geomspace(0.03, 30, 6) * rng.uniform(0.8, 1.25, size=6)
    ]
    cases = [(traps + others)[k] for k in rng.permutation(len(traps + others))]
    ends = 1e-3 * rng.uniform(0.8, 1.25), 1e3 * rng.uniform(1.22, 1.32)
    cases += [(quadratic, s, (0.1, 0.15)) for s in ends]
    for (f, df), s, (c1, c2) in cases:
        base, height = rng.normal() * 5, 10 ** rng.uniform(-1, 1)
        yield (
            lambda a, f=f, s=s, h=height, b=base: b + h * f(a / s),
            lambda a, df=df, s=s, h=height: h / s * df(a / s),
            c1,
            c2,
        )


@checker
def check_strong_wolfe(answer, rng):
    """Check ``strong_wolfe(phi, dphi, c1, c2)``, a step with the strong Wolfe conditions."""

    trials = []

    def ask(phi, dphi, c1, c2):
        trials.append(tried := [])

        def watched(a):
            tried.extend(np.ravel(a).tolist())  # it may ask for many at once
            return phi(a)

        def endless():
            steps = [np.float64(a) for a in tried if a]
            need(
                steps or len(tried) >= 2000,
                "It asks for φ' thousands of times, and never for φ "
                "but at 0: the first condition, that the loss falls enough, needs φ(α).",
            )
            looked = f"It has looked {len(tried)} times" + " at φ, 6000 at φ'" * (len(tried) < 2000)
            looked += "".join(f", the last {a:.3g}," for a in steps[-1:]) + " and takes no step"
            held = [case for a in steps if good(case := (a, phi, dphi, c1, c2))]
            need(
                not held,
                lambda: (
                    f"{looked}, though it was at {held[0][0]:.3g}, where both "
                    f"conditions hold: {fall(*held[0])}; {slope(*held[0])}."
                ),
            )
            start = "" if len(steps) < len(tried) else f" φ(0) is {phi(0):.3g} here; it never asks."
            return f"{looked}; halving and doubling need a dozen.{start}"

        got = answer(bounded(watched, 2000, endless), bounded(dphi, 6000, endless), c1, c2)
        return float(numbers(got, ()))

    def right_with(change):
        """Is all right once the arguments of each call are changed in this way?"""
        for case in cases:
            phi, dphi, *c = change(*case)
            a = probe(answer, (), bounded(phi, 2000, ""), bounded(dphi, 6000, ""), *c)
            if a is None or not good((a, *case)):
                return False
        return True

    def from_zero(phi, dphi, *c):
        return lambda a: phi(a) - phi(0), dphi, *c

    def unit_slope(phi, dphi, *c):
        return lambda a: phi(a) / abs(dphi(0)), lambda a: dphi(a) / abs(dphi(0)), *c

    def first(a, phi, dphi, c1, c2):
        return phi(a) <= phi(0) + c1 * a * dphi(0) + 1e-12

    def second(a, phi, dphi, c1, c2):
        return abs(dphi(a)) <= -c2 * dphi(0) * (1 + 1e-9)

    def good(case):
        return case[0] > 0 and first(*case) and second(*case)

    def fall(a, phi, dphi, c1, c2):
        return f"φ(α) - φ(0) is {phi(a) - phi(0):.5g}, and c1 α φ'(0) is {c1 * a * dphi(0):.5g}"

    def slope(a, phi, dphi, c1, c2):
        return f"φ'(α) is {dphi(a):.5g}, and c2 |φ'(0)| is {-c2 * dphi(0):.5g}"

    *cases, near, far = valleys(rng)
    try:
        found = [(ask(*case), *case) for case in cases]
    except Hint:
        need(
            not right_with(lambda phi, dphi, c1, c2: (phi, dphi, c2, c1)),
            "c1 and c2 have changed places: given the other way round, all is right.",
        )
        need(
            not right_with(from_zero),
            "Right for a φ with φ(0) = 0 alone: in the first condition stands φ(0).",
        )
        need(
            not right_with(unit_slope),
            "Right for a φ with |φ'(0)| = 1 alone: φ'(0) stands in both conditions.",
        )
        raise

    def all_with(c):
        return all(
            a > 0 and first(a, p, d, *c(c1, c2)) and second(a, p, d, *c(c1, c2))
            for a, p, d, c1, c2 in found
        )

    failing = [case for case in found if not good(case)]
    for case in () if failing else (near, far):
        a = ask(*case)
        phi, dphi, *_ = case
        need(
            good((a, *case)),
            "Right where a step from 1/30 to 30 is. It returns "
            f"{a:.4g}, after {len(trials[-1])} calls of φ, where φ is lowest at "
            f"{dphi(0) / (dphi(0) - dphi(1)):.4g}: {fall(a, *case)}; {slope(a, *case)}.",
        )
    if not failing:
        return
    flat = all(second(*case) for case in found)
    if not flat and all(ask(phi, dphi, 1e-5, 0.95) == a for a, phi, dphi, *_ in found):
        for c in ((0.1, 0.3), (1e-4, 0.9), (1e-4, 0.1), (1e-3, 0.9), (0.1, 0.9), (1e-4, 0.5)):
            need(
                not all_with(lambda *_, c=c: c),
                f"Its steps stay as they are with other c1, c2: right with {c[0]:g} and {c[1]:g}.",
            )
    need(
        not right_with(from_zero),
        lambda: (
            "Right for a φ with φ(0) = 0 alone; in the first "
            f"condition stands φ(0), which is {failing[0][1](0):.3g} for one."
        ),
    )
    need(
        not flat or not all(phi(a) < phi(0) for a, phi, *_ in found),
        "Its steps are flat enough, and below φ(0), but not by c1 α |φ'(0)|: at the returned step "
        f"{failing[0][0]:.3g} {fall(*failing[0])}.",
    )
    need(
        not flat,
        "Its steps are flat enough, but not all are low enough: where |φ'| is small the loss may "
        "still be high. The first condition fails at the returned step "
        f"{failing[0][0]:.3g}: {fall(*failing[0])}.",
    )
    need(
        not right_with(unit_slope),
        lambda: (
            "Right for a φ with |φ'(0)| = 1 alone: the bound for "
            f"|φ'(α)| is c2 |φ'(0)|, and |φ'(0)| is {abs(failing[0][2](0)):.3g} for one."
        ),
    )
    a, phi, dphi, c1, c2 = failing[0]
    short, long = (pick(a for a, *_ in found) for pick in (min, max))
    need(short > 0, f"A step must be positive; yours is {short:g}.")
    need(
        short > 1e-9
        or any(good((0.5**k, *case)) for a, *case in found if a <= 1e-9 for k in range(20)),
        f"It goes down to a step of {short:.1g}, where none of 1, ½, ¼, ... holds: where φ still "
        "falls steeply, and no step was too long, the next one is twice as long.",
    )
    need(
        short > 1e-9,
        lambda: next(
            f"It goes down to a step of {a:.1g}, where {s:g} is one that holds: there "
            f"{fall(s, *case)}; {slope(s, *case)}."
            for a, *case in found
            for k in range(20)
            if a <= 1e-9 and good(((s := 0.5**k), *case))
        ),
    )
    fails = "Wolfe condition fails at the returned step"
    only = " The first alone is met everywhere." * all(first(*case) for case in found)
    only += " None of its steps is longer than 1, where some must be." * (long <= 1)
    need(
        first(a, phi, dphi, c1, c2),
        f"The first {fails} {a:.3g}, with c1 = {c1:g}: the loss "
        f"falls too little there: {fall(*failing[0])}.",
    )
    need(
        dphi(a) >= c2 * dphi(0),
        f"The second {fails} {a:.3g}, with c2 = {c2:g}: it still falls "
        f"steeply there: {slope(*failing[0])}.{only}",
    )
    weak = all(first(*case) and case[2](case[0]) >= case[4] * case[2](0) for case in found)
    strong = ", and the strong condition bounds |φ'(α)|" * weak
    tried = trials[next(i for i, case in enumerate(found) if case is failing[0])]
    for b, d in itertools.pairwise(t for t in tried if t > 0):
        if b < d and dphi(b) > -c2 * dphi(0):
            only += f" After {b:.3g}, where φ' is {dphi(b):.3g}, it tries {d:.3g}, a longer one."
            break
    need(
        False,
        f"The second {fails} {a:.3g}, with c2 = {c2:g}: it rises steeply there{strong}: "
        f"{slope(*failing[0])}.{only}",
    )
