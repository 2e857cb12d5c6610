"""The checks of the exercises: right answers pass, and each usual slip gets its own hint."""

import re
import signal
import threading
import time
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
from scipy.special import expit, softmax

from soo_lib.book import exercises, hints

PAGES = sorted((Path(__file__).resolve().parent.parent / "book" / "exercises").glob("*.ipynb"))
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
    while phi(a) > c1 * a * dphi(0) or dphi(a) < c2 * dphi(0):
        if phi(a) > c1 * a * dphi(0):
            high = a
        else:
            low = a
        a = 2 * a if high == np.inf else low + 0.9 * (high - low)
    return a


def armijo_alone(phi, dphi, c1, c2):
    a = 1.0
    while phi(a) > c1 * a * dphi(0):
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


# For each exercise wrong answers, and what the hint must say.
WRONG = {
    "logistic_gradient": [
        (lambda x, X, y: X.T @ (expit(X @ x) - y), "factor m"),
        (lambda x, X, y: X.T @ (y - expit(X @ x)) / len(y), "up to the sign"),
        (lambda x, X, y: X.T @ expit(X @ x) / len(y), "Subtract y"),
        (lambda x, X, y: X.T @ (X @ x - y) / len(y), "ŷ is σ"),
        (lambda x, X, y: X.T @ (expit(X @ x) - y) / len(y) / 2, "a factor 0.5"),
        (lambda x, X, y: X * (expit(X @ x) - y)[:, None], r"shape should be \(3,\)"),
        (lambda x, X, y: X.T @ (np.exp(X @ x) / (1 + np.exp(X @ x)) - y) / 12, "For large Xx.*NaN"),
        (lambda x, X, y: X.T @ (d(expit(X @ x)) * (expit(X @ x) - y)) / 12, "σ' has cancelled"),
    ],
    "armijo": [
        (norm_for_slope, "slope gᵀp"),
        (no_promise, "any decrease"),
        (upward_slope, "negative already"),
        (lambda *a: solution("armijo")(*a) / 2, "halves once too often"),
        (lambda *a: min(0.5, solution("armijo")(*a)), "Try the step 1"),
        (lambda *a: 1.0, r"fails at the returned step 1\."),
        (lambda *a: 0.5**40, "held for an earlier step"),
        (lambda *a: -solution("armijo")(*a), "must be positive"),
    ],
    "strong_wolfe": [
        (weak_wolfe, "second Wolfe condition fails at the returned step .* strong condition"),
        (armijo_alone, "second Wolfe condition fails at the returned step"),
        (lambda *a: 1.0, "Wolfe condition fails at the returned step 1:"),
        (lambda *a: 100.0, "first Wolfe condition fails"),
        (lambda *a: 1e-4, "still falls"),
        (lambda *a: -1.0, "must be positive"),
    ],
    "newton_step": [
        (lambda x, g, H: x + np.linalg.solve(H, g), "eq. 5"),
        (lambda x, g, H: -np.linalg.solve(H, g), "This is the step"),
        (lambda x, g, H: np.linalg.solve(H, g), "This is H⁻¹g"),
        (lambda x, g, H: x - H @ g, "multiplies by H"),
        (lambda x, g, H: x - g / np.diag(H), "diagonal alone"),
        (lambda x, g, H: x - g / H, r"shape should be \(4,\)"),
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
        (in_place, "Correct, but it changes its argument 1"),
        (lambda g, S, Y: -g, "algorithm 7.4"),
    ],
    "choose_rows": [
        (lambda i, m, size, hold, seed: GENERATOR.choice(m, size, replace=False), "Asked twice"),
        (held(lambda i, hold, seed: [seed, i]), "before `hold`"),
        (held(lambda i, hold, seed: [seed]), "stay the same"),
        (held(lambda i, hold, seed: [i // hold]), "seed changes nothing"),
        (lambda i, m, size, hold, seed: rng([seed, i // hold]).choice(m, size), "twice in one"),
        (lambda i, m, size, hold, seed: np.arange(m), r"shape should be \(20,\)"),
        (lambda i, m, size, hold, seed: np.arange(size) + m, "whole numbers from 0 to 59"),
        (lambda i, m, size, hold, seed: rng([seed, i // hold]).permutation(24)[:size], "Most"),
    ],
    "softmax_hessian": [
        (lambda z: softmax(z)[:, None] * (1 - softmax(z)), "not symmetric"),
        (lambda z: np.diag(d(softmax(z))), "The diagonal is right"),
        (lambda z: np.diag(softmax(z)), "outer product"),
        (lambda z: np.diag(softmax(z)) - softmax(z) @ softmax(z).T, "one number"),
        (lambda z: np.outer(softmax(z), softmax(z)) - np.diag(softmax(z)), "up to the sign"),
        (lambda z: solution("softmax_hessian")(z) / 4, "a factor 0.25"),
        (lambda z: d(softmax(z)), r"shape should be \(4, 4\)"),
    ],
    "hessian_step": [
        (lambda W, a, gX, H: W @ H @ W.T, "eq. 66"),
        (lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T), "first term is right"),
        (lambda W, a, gX, H: np.diag(d(a) * (1 - 2 * a) * gX), "the first is missing"),
        (lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T)
         + d(a) * (1 - 2 * a) * gX, "on the diagonal"),
        (lambda W, a, gX, H: np.outer(d(a), d(a)) * (W @ H @ W.T)
         - np.diag(d(a) * (1 - 2 * a) * gX), "wrong sign"),
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
        (lambda A, G, v: A @ v.reshape(len(A), -1) @ G.T, r"shape should be \(12,\)"),
        (lambda A, G, v: v, "a row for each row of A"),
    ],
    "diagnose": [
        (lambda fun, jac, x: "none", "misses"),
        (lambda fun, jac, x: "gradient", "misses|no bug|none"),
        (forward_difference, "where there is none"),
        (blames_the_gradient, "drawn anew"),
        (tolerant, "0.001 off"),
        (lambda fun, jac, x: "wrong", "Return one of"),
        (lambda fun, jac, x: True, "Return one of"),
    ],
    "leaked_rows": [
        (lambda X, D: np.isin(np.arange(25), leaks(X, D)), "not a mark"),
        (lambda X, D: leaks(X, D)[:1], "finds 1 of"),
        (lambda X, D: np.flatnonzero(np.isin(D.sum(1), X.sum(1))), "names a row"),
        (lambda X, D: np.flatnonzero([(X[:, :5] == r[:5]).all(1).any() for r in D]), "names a row"),
        (lambda X, D: leaks(X, D)[::-1], "ascending"),
        (lambda X, D: np.repeat(leaks(X, D), 2), "once"),
        (lambda X, D: [], "finds 0 of"),
    ],
}  # fmt: skip


def test_each_page_has_its_check_and_its_slips():
    checks = [name for name in vars(exercises) if name.startswith("check_")]
    assert sorted(f"check_{name}" for name in NAMES) == sorted(checks)
    assert set(WRONG) == set(NAMES) and len(NAMES) >= 10
    assert all(len(slips) >= 4 for slips in WRONG.values())


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", NAMES)
def test_the_solution_on_the_page_is_right(name, seed):
    verdict = check(name)(solution(name), seed=seed)
    assert verdict.ok and repr(verdict) == "Right. You may move on.", verdict


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "name, number", [(name, i) for name, slips in WRONG.items() for i in range(len(slips))]
)
def test_a_slip_gets_its_own_hint(name, number, seed):
    wrong, says = WRONG[name][number]
    verdict = check(name)(wrong, seed=seed)
    assert not verdict.ok
    assert re.search(says, verdict.hint, re.DOTALL), verdict.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_stub_is_not_yet_an_answer(name):
    scope = {}
    exec(cells(name)["answer"].source, scope)
    assert check(name)(scope[name]) == (False, "Not yet: it returns nothing.")


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
    (lambda *_: np.full((2, 3, 4), 1.0), "shape should be|Return one of|finds 1"),
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
