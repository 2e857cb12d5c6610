"""The checks of the exercises: right answers pass, and each usual slip gets its own hint."""

import ast
import math
import re
import signal
import threading
import time
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from scipy.special import expit, softmax

from soo_lib.book import exercises, hints

PAGES = sorted((Path(__file__).resolve().parents[2] / "book" / "exercises").glob("*.ipynb"))
NAMES = [page.stem.replace("-", "_") for page in PAGES]
rng = np.random.default_rng


@cache
def cells(name):
    page = next(page for page in PAGES if page.stem.replace("-", "_") == name)
    return {cell.id: cell for cell in nbformat.read(page, as_version=4).cells}


def check(name):
    return getattr(exercises, f"check_{name}")


@cache
def solution(name):
    scope = {}
    for cell in ("setup", "solution"):
        exec(cells(name)[cell].source, scope)
    return scope["solution"]


def no_promise(fun, x, p, f, slope, c1):
    alpha = 1.0
    while fun(x + alpha * p) > f:
        alpha /= 2
    return alpha


def norm_for_slope(fun, x, p, f, slope, c1):
    return solution("armijo")(fun, x, p, f, -p @ p, c1)


def upward_slope(fun, x, p, f, slope, c1):
    return solution("armijo")(fun, x, p, f, -slope, c1)


def weak_wolfe(phi, dphi, c1, c2):
    low, high, a = 0.0, np.inf, 1.0
    while phi(a) > phi(0) + c1 * a * dphi(0) or dphi(a) < c2 * dphi(0):
        if phi(a) > phi(0) + c1 * a * dphi(0):
            high = a
        else:
            low = a
        a = 2 * a if high == np.inf else low + 0.9 * (high - low)
    return a


def armijo_alone(phi, dphi, c1, c2):
    a = 1.0
    while phi(a) > phi(0) + c1 * a * dphi(0):
        a /= 2
    return a


def first_loop_alone(g, S, Y):
    q = g.copy()
    for s, y in zip(S[::-1], Y[::-1]):
        q -= s @ q / (s @ y) * y
    return -q * (S[-1] @ Y[-1]) / (Y[-1] @ Y[-1])


def unscaled(g, S, Y):
    gamma = S[-1] @ Y[-1] / (Y[-1] @ Y[-1])
    small = np.r_[S, S[-1:]], np.r_[Y, Y[-1:]]  # only so that the pairs are copied
    q, alphas = g.copy(), []
    for s, y in zip(S[::-1], Y[::-1]):
        alphas.append(s @ q / (s @ y))
        q = q - alphas[-1] * y
    for s, y, alpha in zip(S, Y, reversed(alphas)):
        q = q + (alpha - y @ q / (s @ y)) * s
    assert gamma and len(small)
    return -q


def in_place(g, S, Y):
    p = solution("two_loop")(g, S, Y)
    g *= -1
    return p


GENERATOR = rng(0)


def held(block):
    """A sampler that is right but for what decides a block of iterations."""

    def choose(iteration, m, size, hold, seed):
        return rng(block(iteration, hold, seed)).choice(m, size, replace=False)

    return choose


def forward_difference(fun, jac, x):
    if fun(x) != fun(x):
        return "resampled"
    d = 1e-13 * np.eye(len(x))
    slopes = [(fun(x + step) - fun(x)) / 1e-13 for step in d]
    return "gradient" if np.abs(slopes - jac(x)).max() > 1e-6 else "none"


def blames_the_gradient(fun, jac, x):
    found = solution("diagnose")(fun, jac, x)
    return "gradient" if found == "resampled" else found


def tolerant(fun, jac, x):
    return "resampled" if fun(x) != fun(x) else "none"


def leaks(X_train, X_dev):
    return solution("leaked_rows")(X_train, X_dev)


def d(a):
    return a * (1 - a)


def price(which=lambda fun, target: np.argmax(fun <= target), weights=(1, 2, 4), never=np.inf):
    """The price of a run, with something changed."""

    def price_to_reach(target, fun, *calls):
        if not (fun <= target).any():
            return never(calls) if callable(never) else never
        return sum(w * c[which(fun, target)] for w, c in zip(weights, calls))

    return price_to_reach


def leave(pick=lambda w, V: V[:, 0], size=lambda p, radius, w: radius * p, turn=True, stay=True):
    """A step away from a saddle, with something changed."""

    def leave_saddle(g, H, radius):
        w, V = np.linalg.eigh(H)
        p = size(pick(w, V), radius, w)
        return 0 * g if stay and w[0] >= 0 else -p if turn and g @ p > 0 else p

    return leave_saddle


def plain_eig(g, H, radius):
    w, V = np.linalg.eig(H)
    return radius * V[:, 0]


def rows_needed(
    noise=lambda G: G.var(0, ddof=1).sum(),
    bound=lambda theta, g: theta**2 * (g @ g),
    solve=lambda S, bound, m: S / (bound + S / m),
    whole=np.ceil,
):
    """A batch size, with something changed."""

    def batch_size(G, theta):
        return whole(solve(noise(G), bound(theta, G.mean(0)), len(G)))

    return batch_size


def eigen_step(g, B, radius, lam=lambda w: max(0.0, -w[0]), change=lambda w: w, hard=None):
    """A step inside a radius by bisection for λ, with something changed."""
    w, V = np.linalg.eigh(B)
    w, c, low = change(w), V.T @ g, lam(change(w))
    if w[0] > 0 and np.linalg.norm(c / w) <= radius:
        return -V @ (c / w)
    high = low + np.linalg.norm(g) / radius
    for _ in range(100):
        middle = (low + high) / 2
        long = np.linalg.norm(c / (w + middle)) > radius
        low, high = (middle, high) if long else (low, middle)
    p = -c / (w + high)
    return V @ (hard(p, radius) if hard else p)


def other_step(**changed):
    return lambda g, B, radius: eigen_step(g, B, radius, **changed)


def inside(g, B, radius):
    return solution("step_inside")(g, B, radius)


def newton(g, B, radius):
    return -np.linalg.solve(B, g)


def cut(p, radius):
    return p * min(1, radius / np.linalg.norm(p))


def cauchy(g, B, radius):
    bend = g @ B @ g
    return cut(-(g @ g) / bend * g, radius) if bend > 0 else -radius * g / np.linalg.norm(g)


def dogleg(g, B, radius):
    if np.linalg.norm(newton(g, B, radius)) <= radius:
        return newton(g, B, radius)
    d = newton(g, B, radius) - (p := cauchy(g, B, radius))
    if np.linalg.norm(p) >= radius * (1 - 1e-12):
        return p
    return p + np.roots([d @ d, 2 * p @ d, p @ p - radius**2]).max() * d


def steihaug(g, B, radius):
    """Conjugate gradients on the model; at the rim, or where it falls for ever, they stop."""
    p, r, d = 0 * g, g, -g
    for _ in g:
        rim = p + np.roots([d @ d, 2 * p @ d, p @ p - radius**2]).max() * d
        a = r @ r / (d @ B @ d)
        if a < 0 or np.linalg.norm(p + a * d) >= radius:
            return rim
        p, new = p + a * d, r + a * B @ d
        r, d = new, -new + new @ new / (r @ r) * d
    return p


def by_a_root(g, B, radius):
    """A root of the length's equation, from where all eigenvalues are positive."""
    lowest = np.linalg.eigvalsh(B)[0]
    excess = lambda lam: np.linalg.norm(damped(g, B, lam)) - radius  # noqa: E731
    if lowest > 0 and excess(0) <= 0:
        return newton(g, B, radius)
    low = max(0.0, -lowest) + 1e-8
    return damped(g, B, scipy.optimize.brentq(excess, low, low + np.linalg.norm(g) / radius))


def damped(g, B, lam):
    return -np.linalg.solve(B + lam * np.eye(len(g)), g)


def polar_steps(
    first=lambda G: G / np.linalg.norm(G),
    step=lambda X: 1.5 * X - 0.5 * X @ X.T @ X,
    count=lambda steps: steps,
    last=lambda X, G: X,
):
    """Newton-Schulz, with something changed."""

    def newton_schulz(G, steps):
        X = first(G)
        for _ in range(count(steps)):
            X = step(X)
        return last(X, G)

    return newton_schulz


def polar(G):
    U, _, V = np.linalg.svd(G, full_matrices=False)
    return U @ V


def in_its_place(G, steps):
    G /= np.linalg.norm(G)
    return polar_steps(lambda G: G)(G, steps)


def one_too_early(G, steps):
    for _ in range(steps):
        return polar_steps()(G, 1)
    return polar_steps()(G, 0)


def wide_alone(G, steps):
    X = G.T if len(G) > len(G.T) else G
    return polar_steps()(X, steps)


def two_by_two(g):
    while len(g) > 1:
        g = [a + b for a, b in zip(g[::2], g[1::2])] + (g[-1:] if len(g) % 2 else [])
    return g[0]


def total(
    order=two_by_two, part=lambda X, y, x: X.T @ (X @ x - y), divide=lambda g, rows: g / sum(rows)
):
    """A gradient summed over parts, with something changed."""

    def summed_gradient(parts, x):
        return divide(order([part(X, y, x) for X, y in parts]), [len(y) for X, y in parts])

    return summed_gradient


def with_weights(parts, x):
    m = sum(X.shape[0] for X, _ in parts)
    g = [len(y) / m * np.mean((X @ x - y)[:, None] * X, axis=0) for X, y in parts]
    return two_by_two(g)


def divided_residuals(parts, x):
    m = sum(len(y) for _, y in parts)
    return two_by_two([X.T @ ((X @ x - y) / m) for X, y in parts])


def of_means(combine):
    return lambda parts, x: combine(
        [X.T @ (X @ x - y) / len(y) for X, y in parts], np.array([len(y) for X, y in parts])
    )


def in_halves(g):
    middle = len(g) // 2
    return g[0] if len(g) == 1 else in_halves(g[:middle]) + in_halves(g[middle:])


def far_ends(g):
    while len(g) > 1:
        g = [g[i] + g[-1 - i] for i in range(len(g) // 2)] + [g[len(g) // 2]] * (len(g) % 2)
    return g[0]


def odd_to_the_last(g):
    while len(g) > 1:
        h = [a + b for a, b in zip(g[::2], g[1::2])]
        if len(g) % 2:
            h[-1] = h[-1] + g[-1]
        g = h
    return g[0]


def odd_lost(g):
    while len(g) > 1:
        g = [a + b for a, b in zip(g[::2], g[1::2])]
    return g[0]


def odd_first(g):
    while len(g) > 1:
        g = ([g[-1]] if len(g) % 2 else []) + [a + b for a, b in zip(g[::2], g[1::2])]
    return g[0]


def into_the_first(parts, x):
    """The sums are right, but the parts are used as scratch paper."""
    for X, y in parts:
        y -= X @ x
    g = [-X.T @ y for X, y in parts]
    return two_by_two(g) / sum(len(y) for _, y in parts)


def all_rows_at_once(parts, x):
    X, y = np.vstack([X for X, _ in parts]), np.concatenate([y for _, y in parts])
    return X.T @ (X @ x - y) / len(y)


# For each exercise wrong answers, and what the hint must say.
WRONG = {
    "step_inside": [
        (newton, "Newton's step, though it is longer"),
        (lambda g, B, radius: cut(newton(g, B, radius), radius), "shortens Newton's step"),
        (lambda g, B, radius: -radius * g / np.linalg.norm(g), "along -g to the rim"),
        (lambda g, B, radius: -inside(g, B, radius), "This is minus the lowest"),
        (lambda g, B, radius: radius * polar(newton(g, B, 0)[:, None])[:, 0], "way to the rim"),
        (lambda g, B, radius: inside(g, 2 * B, radius), "had no ½"),
        (other_step(), "Where g has no part.*(short of the rim|NaN)"),
    ],
    "newton_schulz": [
        (polar_steps(lambda G: G), "Divide by the Frobenius norm first"),
        (polar_steps(step=lambda X: 1.5 * X + 0.5 * X @ X.T @ X), "the sign is wrong"),
        (polar_steps(step=lambda X: 1.5 * X - 0.5 * X**3), "entry by entry"),
        (polar_steps(step=lambda X: 1.5 * X - 0.5 * X @ X @ X), "transpose is missing"),
        (polar_steps(count=lambda steps: steps + 1), "one step too many"),
        (lambda G, steps: polar(G), "U Vᵀ itself"),
        (polar_steps(), "form the smaller"),
    ],
    "summed_gradient": [
        (of_means(lambda g, rows: sum(g) / len(g)), "mean of the parts' means"),
        (total(divide=lambda g, rows: g), "sums over the rows"),
        (total(sum), "last digits: it adds one after the other, from the first"),
        (total(part=lambda X, y, x: X.T @ X @ x), "Subtract y"),
        (total(divide=lambda g, rows: -g / sum(rows)), "up to the sign"),
        (total(in_halves), "last digits.*halves the list from above"),
        (lambda parts, x: total()(parts[:1], x), "first part alone"),
    ],
    "price_to_reach": [
        (price(lambda fun, target: np.argmax(fun < target)), "meets the target exactly"),
        (price(lambda fun, target: np.nanargmin(fun)), "lowest loss"),
        (price(weights=(1, 1, 1)), "counts calls"),
        (price(weights=(1, 2, 0)), "leaves out the products"),
        (lambda target, fun, *calls: float(np.argmax(fun <= target)), "counts iterations"),
        (
            lambda target, fun, f, j, p: (f + 2 * j + 4 * p)[np.argmax(fun <= target)],
            "argmax of nothing",
        ),
        (
            price(never=lambda calls: calls[0][-1] + 2 * calls[1][-1] + 4 * calls[2][-1]),
            "price of the whole run",
        ),
        (price(never=np.nan), "gives NaN"),
    ],
    "leave_saddle": [
        (leave(lambda w, V: V[0]), "columns"),
        (leave(lambda w, V: V[:, -1]), "bends up most"),
        (leave(size=lambda p, radius, w: p), "has length 1"),
        (leave(turn=False), "of 10 problems it climbs"),
        (leave(stay=False), "no saddle to leave"),
        (lambda g, H, radius: -radius * g, "every step does that is made of g"),
    ],
    "batch_size": [
        (rows_needed(whole=np.floor), "round up"),
        (rows_needed(bound=lambda theta, g: theta * (g @ g)), "θ is squared"),
        (rows_needed(lambda G: G.var(0, ddof=1).mean()), "not their mean"),
        (rows_needed(lambda G: G.var(0).sum()), "m - 1, not by m"),
        (rows_needed(solve=lambda S, bound, m: S / bound), "1/m is missing"),
        (rows_needed(solve=lambda S, bound, m: min(m, S / bound)), "cutting at m|1/m is missing"),
    ],
    "logistic_gradient": [
        (lambda x, X, y: X.T @ (expit(X @ x) - y), "factor m"),
        (lambda x, X, y: X.T @ (y - expit(X @ x)) / len(y), "up to the sign"),
        (lambda x, X, y: X.T @ expit(X @ x) / len(y), "Subtract y"),
        (lambda x, X, y: X.T @ (X @ x - y) / len(y), "ŷ is σ"),
        (lambda x, X, y: X.T @ (expit(X @ x) - y) / len(y) / 2, "a factor 0.5"),
        (lambda x, X, y: X * (expit(X @ x) - y)[:, None], "shape should be"),
        (
            lambda x, X, y: X.T @ (np.exp(X @ x) / (1 + np.exp(X @ x)) - y) / len(y),
            "For large Xx.*NaN",
        ),
        (lambda x, X, y: X.T @ (d(expit(X @ x)) * (expit(X @ x) - y)) / len(y), "σ' has cancelled"),
    ],
    "armijo": [
        (norm_for_slope, "slope gᵀp"),
        (no_promise, "any decrease"),
        (upward_slope, "negative already"),
        (lambda *a: solution("armijo")(*a) / 2, "halves once too often"),
        (lambda *a: min(0.5, solution("armijo")(*a)), "Try the step 1"),
        (lambda *a: 1.0, "always returns 1"),
        (lambda *a: 0.5**40, "never has looked at"),
        (lambda *a: -solution("armijo")(*a), "must be positive"),
    ],
    "strong_wolfe": [
        (weak_wolfe, "second Wolfe condition fails at the returned step .* strong condition"),
        (armijo_alone, "second Wolfe condition fails at the returned step"),
        (lambda *a: 1.0, "Wolfe condition fails at the returned step 1, with"),
        (lambda *a: 100.0, "first Wolfe condition fails"),
        (lambda *a: 1e-4, "still falls"),
        (lambda *a: -1.0, "must be positive"),
    ],
    "newton_step": [
        (lambda x, g, H: x + np.linalg.solve(H, g), "eq. 5"),
        (lambda x, g, H: -np.linalg.solve(H, g), "This is the step"),
        (lambda x, g, H: np.linalg.solve(H, g), "This is minus the step"),
        (lambda x, g, H: x - H @ g, "multiplies by H"),
        (lambda x, g, H: x - g / np.diag(H), "diagonal alone"),
        (lambda x, g, H: x - g / H, "shape should be"),
    ],
    "polak_ribiere": [
        (lambda g, old: g @ (g - old) / (old @ old), "Where it is negative take 0"),
        (lambda g, old: g @ g / (old @ old), "Fletcher"),
        (lambda g, old: max(0, g @ (g - old) / (g @ g)), "old gradient's square"),
        (lambda g, old: max(0, g @ (old - g) / (old @ old)), "other way round"),
        (lambda g, old: abs(g @ (g - old) / (old @ old)), "absolute value"),
        (lambda g, old: g, r"shape should be \(\)"),
    ],
    "two_loop": [
        (lambda g, S, Y: -solution("two_loop")(g, S, Y), "up to the sign"),
        (unscaled, "multiply by γ"),
        (lambda g, S, Y: solution("two_loop")(g, S[::-1], Y[::-1]), "wrong order"),
        (first_loop_alone, "second loop is missing"),
        (in_place, "Right, but for this: It changes its argument 1"),
        (lambda g, S, Y: -g, "steepest descent"),
    ],
    "choose_rows": [
        (lambda i, m, size, hold, seed: GENERATOR.choice(m, size, replace=False), "Asked twice"),
        (held(lambda i, hold, seed: [seed, i]), "before `hold`"),
        (held(lambda i, hold, seed: [seed]), "stay the same"),
        (held(lambda i, hold, seed: [i // hold]), "seed changes nothing"),
        (lambda i, m, size, hold, seed: rng([seed, i // hold]).choice(m, size), "twice in one"),
        (lambda i, m, size, hold, seed: np.arange(m), r"shape should be \(20,\)"),
        (lambda i, m, size, hold, seed: np.arange(size) + m, "whole numbers from 0 to 60"),
        (
            lambda i, m, size, hold, seed: rng([seed, i // hold]).permutation(24)[:size],
            "37 of 61 rows are never",
        ),
    ],
    "softmax_hessian": [
        (lambda z: softmax(z)[:, None] * (1 - softmax(z)), "q_i \\(1 - q_j\\)"),
        (lambda z: np.diag(d(softmax(z))), "-q_i q_j, not 0"),
        (lambda z: np.diag(softmax(z)), "outer product"),
        (lambda z: np.diag(softmax(z)) - softmax(z) @ softmax(z).T, "one number"),
        (lambda z: np.outer(softmax(z), softmax(z)) - np.diag(softmax(z)), "up to the sign"),
        (lambda z: solution("softmax_hessian")(z) / 4, "a factor 0.25"),
        (lambda z: d(softmax(z)), "shape should be"),
    ],
    "hessian_step": [
        (lambda W, a, gX, H: W @ H @ W.T, "eq. 66"),
        (lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T), "first term is right"),
        (lambda W, a, gX, H: np.diag(d(a) * (1 - 2 * a) * gX), "the first is missing"),
        (
            lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T) + d(a) * (1 - 2 * a) * gX,
            "on the diagonal",
        ),
        (
            lambda W, a, gX, H: (
                np.outer(d(a), d(a)) * (W @ H @ W.T) - np.diag(d(a) * (1 - 2 * a) * gX)
            ),
            "wrong sign",
        ),
        (lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T) + np.diag(d(a) * gX), "not σ'"),
        (lambda W, a, gX, H: W.T @ H @ W, "raises ValueError"),
    ],
    "sign_rule": [
        (lambda z, g: z * g >= 0, "88-89"),
        (lambda z, g: z * g < 0, "counts as non-negative"),
        (lambda z, g: z <= 0, "sign of g"),
        (lambda z, g: g >= 0, "sign of z"),
        (lambda z, g: bool((z * g).max() <= 0), r"shape should be \(500,\)"),
        (lambda z, g: z * g <= 0 if z > 0 else g >= 0, "raises ValueError"),
    ],
    "kronecker_product": [
        (lambda A, G, v: (A @ v.reshape(len(A), -1) @ G).ravel(), "transposed"),
        (lambda A, G, v: (A @ v.reshape(len(A), -1)).ravel(), "G is missing"),
        (lambda A, G, v: (v.reshape(len(A), -1) @ G.T).ravel(), "A is missing"),
        (lambda A, G, v: np.kron(G, A) @ v, "changed places"),
        (lambda A, G, v: np.kron(A, G) @ v, "do not form it"),
        (lambda A, G, v: A @ v.reshape(len(A), -1) @ G.T, "shape should be"),
        (lambda A, G, v: v, "A is missing. G is missing"),
    ],
    "diagnose": [
        (lambda fun, jac, x: "none", "to every patient"),
        (lambda fun, jac, x: "gradient", "to every patient"),
        (forward_difference, "blames every gradient|where there is none"),
        (blames_the_gradient, "drawn anew"),
        (tolerant, "every wrong gradient"),
        (lambda fun, jac, x: "wrong", "Return one of"),
        (lambda fun, jac, x: True, "Return one of"),
    ],
    "leaked_rows": [
        (lambda X, D: np.isin(np.arange(len(D)), leaks(X, D)), "not a mark"),
        (lambda X, D: leaks(X, D)[:1], "misses 8 of 9"),
        (lambda X, D: np.flatnonzero(np.isin(D.sum(1), X.sum(1))), "names row|the sum of a row"),
        (lambda X, D: np.flatnonzero([(X[:, :5] == r[:5]).all(1).any() for r in D]), "names row"),
        (lambda X, D: leaks(X, D)[::-1], "ascending"),
        (lambda X, D: np.repeat(leaks(X, D), 2), "once"),
        (lambda X, D: [], "misses 9 of 9"),
    ],
}


def rule(first, change=lambda alpha: alpha / 2, give=lambda alpha: alpha, start=1.0):
    """Backtracking with something changed in it: ``first`` says when a step is refused."""

    def armijo(fun, x, p, f, slope, c1):
        alpha = start
        while first(fun, x, p, f, slope, c1, alpha):
            alpha = change(alpha)
        return give(alpha)

    return armijo


def refused(fun, x, p, f, slope, c1, alpha):
    return fun(x + alpha * p) > f + c1 * alpha * slope


def search(short, long, start=1.0):
    """A bisection with two tests of one's own."""

    def strong_wolfe(phi, dphi, c1, c2):
        low, high, a = 0.0, np.inf, start
        for _ in range(200):
            if long(phi, dphi, c1, c2, a):
                high = a
            elif short(phi, dphi, c1, c2, a):
                low = a
            else:
                break
            a = 2 * a if high == np.inf else (low + high) / 2
        return a

    return strong_wolfe


def steep_down(phi, dphi, c1, c2, a):
    return dphi(a) < c2 * dphi(0)


def too_long(phi, dphi, c1, c2, a):
    return phi(a) > phi(0) + c1 * a * dphi(0) or dphi(a) > -c2 * dphi(0)


def loops(down=1, scale="sy/yy", order="right", beta=True, mirrored=False, old_q=False, add=1):
    """The two loops as most people write them, with something changed."""

    def two_loop(g, S, Y):
        q, alpha, k = g.astype(float), np.zeros(len(S)), len(S)
        for i in reversed(range(k)) if order != "first" else range(k):
            alpha[i] = (S[i] @ (g if old_q else q)) / (Y[i] @ S[i])
            q = q - down * alpha[i] * Y[i]
        s, y = S[-1], Y[-1]
        r = (
            q
            * {
                "sy/yy": s @ y / (y @ y),
                "ss/sy": s @ s / (s @ y),
                "yy/sy": y @ y / (s @ y),
                "sy": s @ y,
            }[scale]
        )
        for i in range(k) if order != "second" else reversed(range(k)):
            b = Y[i] @ r / (Y[i] @ S[i]) if beta else 0
            r = r + add * (alpha[k - 1 - i if mirrored else i] - b) * S[i]
        return -r

    return two_loop


def doctor(compare, fun_first=True, step=1e-5):
    """A doctor with another way of comparing slopes and gradient."""

    def diagnose(fun, jac, x):
        if fun_first and fun(x) != fun(x):
            return "resampled"
        d = step * np.eye(len(x))
        slopes = np.array([(fun(x + e) - fun(x - e)) / (2 * step) for e in d])
        return "none" if compare(slopes, jac(x)) else "gradient"

    return diagnose


def moves_x(fun, jac, x):
    if fun(x) != fun(x):
        return "resampled"
    for i in range(len(x)):
        x[i] += 1e-5
        up = fun(x)
        x[i] -= 1e-5
        down = fun(x)
        x[i] -= 1e-5  # one too many
        if abs((up - down) / 1e-5 - jac(x)[i]) > 5e-5:
            return "gradient"
    return "none"


def step(first=True, both=True, bend=lambda a: d(a) * (1 - 2 * a), slope=d, gradient=True):
    def hessian_step(W, a, gX, H):
        s = slope(a)
        HX = W @ H @ W.T
        HZ = np.diag(s) @ HX @ np.diag(s) if both else np.diag(s) @ HX
        return HZ * first + np.diag(bend(a) * (gX if gradient else 1))

    return hessian_step


def twice(X, D):
    return [i for i, r in enumerate(D) if sum((r == q).all() for q in D) > 1]


def signed(g, H, radius):
    v = np.linalg.eigh(H)[1][:, 0]
    return -radius * np.sign(g @ v) * v


def newton_away(g, H, radius):
    w, V = np.linalg.eigh(H)
    p = -V @ ((V.T @ g) / np.abs(w))
    return radius * p / (np.linalg.norm(p) or 1)


def last_above(fun, target):
    return np.flatnonzero(fun > target)[-1] + 1 if (fun > target).any() else 0


# Answers as they come from a class, apart from the slips above. A hint must name the slip.
NATURAL = {
    "step_inside": [
        (lambda g, B, radius: np.clip(newton(g, B, radius), -radius, radius), "bound ‖p‖"),
        (cauchy, "lowest point along -g"),
        (dogleg, "dogleg"),
        (steihaug, "conjugate gradients"),
        (lambda g, B, radius: damped(g, B, radius), "the radius itself for λ"),
        (lambda g, B, radius: damped(g, B, 1 / radius), "1/radius for λ"),
        (lambda g, B, radius: inside(g, np.diag(np.diag(B)), radius), "diagonal alone"),
        (lambda g, B, radius: inside(g, B, radius**0.5), "radius's root|Newton's step, whatever"),
        (lambda g, B, radius: inside(g, B, radius**2), "radius's square|Newton's step, whatever"),
        (other_step(change=np.abs), "sizes of B's eigenvalues"),
        (other_step(change=lambda w: np.maximum(w, 1e-12)), "negative eigenvalues to 0"),
        (
            lambda g, B, radius: (
                inside(g, B, radius)
                if np.linalg.eigvalsh(B)[0] > 0
                else cut(newton(g, B, radius), radius)
            ),
            "saddle of the model|shortens Newton's step",
        ),
        (
            lambda g, B, radius: (
                inside(g, B, radius) if np.linalg.eigvalsh(B)[0] > 0 else leave()(g, B, radius)
            ),
            "lowest eigenvector alone",
        ),
        (
            lambda g, B, radius: (
                inside(g, B, radius)
                if np.linalg.eigvalsh(B)[0] > 0
                else damped(g, B, 0.01 - np.linalg.eigvalsh(B)[0])
            ),
            "λ is too small",
        ),
        (other_step(lam=lambda w: 0.0), "at least minus the lowest|λ is too|saddle|no part along"),
        (by_a_root, "raises ValueError"),
        (other_step(hard=cut), "Where g has no part.*(short of the rim|NaN)"),
        (
            other_step(hard=lambda p, radius: radius * p / np.linalg.norm(p)),
            "has no part along|NaN|across the lowest eigenvector",
        ),
        (lambda g, B, radius: inside(g, B, radius) if g.any() else g, "With g = 0: it stays"),
        (lambda g, B, radius: 0 * g, "It does not move"),
        (lambda g, B, radius: inside(g, B, 0.9 * radius), "λ is too large"),
        (lambda g, B, radius: inside(g, B, radius) @ g, "shape should be"),
        (lambda g, B, radius: -np.linalg.inv(B) * g, "shape should be"),
    ],
    "newton_schulz": [
        (polar_steps(step=lambda X: 0.5 * X - 1.5 * X @ X.T @ X), "changed places"),
        (polar_steps(lambda G: G / np.linalg.norm(G, 2)), "largest singular value"),
        (polar_steps(lambda G: G / np.linalg.norm(G) ** 2), "take the root"),
        (polar_steps(lambda G: G / np.abs(G).max()), "largest entry"),
        (polar_steps(lambda G: G / np.linalg.norm(G, axis=0)), "each column by its norm"),
        (polar_steps(lambda G: G / np.linalg.norm(G, "nuc")), "sum of the singular values"),
        (polar_steps(step=lambda X: 1.5 * X - X @ X.T @ X), "0.5 is missing"),
        (polar_steps(step=lambda X: X - 0.5 * X @ X.T @ X), "1.5 is missing"),
        (polar_steps(step=lambda X: 2 * X - X @ X.T @ X), "not 2"),
        (polar_steps(step=lambda X: 1.5 * X - 0.5 * X.T @ X @ X.T), "middle alone"),
        (polar_steps(step=lambda X: 1.5 * X - 0.5 * X.T @ X), "One X is missing"),
        (
            polar_steps(step=lambda X: (M := X @ X.T) @ (2.0315 * M @ X - 4.775 * X) + 3.4445 * X),
            "Muon",
        ),
        (
            polar_steps(step=lambda X: (Y := 1.5 * X - 0.5 * X @ X.T @ X) / np.linalg.norm(Y)),
            "again after each step",
        ),
        (polar_steps(last=lambda X, G: np.linalg.norm(G) * X), "multiplies the norm back"),
        (polar_steps(count=lambda steps: steps - 1), "one step too few"),
        (polar_steps(count=lambda steps: 40), "U Vᵀ itself"),
        (lambda G, steps: scipy.linalg.polar(G)[1], "other polar factor"),
        (one_too_early, "This is one step"),
        (
            polar_steps(step=lambda X: X @ (1.5 * np.eye(len(X)) - 0.5 * X.T @ X)),
            "Right for square G, but for G of shape .*raises ValueError",
        ),
        (polar_steps(step=lambda X: 1.5 * X - 0.5 * X @ (X.T @ X)), "form the smaller"),
        (wide_alone, "Right for square G.*shape should be"),
        (in_its_place, "changes its argument 1"),
        (
            polar_steps(lambda G: G, lambda X: 1.5 * X + 0.5 * X @ X.T @ X),
            "Frobenius norm first.*sign is wrong",
        ),
        (lambda G, steps: G, "this is G itself"),
        (lambda G, steps: np.linalg.norm(G), "shape should be"),
    ],
    "summed_gradient": [
        (total(divide=lambda g, rows: g / len(rows)), "by the number of parts"),
        (of_means(lambda g, rows: sum(g)), "sums the parts' means"),
        (of_means(lambda g, rows: sum(g) / sum(rows)), "once more by all rows"),
        (
            of_means(lambda g, rows: sum(a / m for a, m in zip(g, rows)) / sum(1 / rows)),
            "mean of the parts' means|upside down",
        ),
        (total(divide=lambda g, rows: g / (len(rows) * rows[0])), "first one's rows"),
        (total(divide=lambda g, rows: 2 * g / sum(rows)), "no factor 2"),
        (total(divide=lambda g, rows: g / sum(rows) / 2), "½ is gone"),
        (total(part=lambda X, y, x: X.T @ (y - X @ x)), "up to the sign"),
        (total(part=lambda X, y, x: X.T @ (expit(X @ x) - y)), "logistic"),
        (total(part=lambda X, y, x: X.T @ (X @ x - y) + x), "penalty"),
        (total(part=lambda X, y, x: X.T @ (X @ x - y) ** 2), "not in its gradient"),
        (lambda parts, x: total()(parts[-1:], x), "last part alone"),
        (lambda parts, x: total()(parts[:-1] or parts, x), "leaves out the last part"),
        (total(divide=lambda g, rows: g / g.size), "number of parameters"),
        (
            total(part=lambda X, y, x: X.T @ X @ x, divide=lambda g, rows: g),
            "Subtract y.*sums over the rows",
        ),
        (total(lambda g: sum(g[::-1])), "from the last on"),
        (total(far_ends), "first with the last"),
        (total(odd_to_the_last), "let it wait"),
        (total(odd_first), "moved to the front"),
        (total(odd_lost), "leaves out the last part|it is wrong"),
        (total(lambda g: np.array([math.fsum(e) for e in zip(*g)])), "without rounding in between"),
        (total(lambda g: two_by_two(g[::-1])), "begins to pair at the end"),
        (
            total(lambda g: sum(a + b for a, b in zip(g[::2], [*g[1::2], 0 * g[0]]))),
            "pairs once|one after the other",
        ),
        (with_weights, "part by part.*divide once"),
        (
            total(
                lambda g: two_by_two([v / 3 for v in g]), divide=lambda g, rows: g * 3 / sum(rows)
            ),
            "divide once",
        ),
        (divided_residuals, "divide once"),
        (all_rows_at_once, "last digits"),
        (into_the_first, "changes its argument 1"),
        (total(lambda g: g), "raises TypeError"),
        (total(divide=lambda g, rows: g.sum() / sum(rows)), r"shape should be \("),
    ],
    "price_to_reach": [
        (price(last_above), "stays below"),
        (price(lambda fun, t: np.flatnonzero(fun <= t)[-1]), "take the first"),
        (price(lambda fun, t: -1), "whole run's price"),
        (price(lambda fun, t: np.argmax(fun <= t) + 1), "one iteration later"),
        (price(lambda fun, t: max(np.argmax(fun <= t) - 1, 0)), "one iteration before"),
        (price(lambda fun, t: np.nanargmin(np.abs(fun - t))), "nearest"),
        (price(lambda fun, t: np.argmax(fun > t)), "price of row 0"),
        (price(weights=(1, 0, 0)), "values alone"),
        (price(weights=(0, 2, 4)), "leaves out the values"),
        (price(weights=(1, 3, 4)), "not three"),
        (price(weights=(1, 2, 2)), "four passes, not two"),
        (price(lambda fun, t: np.argmax(fun < t), (1, 1, 1)), "meets the target.*counts calls"),
        (price(weights=(2, 4, 8)), "a factor 2"),
        (
            lambda t, fun, f, j, p: (np.cumsum(f) + 2 * np.cumsum(j) + 4 * np.cumsum(p))[
                np.argmax(fun <= t)
            ],
            "adding them up",
        ),
        (lambda t, fun, f, j, p: (f + 2 * j + 4 * p)[fun <= t][0], "raises IndexError"),
        (lambda t, fun, f, j, p: (f + 2 * j + 4 * p)[fun <= t], r"shape should be \(\)"),
        (price(never=-1), "not -1"),
        (price(never=0), "not 0"),
        (price(never="never"), "yours is never"),
        (price(never=None), "returns nothing"),
    ],
    "leave_saddle": [
        (leave(lambda w, V: V[:, np.argmin(np.abs(w))]), "smallest in size"),
        (leave(lambda w, V: V[:, np.argmax(np.abs(w))]), "largest in size"),
        (leave(lambda w, V: V[:, 1]), "eigenvector, but that of"),
        (leave(lambda w, V: V[:, len(w) // 2]), "eigenvector, but that of"),
        (leave(lambda w, V: (p := V[:, w < 0].sum(1)) / np.linalg.norm(p)), "several"),
        (leave(size=lambda p, radius, w: w[0] * p), "not the eigenvalue's size"),
        (leave(size=lambda p, radius, w: radius * w[0] * p), "not belong in the length"),
        (leave(size=lambda p, radius, w: radius * p / np.abs(p).max()), "not the largest entry"),
        (leave(size=lambda p, radius, w: radius**2 * p), "length should be"),
        (lambda g, H, radius: -leave(stay=False)(g, H, radius), "It climbs"),
        (lambda g, H, radius: leave()(g, H, radius) - g, "g only says which"),
        (signed, "either sign will do"),
        (newton_away, "made of g"),
        (plain_eig, "eigh sorts"),
        (
            lambda g, H, radius: 0 * g if np.linalg.eigvalsh(H)[-1] < 0 else leave()(g, H, radius),
            "At a maximum",
        ),
        (
            lambda g, H, radius: 0 if np.linalg.eigvalsh(H)[0] > 0 else leave()(g, H, radius),
            "no negative eigenvalue: The shape should be",
        ),
        (lambda g, H, radius: 0 * g, "It stays where H has"),
        (lambda g, H, radius: (v := leave()(0 * g, H, radius)) * -(g @ v) / abs(g @ v), "NaN"),
    ],
    "batch_size": [
        (rows_needed(whole=np.round), "Round up"),
        (rows_needed(whole=lambda b: b), "is whole"),
        (rows_needed(whole=lambda b: int(b) + 2), "One too many"),
        (rows_needed(bound=lambda theta, g: theta**2 * np.linalg.norm(g)), "‖g‖ is squared"),
        (rows_needed(bound=lambda theta, g: theta * np.linalg.norm(g)), "θ and ‖g‖ are squared"),
        (rows_needed(bound=lambda theta, g: theta**2), "‖g‖² is missing"),
        (rows_needed(bound=lambda theta, g: g @ g), "θ is missing"),
        (rows_needed(bound=lambda theta, g: theta**2 * np.mean(g * g)), "mean of squares"),
        (rows_needed(lambda G: G.std(0, ddof=1).sum()), "standard deviations"),
        (rows_needed(lambda G: G.var()), "all entries of G together"),
        (rows_needed(lambda G: (G * G).sum() / (len(G) - 1)), "not subtracted"),
        (rows_needed(lambda G: ((G - G.mean(0)) ** 2).sum()), "mean over the rows"),
        (
            rows_needed(lambda G: G.var(0).sum(), solve=lambda S, bound, m: S / bound),
            "not by m.*1/m is missing|1/m is missing",
        ),
        (rows_needed(solve=lambda S, bound, m: S / (bound - S / m)), "wrong sign"),
        (rows_needed(solve=lambda S, bound, m: bound / S), "upside down|gives 1 for all"),
        (lambda G, theta: len(G), "gives 900 for all"),
        (lambda G, theta: 1, "gives 1 for all"),
        (lambda G, theta: 1 + round(3 / theta**2), "too few|more than it takes|from 1 to"),
        (lambda G, theta: (1 / theta, 1), "shape should be"),
    ],
    "logistic_gradient": [
        (lambda x, X, y: X.T @ (1 / (1 + np.exp(X @ x)) - y) / len(y), "mind the sign of z"),
        (lambda x, X, y: sum((expit(r @ x) - t) * r for r, t in zip(X, y)), "a factor m"),
        (
            lambda x, X, y: np.array([((expit(X @ x) - y) * c).sum() / len(x) for c in X.T]),
            "not of param",
        ),
        (lambda x, X, y: X.T @ (np.round(expit(X @ x)) - y) / len(y), "rounds"),
        (lambda x, X, y: X.T @ np.abs(expit(X @ x) - y) / len(y), "each part of the loss"),
        (lambda x, X, y: X.T @ (expit(X @ x) - (1 - y)) / len(y), "1 - y stood in place"),
        (lambda x, X, y: X.T @ (expit(X @ x) - y) / len(y) + x, "penalty"),
        (lambda x, X, y: 2 * X.T @ (d(expit(X @ x)) * (expit(X @ x) - y)) / len(y), "cancelled"),
        (lambda x, X, y: X.mean(0) * (expit(X @ x) - y).mean(), "mean of X"),
        (lambda x, X, y: (expit(X @ x) - y) @ X, "a factor m"),
        (lambda x, X, y: X.T @ (-y * (1 - expit(X @ x))) / len(y), "samples with y = 0"),
        (lambda x, X, y: X.T @ (y - X @ x) / len(y), "not Xx itself"),
    ],
    "armijo": [
        (
            rule(lambda fun, x, p, f, slope, c1, a: fun(x + a * p) > f + c1 * slope),
            "α is missing|refuses the step",
        ),
        (
            rule(lambda fun, x, p, f, slope, c1, a: fun(x + a * p) > f + 1e-4 * a * slope),
            "any decrease",
        ),
        (rule(lambda fun, x, p, f, slope, c1, a: fun(x + a * p) > f + 0.5 * a * slope), "c1 = 0.5"),
        (rule(lambda fun, x, p, f, slope, c1, a: fun(x + a * p) > f + a * slope), "c1"),
        (
            rule(lambda fun, x, p, f, slope, c1, a: fun(x + a * p) <= f + c1 * a * slope),
            "inequality|refuses the step 1",
        ),
        (rule(lambda fun, x, p, f, slope, c1, a: fun(x - a * p) > f + c1 * a * slope), "along -p"),
        (rule(lambda fun, x, p, f, slope, c1, a: fun(a * p) > f + c1 * a * slope), "no x|Armijo"),
        (rule(refused, lambda a: 0.9 * a), "Halve the step"),
        (rule(refused, lambda a: 0.1 * a), "Halve the step"),
        (rule(refused, give=lambda a: 2 * a), "that was refused"),
        (rule(refused, lambda a: 2 * a), "beyond x"),
        (rule(refused, start=0.5), "Try the step 1"),
        (lambda fun, x, p, f, slope, c1: x + p, "not the point"),
        (lambda *a: max(solution("armijo")(*a), 2**-5), "stops halving at 0.03125:"),
    ],
    "strong_wolfe": [
        (
            search(steep_down, lambda phi, dphi, c1, c2, a: dphi(a) > -c2 * dphi(0)),
            "not all are low",
        ),
        (lambda phi, dphi, c1, c2: search(steep_down, too_long)(phi, dphi, 0.1, 0.3), "other c1"),
        (
            lambda phi, dphi, c1, c2: search(steep_down, too_long)(phi, dphi, 1e-4, 0.9),
            "with other c1|Wolfe",
        ),
        (search(steep_down, lambda phi, dphi, c1, c2, a: phi(a) > phi(0)), "Wolfe condition"),
        (lambda phi, dphi, c1, c2: 0.0, "must be positive"),
    ],
    "newton_step": [
        (lambda x, g, H: x - 0.5 * np.linalg.solve(H, g), "not the length"),
        (lambda x, g, H: x - g, "gradient step"),
        (lambda x, g, H: x, "does not move"),
        (lambda x, g, H: np.linalg.inv(H) @ g - x, "up to the sign"),
        (lambda x, g, H: x - np.linalg.solve(H + np.eye(len(x)), g), "adds to H"),
        (lambda x, g, H: np.linalg.solve(H, -g), "This is the step"),
        (lambda x, g, H: x - np.linalg.solve(np.linalg.cholesky(H), g), "triangular"),
        (lambda x, g, H: x + H @ g, "multiplies by H.*climbs"),
        (lambda x, g, H: x - np.linalg.solve(H, x), "solves for x"),
    ],
    "polak_ribiere": [
        (lambda g, old: max(0, g @ (g - old) / np.linalg.norm(old)), "not by the norm"),
        (lambda g, old: max(0, old @ (g - old) / (old @ old)), "multiplied by g"),
        (lambda g, old: max(0, (g - old) @ (g - old) / (old @ old)), "difference's square"),
        (lambda g, old: min(0, g @ (g - old) / (old @ old)), "smaller"),
        (lambda g, old: np.clip(g @ (g - old) / (old @ old), 0, 1), "larger than 1"),
        (lambda g, old: max(0, old @ (old - g) / (g @ g)), "changed places"),
        (lambda g, old: max(0, g @ (g - old)), "denominator .* missing"),
        (lambda g, old: g @ (g - old) / (g @ g), "old gradient's square.*negative take 0"),
        (lambda g, old: max(0, g @ (g - old) / (old @ (g - old))), "Hestenes"),
    ],
    "two_loop": [
        (loops(down=-1), "does not add"),
        (loops(down=0), "never changes q"),
        (loops(scale="ss/sy"), "not sᵀs / sᵀy"),
        (loops(scale="yy/sy"), "not its inverse"),
        (loops(scale="sy"), "denominator is missing"),
        (loops(order="first"), "first loop goes from the newest"),
        (loops(order="second"), "second loop goes from the oldest"),
        (loops(beta=False), "β is missing"),
        (loops(mirrored=True), "own pair"),
        (loops(old_q=True), "of that moment"),
        (loops(add=-1), "the sign is wrong"),
        (loops(beta=False, scale="yy/sy"), "inverse.*β is missing"),
        (lambda g, S, Y: solution("two_loop")(g, S[-1:], Y[-1:]), "newest pair alone"),
        (lambda g, S, Y: solution("two_loop")(g, Y, S), "S and Y"),
    ],
    "choose_rows": [
        (held(lambda i, hold, seed: [seed, i % hold]), "remainder"),
        (held(lambda i, hold, seed: [seed, (i + 1) // hold]), "yours do in 4, 9, 14"),
        (held(lambda i, hold, seed: [seed, i // hold % 2]), "only 2 different"),
        (
            lambda i, m, size, hold, seed: rng([seed, i // hold]).choice(m - 1, size, False),
            "row 60",
        ),
        (
            lambda i, m, size, hold, seed: 1 + rng([seed, i // hold]).choice(m - 1, size, False),
            "row 0 ",
        ),
        (
            lambda i, m, size, hold, seed: np.isin(
                np.arange(m), rng([seed, i // hold]).choice(m, size, False)
            ),
            "not a mark",
        ),
        (lambda i, m, size, hold, seed: rng([seed, i // hold]).permutation(size), "stay the same"),
    ],
    "softmax_hessian": [
        (lambda z: np.diag(z) - np.outer(z, z), "not z itself"),
        (lambda z: np.diag(np.exp(z)) - np.outer(np.exp(z), np.exp(z)), "divided by their sum"),
        (lambda z: np.eye(len(z)) - np.outer(softmax(z), softmax(z)), "not the identity"),
        (lambda z: np.diag(softmax(z)) + np.outer(softmax(z), softmax(z)), "subtracted, not added"),
        (lambda z: -np.outer(softmax(z), softmax(z)), "Diag.q. is missing"),
        (lambda z: np.diag(d(softmax(z))) - np.outer(softmax(z), softmax(z)), "twice"),
        (lambda z: np.diag(softmax(z)) - softmax(z) ** 2, "no outer product"),
        (lambda z: np.diag(expit(z)) - np.outer(expit(z), expit(z)), "sigmoid"),
        (
            lambda z: (q := np.exp(z) / np.exp(z).sum(), np.diag(q) - np.outer(q, q))[1],
            "For z near 1000",
        ),
    ],
    "hessian_step": [
        (step(gradient=False), "multiplied by gX"),
        (
            step(slope=lambda a: d(expit(a)), bend=lambda a: d(expit(a)) * (1 - 2 * expit(a))),
            "without another σ",
        ),
        (step(slope=lambda a: d(expit(a))), "without another σ"),
        (step(bend=lambda a: 1 - 2 * a), "not 1 - 2a alone"),
        (step(bend=lambda a: d(a) * (2 * a - 1)), "wrong sign"),
        (step(both=False), "on both sides"),
        (step(slope=lambda a: 1 - a * a), "tanh"),
        (step(slope=lambda a: a), "not a"),
        (step(bend=lambda a: d(a), gradient=False), "not σ'.*multiplied by gX"),
        (lambda W, a, gX, H: step()(W, a, gX, np.diag(np.diag(H))), "diagonal alone"),
        (
            lambda W, a, gX, H: d(a) * d(a) * (W @ H @ W.T) + np.diag(d(a) * (1 - 2 * a) * gX),
            "both sides|columns",
        ),
    ],
    "sign_rule": [
        (lambda z, g: np.sign(z) != np.sign(g), "Right but where z or g is 0"),
        (lambda z, g: np.sign(z) == np.sign(g), "reversed|it says"),
        (lambda z, g: (z < 0) & (g > 0), "it says False|Right but"),
        (lambda z, g: (z <= 0) & (g >= 0), "it says False"),
        (lambda z, g: z * g > 0, "opposite"),
        (lambda z, g: z < 0, "sign of g"),
        (lambda z, g: z * g, "True and False"),
        (lambda z, g: np.where(z * g <= 0, 1, -1), "True and False"),
    ],
    "kronecker_product": [
        (
            lambda A, G, v: (A @ v.reshape(len(A), len(G), order="F") @ G.T).ravel(),
            "reads v by columns",
        ),
        (
            lambda A, G, v: (A @ v.reshape(len(A), len(G)) @ G.T).ravel("F"),
            "flattens A V Gᵀ by columns",
        ),
        (lambda A, G, v: (A @ v.reshape(len(A), -1, order="F") @ G.T).ravel("F"), "by columns"),
        (
            lambda A, G, v: (A.T @ v.reshape(len(A), -1) @ G).ravel(),
            "In effect A is transposed.*In effect G is not transposed",
        ),
        (lambda A, G, v: (G @ v.reshape(len(G), -1) @ A.T).ravel(), "changed places"),
        (
            lambda A, G, v: (G @ v.reshape(len(G), len(A), order="F") @ A.T).ravel(),
            "column|transposed|way",
        ),
    ],
    "diagnose": [
        (
            doctor(lambda s, g: np.isclose(np.linalg.norm(s), np.linalg.norm(g), atol=1e-6)),
            "signs and all",
        ),
        (doctor(lambda s, g: abs(s.sum() - g.sum()) < 1e-6), "not sums"),
        (doctor(lambda s, g: np.abs(s - g).max() < 0.01), "bound between that and 0.001"),
        (doctor(lambda s, g: np.allclose(s, g, atol=1e-2)), "bound between that and 0.001"),
        (doctor(lambda s, g: abs(s[0] - g[0]) < 1e-6), "last ones too|a half|look at each"),
        (doctor(lambda s, g: (s == g).all()), "blames every gradient"),
        (doctor(lambda s, g: np.abs(s - g).max() < 1e-6, fun_first=False), "drawn anew"),
        (doctor(lambda s, g: (s - g).max() < 1e-6), "absolute value"),
        (doctor(lambda s, g: np.abs(s - g).max() < 1e-15), "blames every gradient"),
        (doctor(lambda s, g: s @ g / np.sqrt((s @ s) * (g @ g)) > 1 - 1e-9), "lengths too"),
        (moves_x, "changes its argument 3"),
    ],
    "leaked_rows": [
        (lambda X, D: np.flatnonzero([(X == r).any() for r in D]), "any where all"),
        (lambda X, D: [i for i, r in enumerate(X) if (r == D).all(1).any()], "rows of train"),
        (twice, "twice within dev"),
        (lambda X, D: np.flatnonzero(np.isin(D, X).all(1)), "somewhere in train"),
        (lambda X, D: np.flatnonzero(np.isclose(D[:, None], X).all(2).any(1)), "merely close"),
        (
            lambda X, D: [i for i in range(min(len(X), len(D))) if (X[i] == D[i]).all()],
            "misses|same number",
        ),
        (lambda X, D: np.setdiff1d(np.arange(len(D)), leaks(X, D)), "do not leak"),
        (lambda X, D: D[leaks(X, D)], "not the rows"),
        (lambda X, D: np.argwhere((D[:, None] == X).all(2)), "not pairs"),
        (lambda X, D: np.flatnonzero([sorted(r) in [sorted(q) for q in X] for r in D]), "order"),
        (lambda X, D: sorted({tuple(D[i]): i for i in leaks(X, D)}.values()), "the last alone"),
        (lambda X, D: len(leaks(X, D)), "list of row numbers"),
    ],
}


def by_a_loop(target, fun, nfev, njev, nhessp):
    for k in range(len(fun)):
        if fun[k] <= target:
            return nfev[k] + 2 * njev[k] + 4 * nhessp[k]
    return float("inf")


def by_least_squares(G, theta):
    m, b = len(G), 1
    g = sum(G) / m
    noise = np.trace(np.cov(G.T))
    while (1 / b - 1 / m) * noise > theta**2 * sum(g**2):
        b += 1
    return b


def by_scipy(g, H, radius):
    w, v = scipy.linalg.eigh(H, subset_by_index=[0, 0])
    p = radius * v.ravel()
    return np.zeros(len(g)) if w > 0 else p * (1 if p.dot(g) < 0 else -1)


def by_power(g, H, radius):
    M = np.abs(H).sum() * np.eye(len(g)) - H
    for _ in range(14):
        M = M @ M / np.linalg.norm(M) ** 2
    v = M[:, 0] / np.linalg.norm(M[:, 0])
    return (v @ H @ v < 0) * radius * v * np.where(g @ v > 0, -1, 1)


def by_newtons_method(g, B, radius):
    """Moré and Sorensen: Cholesky factors, and Newton's method on one over the length."""
    lowest, v = scipy.linalg.eigh(B, subset_by_index=[0, 0])
    lam, eye = max(0.0, 1e-9 - lowest[0]), np.eye(len(g))
    for _ in range(50):
        R = np.linalg.cholesky(B + lam * eye)
        p = -scipy.linalg.cho_solve((R, True), g)
        size = np.linalg.norm(p)
        if size < radius:
            break
        q = scipy.linalg.solve_triangular(R, p, lower=True)
        lam += (size / np.linalg.norm(q)) ** 2 * (size - radius) / radius
    if size < radius * (1 - 1e-9) and lowest[0] < 0:
        u = v[:, 0]
        along = p @ u
        return p + (np.sqrt(along**2 + radius**2 - p @ p) - along) * u
    return p * min(1, radius / size)


def by_one_eigenvalue(g, B, radius):
    """λ is the largest real eigenvalue of a matrix of twice the size (Adachi and others, 2017)."""
    w, V = np.linalg.eigh(B)
    if w[0] > 0 and np.linalg.norm(p := np.linalg.solve(B, -g)) <= radius:
        return p.tolist()
    pencil = np.block([[-B, np.outer(g, g) / radius**2], [np.eye(len(g)), -B]])
    found = np.linalg.eigvals(pencil)
    lam = max(found[np.abs(found.imag) < 1e-5].real.max(initial=0), -w[0])
    p = V @ np.array([0 if abs(a) < 1e-9 else -a / (b + lam) for a, b in zip(V.T @ g, w)])
    return p + V[:, 0] * np.copysign(np.sqrt(max(0, radius**2 - p @ p)), V[:, 0] @ p)


def by_the_model(g, B, radius):
    """Bisection in the log of what λ adds, systems solved as they are; the axis last."""
    w, V = np.linalg.eigh(B)
    p = np.zeros(len(g))
    if w[0] > 0:
        p = -np.linalg.inv(B) @ g
        if sum(p * p) <= radius**2:
            return p
    low, high = -25.0, 20.0
    while high - low > 1e-12:
        t = 0.5 * (low + high)
        p = damped(g, B, max(0, -w[0]) + math.exp(t))
        low, high = (t, high) if np.linalg.norm(p) > radius else (low, t)
    rest = radius**2 - p @ p
    return p + (math.sqrt(rest) * V[:, 0] if rest > 1e-9 * radius**2 else 0)


def by_singular_values(G, steps):
    U, s, V = np.linalg.svd(G, full_matrices=False)
    s /= math.sqrt(sum(s * s))
    for _ in range(steps):
        s *= (3 - s * s) / 2
    return U * s @ V


def by_the_smaller_side(G, steps):
    if G.shape[0] < G.shape[1]:
        return by_the_smaller_side(G.T, steps).T
    X, eye = G / np.sqrt((G**2).sum()), np.eye(G.shape[1])
    for _ in range(steps):
        X = X @ (3 * eye - X.T @ X) / 2
    return X


def from_the_step_before(G, steps):
    if steps == 0:
        return G / np.sqrt(np.trace(G @ G.T if len(G) < len(G.T) else G.T @ G))
    X = from_the_step_before(G, steps - 1)
    cube = np.linalg.multi_dot([X, X.T, X])
    return X + (X - cube) / 2


def by_one_over_m(parts, x):
    g = two_by_two([(X @ x - y) @ X for X, y in parts])
    return 1 / sum(X.shape[0] for X, _ in parts) * g


def by_a_split(parts, x):
    """From above, cut where the largest power of two below the length is."""

    def add(g):
        cut = 1 << (len(g) - 1).bit_length() - 1 if len(g) > 1 else 0
        return add(g[:cut]) + add(g[cut:]) if cut else g[0]

    return add([X.T.dot(X.dot(x)) - X.T.dot(y) for X, y in parts]) / sum(len(y) for _, y in parts)


def by_a_stack(parts, x):
    """As parts come: two sums of the same number of parts are added at once."""
    stack = []
    for X, y in parts:
        node = (1, np.einsum("ij,i->j", X, np.einsum("ij,j->i", X, x) - y), len(y))
        while stack and stack[-1][0] == node[0]:
            node = tuple(a + b for a, b in zip(stack.pop(), node))
        stack.append(node)
    while len(stack) > 1:
        last = stack.pop()
        stack.append(tuple(a + b for a, b in zip(stack.pop(), last)))
    return list(stack[0][1] / stack[0][2])


# Right in other styles than the page's; none may be refused.
STYLES = {
    "step_inside": [by_newtons_method, by_one_eigenvalue, by_the_model],
    "newton_schulz": [by_singular_values, by_the_smaller_side, from_the_step_before],
    "summed_gradient": [by_one_over_m, by_a_split, by_a_stack],
    "price_to_reach": [
        by_a_loop,
        lambda t, fun, f, j, p: min(
            (a + 2 * b + 4 * c for x, a, b, c in zip(fun, f, j, p) if x <= t), default=np.inf
        ),
        lambda t, fun, *calls: np.min(np.dot([1, 2, 4], calls), initial=np.inf, where=fun <= t),
    ],
    "leave_saddle": [
        by_scipy,
        by_power,
        lambda g, H, radius: (
            lambda w, V: (
                [0.0] * len(g)
                if w.min() > 0
                else list((1 - 2 * (g @ V[:, w.argmin()] > 0)) * radius * V[:, w.argmin()])
            )
        )(*np.linalg.eig(H)),
    ],
    "batch_size": [
        by_least_squares,
        lambda G, theta: math.ceil(
            1
            / (
                1 / len(G)
                + (theta * np.linalg.norm(G.mean(0))) ** 2 / np.var(G, axis=0, ddof=1).sum()
            )
        ),
        lambda G, theta: next(
            b
            for b in range(1, len(G) + 1)
            if (1 / b - 1 / len(G)) * np.linalg.norm(G - G.mean(0)) ** 2 / (len(G) - 1)
            <= theta**2 * np.linalg.norm(G.mean(0)) ** 2
        ),
    ],
}


# ---- conjugate gradients on a quadratic, and BFGS's update


def cg(
    alpha=lambda A, g, p: g @ g / (p @ A @ p),
    beta=lambda g, old: g @ g / (old @ old),
    anew=True,
    less=0,
    old_direction=False,
    first=-1,
    plus=-1,
):
    """The method as most people write it, with something changed."""

    def conjugate_gradients(A, b, x, steps):
        g = A @ x - b
        p = first * g
        for _ in range(steps - less):
            x = x + alpha(A, g, p) * p
            g_old = g
            if anew:
                g = A @ x - b
            p = plus * g + beta(g, g_old) * (g_old if old_direction else p)
        return x

    return conjugate_gradients


def bfgs(
    rho=lambda s, y: 1 / (y @ s),
    V=lambda r, s, y: np.eye(len(s)) - r * np.outer(y, s),
    last=lambda r, s, y: r * np.outer(s, s),
    transpose=True,
    refuse=True,
):
    """The update as most people write it, with something changed."""

    def bfgs_update(H, s, y):
        if refuse and s @ y <= 0:
            return H
        r = rho(s, y)
        v = V(r, s, y)
        return (v.T @ H @ v if transpose else v @ H @ v.T) + last(r, s, y)

    return bfgs_update


def of_the_hessian(H, s, y):
    Hs = H @ s
    return H - np.outer(Hs, Hs) / (s @ Hs) + np.outer(y, y) / (s @ y)


def davidon(H, s, y):
    Hy = H @ y
    return H - np.outer(Hy, Hy) / (y @ Hy) + np.outer(s, s) / (s @ y)


WRONG |= {
    "conjugate_gradients": [
        (cg(beta=lambda g, old: 0), "steepest descent"),
        (cg(beta=lambda g, old: old @ old / (g @ g)), "new square over the old"),
        (cg(alpha=lambda A, g, p: g @ g / (g @ A @ g)), "not over gᵀAg"),
        (cg(less=1), "one step too few"),
        (cg(anew=False), "computed anew"),
        (cg(old_direction=True), "not by the gradient before"),
        (lambda A, b, x, steps: np.linalg.solve(A, b), "is the solution"),
    ],
    "bfgs_update": [
        (bfgs(refuse=False), "matrix is right. But where sᵀy is negative"),
        (bfgs(transpose=False), "Both factors are transposed"),
        (bfgs(last=lambda r, s, y: 0), "last term, ρssᵀ, is missing"),
        (bfgs(rho=lambda s, y: s @ y), "one over sᵀy, not sᵀy"),
        (lambda H, s, y: solution("bfgs_update")(H, y, s), "changed places"),
        (of_the_hessian, "maps s to y"),
        (davidon, "DFP"),
    ],
}

NATURAL |= {
    "conjugate_gradients": [
        (cg(alpha=lambda A, g, p: g @ g / (p @ p)), "not over pᵀp"),
        (cg(alpha=lambda A, g, p: p @ p / (p @ A @ p)), "not pᵀp"),
        (cg(alpha=lambda A, g, p: g @ p / (p @ A @ p)), "α is positive"),
        (cg(alpha=lambda A, g, p: 0.1), "Not yet|fixed α"),
        (cg(alpha=lambda A, g, p: 1), "fixed α"),
        (cg(beta=lambda g, old: np.linalg.norm(g) / np.linalg.norm(old)), "not of the norms"),
        (cg(beta=lambda g, old: -g @ g / (old @ old)), "β is positive"),
        (cg(less=-1), "one step too many"),
        (cg(less=3), "does not move"),
        (cg(plus=1), "it has .g"),
        (cg(first=1, plus=1), "which climbs"),
        (lambda A, b, x, steps: cg()(A, 0 * b, x, steps), "b is missing"),
        (lambda A, b, x, steps: cg()(A, -b, x, steps), "not Ax . b"),
        (lambda A, b, x, steps: cg()(A, b, x, len(b)), "is the solution"),
        (lambda A, b, x, steps: cg()(A, b, x, 3), "should end at the minimum"),
        (lambda A, b, x, steps: cg()(A, b, x, max(steps, 2)), "How often does the loop run"),
        (lambda A, b, x, steps: A @ cg()(A, b, x, steps) - b, "Not yet"),
        (lambda A, b, x, steps: [cg()(A, b, x, k) for k in range(steps + 1)], "shape should be"),
    ],
    "bfgs_update": [
        (bfgs(rho=lambda s, y: 1 / (y @ y)), "not over yᵀy"),
        (bfgs(rho=lambda s, y: 1), "ρ is missing"),
        (bfgs(V=lambda r, s, y: np.eye(len(s)) - r * y * s), "no outer product"),
        (bfgs(V=lambda r, s, y: np.eye(len(s)) + r * np.outer(y, s)), "with a minus"),
        (bfgs(last=lambda r, s, y: np.outer(s, s)), "ρ is missing there"),
        (bfgs(last=lambda r, s, y: r * np.outer(y, y)), "not ρyyᵀ"),
        (bfgs(last=lambda r, s, y: r * s @ s), "one number"),
        (bfgs(last=lambda r, s, y: -r * np.outer(s, s)), "not subtracted"),
        (lambda H, s, y: H @ bfgs()(np.eye(len(s)), s, y), "not symmetric"),
        (lambda H, s, y: bfgs()(np.eye(len(s)), s, y), "starts from the identity"),
        (lambda H, s, y: H + np.outer(s - H @ y, y) / (y @ y), "Broyden"),
        (lambda H, s, y: H, "has not changed"),
        (lambda H, s, y: np.linalg.inv(bfgs()(H, s, y)), "inverse of the right matrix"),
        (lambda H, s, y: bfgs()(H, s, y) if s @ y else np.full_like(H, np.nan), "negative|NaN"),
        (lambda H, s, y: bfgs(refuse=False)(H, s, y) if s @ y >= 0 else H, "is 0: The result has"),
        (lambda H, s, y: bfgs()(H, s, y) if s @ y > 0 else np.eye(len(s)), "Return H as it was"),
        (lambda H, s, y: bfgs()(H, s, y) @ y, "shape should be"),
    ],
}


def by_the_book(A, b, x, steps):
    r = b - np.matmul(A, x)
    p, rr = r, np.dot(r, r)
    for _ in range(steps):
        Ap = np.matmul(A, p)
        alpha = rr / np.dot(p, Ap)
        x, r = x + alpha * p, r - alpha * Ap
        rr, before = np.dot(r, r), rr
        p = r + rr / before * p
    return x


def by_hestenes_and_stiefel(A, b, x, steps):
    x = np.array(x)
    p = b - A @ x
    for k in range(1, steps + 1):
        g = A @ x - b
        x -= (g @ p) / (p @ A @ p) * p
        if k < steps:
            g = A @ x - b
            p = -g + (g @ A @ p) / (p @ A @ p) * p
    return x


def by_recursion(A, b, x, steps, p=None):
    g = A.dot(x) - b
    p = -g if p is None else p
    if steps == 0:
        return list(x)
    new = [u - g.dot(p) / p.dot(A).dot(p) * v for u, v in zip(x, p)]
    h = A.dot(new) - b
    return by_recursion(A, b, np.array(new), steps - 1, -h + h.dot(h - g) / g.dot(g) * p)


def multiplied_out(H, s, y):
    sy, Hy = s @ y, H @ y
    if sy <= 0:
        return H.copy()
    return H + (sy + y @ Hy) / sy**2 * np.outer(s, s) - (np.outer(Hy, s) + np.outer(s, Hy)) / sy


def in_columns(H, s, y):
    s, y = s.reshape(-1, 1), y.reshape(-1, 1)
    if (s.T @ y).item() <= 0:
        return H
    rho, eye = 1 / (s.T @ y), np.identity(len(s))
    return (eye - rho * s @ y.T) @ H @ (eye - rho * y @ s.T) + rho * s @ s.T


def by_the_hessian(H, s, y):
    B = np.linalg.inv(H)
    return np.linalg.inv(of_the_hessian(B, s, y)) if y @ s > 1e-12 else H.tolist()


STYLES |= {
    "conjugate_gradients": [by_the_book, by_recursion, by_hestenes_and_stiefel],
    "bfgs_update": [multiplied_out, in_columns, by_the_hessian],
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name, number", [(name, i) for name in STYLES for i in range(3)])
def test_a_right_answer_in_another_style_is_right(name, number, seed):
    verdict = check(name)(STYLES[name][number], seed=seed)
    assert verdict.ok, verdict


# For each check with parts, answers that earn the first of them, the first two, ...
PARTS = {
    "bfgs_update": [bfgs(refuse=False)],
    "batch_size": [rows_needed(solve=lambda S, bound, m: S / bound)],
    "diagnose": [tolerant],
    "hessian_step": [step(bend=lambda a: 0 * a)],
    "kronecker_product": [lambda A, G, v: np.kron(A, G) @ v if len(A) < 9 else v],
    "leave_saddle": [leave(turn=False), leave(stay=False)],
    "logistic_gradient": [lambda x, X, y: X.T @ ((q := np.exp(X @ x)) / (1 + q) - y) / len(y)],
    "newton_schulz": [
        polar_steps(step=lambda X: X @ (1.5 * np.eye(len(X)) - 0.5 * X.T @ X)),
        polar_steps(),
    ],
    "polak_ribiere": [lambda g, old: g @ (g - old) / (old @ old)],
    "price_to_reach": [price(never=0)],
    "sign_rule": [lambda z, g: z * g < 0],
    "softmax_hessian": [
        lambda z: (q := np.exp(z) / np.exp(z).sum(), np.diag(q) - np.outer(q, q))[1]
    ],
    "step_inside": [other_step(lam=lambda w: 0.0), other_step()],
    "summed_gradient": [of_means(lambda g, rows: sum(g) / len(g)), total(sum)],
}
WORDS = {"half": 1 / 2, "a third": 1 / 3, "two thirds": 2 / 3, "a quarter": 1 / 4}


def stated(name):
    """The shares that a page states, in order."""
    text = cells(name)[PAGES[NAMES.index(name)].stem].source.replace("\n", " ")
    found = re.search(r"([\w ]+) of the points (?:are|is) for ([^.]+)\.", text)
    if not found:
        return []
    rest = re.findall(rf", ({'|'.join(WORDS)}) for ", found[2])
    return [WORDS[word.strip().lower()] for word in (found[1], *rest)]


@pytest.mark.parametrize("name", NAMES)
def test_each_part_is_worth_what_the_page_states(name):
    shares = stated(name)
    assert len(PARTS.get(name, ())) == max(0, len(shares) - 1)
    for number, partly in enumerate(PARTS.get(name, ()), 1):
        for seed in range(3):
            verdict = check(name)(partly, seed=seed)
            assert not verdict.ok and verdict.share == pytest.approx(sum(shares[:number])), verdict
    assert not shares or sum(shares) == pytest.approx(1)
    assert check(name)(lambda *_: None).share == 0
    assert ("of the points" in check(name).__doc__) == bool(shares)  # help() states them too


def test_a_complex_number_without_an_imaginary_part_is_real():
    right = solution("newton_step")
    assert check("newton_step")(lambda *args: right(*args) + 0j).ok
    for imaginary in (1e-9j, complex(0, np.nan)):
        verdict = check("newton_step")(lambda *args, part=imaginary: right(*args) + part)
        assert "no real numbers" in verdict.hint


@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_gets_the_parts_too(name):
    cell = cells(name)["mark"]
    points = cell.metadata.nbgrader.points
    said = f"{points} * check_{name}({name}).share" if name in PARTS else f"check_{name}({name}).ok"
    assert said in cell.source


def test_a_check_that_gives_a_part_states_it():
    """Every check that yields is among PARTS."""
    files = Path(exercises.__file__).parent.glob("*.py")
    nodes = [node for file in files for node in ast.parse(file.read_text("utf-8")).body]
    yielding = {
        node.name
        for node in nodes
        if any(isinstance(n, ast.Yield) for n in ast.walk(node))
        and getattr(node, "name", "").startswith("check_")
    }
    assert yielding == {f"check_{name}" for name in PARTS}


def test_each_page_has_its_check_and_its_slips():
    checks = [name for name in vars(exercises) if name.startswith("check_")]
    assert sorted(f"check_{name}" for name in NAMES) == sorted(checks)
    assert set(WRONG) == set(NAMES) and len(NAMES) >= 10
    assert all(len(slips) >= 4 for slips in WRONG.values())
    assert sum(map(len, NATURAL.values())) >= 100


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", NAMES)
def test_the_solution_on_the_page_is_right(name, seed):
    verdict = check(name)(solution(name), seed=seed)
    assert verdict.ok and repr(verdict) == "Right. You may move on.", verdict


def shifted_softmax(by):
    def softmax_hessian(z):
        q = np.exp(z - by(z))
        q /= q.sum()
        return np.diag(q) - np.outer(q, q)

    return softmax_hessian


def refusing_any_term(H, s, y):
    return H if (s * y).min() <= 0 else bfgs()(H, s, y)


def blind_to_little(fun, jac, x):
    found = solution("diagnose")(lambda z: float(fun(z)), jac, x)
    seen = [fun(x) for _ in range(3)]
    return "gradient" if found == "resampled" and max(seen) - min(seen) < 1e-3 else found


def by_its_gradient(fun, jac, x):
    found = solution("diagnose")(fun, jac, x)
    return "gradient" if found == "resampled" and (jac(x) == jac(x)).all() else found


def by_halving(target, fun, nfev, njev, nhessp):
    losses = np.where(np.isnan(fun), np.inf, fun)
    row = np.searchsorted(-losses, -target)
    return np.inf if losses.min() > target else (nfev + 2 * njev + 4 * nhessp)[row]


# Natural slips that once passed.
for name, wrong, says in (
    ("bfgs_update", refusing_any_term, "one number, is positive"),
    ("softmax_hessian", shifted_softmax(np.mean), "near 1000 and near -1000"),
    ("softmax_hessian", shifted_softmax(np.min), "near 1000 and near -1000"),
    ("diagnose", blind_to_little, "Any difference will do"),
    ("diagnose", by_its_gradient, "Any difference will do"),
    ("price_to_reach", by_halving, "from which on the loss stays below"),
    (
        "leave_saddle",
        lambda g, H, radius: 0 * g if np.linalg.eigvalsh(H)[0] > -0.1 else leave()(g, H, radius),
        "that little is a way down",
    ),
):
    NATURAL[name].append((wrong, says))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "name, number", [(name, i) for name in WRONG for i in range(len(WRONG[name] + NATURAL[name]))]
)
def test_a_slip_gets_its_own_hint(name, number, seed):
    wrong, says = (WRONG[name] + NATURAL[name])[number]
    verdict = check(name)(wrong, seed=seed)
    assert not verdict.ok
    assert re.search(says, verdict.hint, re.DOTALL), verdict.hint


def read_natural():
    """Answers as text: of each the exercise, what the hint must say, and the code."""
    text = (Path(__file__).parents[1] / "data" / "natural_answers.txt").read_text(encoding="utf-8")
    for part in text.split("\n#: ")[1:]:
        head, code = part.split("\n", 1)
        yield *head.split(" / "), code


@pytest.mark.parametrize("seed", [0, 271])
@pytest.mark.parametrize("name, says, code", list(read_natural()))
def test_what_a_student_may_write_is_judged_and_told_why(name, says, code, seed, monkeypatch):
    if says.startswith("No answer within"):
        monkeypatch.setattr(hints, "SECONDS", 1)
    scope = {"np": np}
    exec(code.replace("NAME", name), scope)
    verdict = check(name)(scope[name], seed=seed)
    assert verdict.ok == (says == "right")
    assert verdict.ok or re.search(says, verdict.hint), verdict.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_stub_is_not_yet_an_answer(name):
    scope = {}
    exec(cells(name)["answer"].source, scope)
    assert check(name)(scope[name])[:2] == (False, "Not yet: it returns nothing.")


def refuse(*_):
    raise NotImplementedError


def stop(*_):
    raise SystemExit


HOSTILE = [
    (lambda *_: None, "returns nothing"),
    (refuse, "returns nothing"),
    (lambda *_: 1 / 0, "raises ZeroDivisionError"),
    (lambda: 1, "raises TypeError.*argument"),
    (stop, "raises SystemExit"),
    (
        lambda *_: np.full((2, 3, 4), 1.0),
        "shape should be|Return one of|has the shape|Return the numbers",
    ),
    (lambda *_: object(), "no real numbers|Return one of"),
    (lambda *_: [[1, 2], [3]], "no real numbers|Return one of"),
    (lambda *_: 1j, "no real numbers|Return one of"),
    (3, "needs your function itself"),
]


@pytest.mark.parametrize("wrong, says", HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_handed_in_gets_a_hint(name, wrong, says):
    verdict = check(name)(wrong)
    assert not verdict.ok
    assert re.search(says, verdict.hint), verdict.hint


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"diagnose"}))
def test_nan_is_named(name):
    def nan(*args):
        right = np.asarray(solution(name)(*args), float)
        return np.full_like(right, np.nan)

    assert "NaN" in check(name)(nan).hint


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")
def test_an_endless_answer_is_stopped_even_if_it_catches_everything(name, monkeypatch):
    monkeypatch.setattr(hints, "SECONDS", 0.1)

    def endless(*_):
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                if time.monotonic() > start + 0.5:
                    raise

    start = time.monotonic()
    before = signal.getsignal(signal.SIGALRM)
    verdict = check(name)(endless)
    assert not verdict.ok and "never end" in verdict.hint
    assert time.monotonic() < start + 5
    assert signal.getsignal(signal.SIGALRM) is before


def test_outside_the_main_thread_a_check_still_checks():
    found = []
    job = threading.Thread(
        target=lambda: found.append(check("sign_rule")(solution("sign_rule"))), daemon=True
    )
    job.start()
    job.join(10)
    assert found[0].ok


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"armijo", "strong_wolfe", "choose_rows"}))
def test_a_changed_argument_is_noticed(name):
    def careless(*args):
        right = solution(name)(*args)
        array = next(arg for arg in args if isinstance(arg, np.ndarray))
        array += 1
        return right

    verdict = check(name)(careless)
    assert not verdict.ok and "changes its argument" in verdict.hint
