"""Checks of the book's exercises: ``check_<name>(function)`` says what is wrong with an answer.

The problems are random, and their sizes differ, so that no slip goes unseen. A hint comes from
comparing the answer with what the usual slips would have given.
"""

import tracemalloc

import numpy as np
from scipy.special import expit, softmax

from ..losses import Logistic, Rosenbrock
from ..sampling import Reshuffled
from .hints import checker, compare, need, numbers


@checker
def check_logistic_gradient(answer, rng):
    """``logistic_gradient(x, X, y)``, the gradient of the mean logistic loss (eqs 16-17)."""
    X, y, x = rng.normal(size=(12, 3)), rng.permutation(np.arange(12) % 2), rng.normal(size=3)
    z, loss = X @ x, Logistic(X, y)
    r = expit(z) - y
    compare(answer(x, X, y), loss.jac(x), {
        "Right up to a factor m: the loss is a mean over the m samples.": X.T @ r,
        "Subtract y: this is Xᵀŷ/m.": X.T @ expit(z) / 12,
        "ŷ is σ(Xx), not Xx itself.": X.T @ (z - y) / 12,
        "The residual is ŷ - y alone; σ' has cancelled.": X.T @ (r * expit(z) * expit(-z)) / 12,
    }, "Not yet: with ŷ = σ(Xx), the residual is ŷ - y, and Xᵀ brings it back to x.")
    compare(answer(1e4 * x, X, y), loss.jac(1e4 * x), {}, "try scipy's expit.", "For large Xx: ")


@checker
def check_armijo(answer, rng):
    """``armijo(fun, x, p, f, slope, c1)``: the first of 1, ½, ¼, ... that Armijo accepts."""
    loss, found, first = Rosenbrock(), [], []
    for k in range(60):
        x = rng.normal(size=2)
        f, g = loss.fun_and_jac(x)
        p = -g * rng.uniform(0.1, 9, size=2) ** (k % 2) * 10 ** rng.uniform(-3, 0.5)
        found.append(float(numbers(answer(loss.fun, x, p, f, float(g @ p), 0.4), ())))
        need(found[-1] > 0, f"A step must be positive; yours is {found[-1]:g}.")
        falls = [(a, (loss.fun(x + a * p) - f) / a) for a in 0.5 ** np.arange(60)]
        first.append([next((a for a, fall in falls if fall <= 0.4 * promise), 0.0)
                      for promise in (g @ p, -p @ p, 0.0, -g @ p)])
    right, norm, simple, flipped = np.array(first).T
    short = np.flatnonzero(found > right)
    compare(found, right, {
        "It uses -‖p‖² where Armijo's condition has the slope gᵀp: right for p = -g alone.": norm,
        "It accepts any decrease: ask for a share c1 of what the slope promises.": simple,
        "The slope is negative already: the condition adds c1 α slope to f.": flipped,
        "It halves once too often: return the step that was accepted.": right / 2,
        "Try the step 1 first.": np.minimum(right, 0.5),
    }, f"Armijo's condition fails at the returned step {found[short[0]]:g}." if len(short)
       else "Armijo's condition held for an earlier step already: stop at the first.")


@checker
def check_strong_wolfe(answer, rng):
    """``strong_wolfe(phi, dphi, c1, c2)``: a step that satisfies the strong Wolfe conditions."""
    c1, c2 = 0.1, 0.3
    for s in rng.permutation(np.geomspace(0.03, 30, 12)) * rng.uniform(0.8, 1.25, size=12):
        phi = np.poly1d([s**-4, 0, 0, -4 / s, 0])  # falls from 0 to a = s, then rises
        dphi, fails = phi.deriv(), "Wolfe condition fails at the returned step"
        a = float(numbers(answer(phi, dphi, c1, c2), ()))
        need(a > 0, f"A step must be positive; yours is {a:g}.")
        need(phi(a) <= c1 * a * dphi(0), f"The first {fails} {a:.3g}: the loss falls too little.")
        need(dphi(a) >= c2 * dphi(0), f"The second {fails} {a:.3g}: it still falls steeply there.")
        need(dphi(a) <= -c2 * dphi(0), f"The second {fails} {a:.3g}: it rises steeply there, and "
             "the strong condition bounds |φ'(α)|, not φ'(α) alone.")


@checker
def check_newton_step(answer, rng):
    """``newton_step(x, g, H)``, the point that one full Newton step from x leads to (eq. 1)."""
    x, g, R = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(4, 4))
    H = R @ R.T + 0.1 * np.eye(4)
    p = -np.linalg.solve(H, g)
    compare(answer(x, g, H), x + p, {
        "It climbs: that is the plus sign of the paper's eq. 5. The step is -H⁻¹g.": x - p,
        "This is the step. Return the point that it leads to.": p,
        "This is H⁻¹g. Return the point x - H⁻¹g.": -p,
        "It multiplies by H. Solve the system H p = -g.": x - H @ g,
        "It divides by H's diagonal alone.": x - g / np.diag(H),
    }, "Not yet: solve H p = -g, and return x + p.")


@checker
def check_polak_ribiere(answer, rng):
    """``polak_ribiere(g, g_old)``: Polak-Ribière's β, at least 0 (N&W eq. 5.44)."""
    g, old = rng.normal(size=(2, 12, 5))
    g[::2] = 0.6 * old[::2] + 0.1 * g[::2]  # here β < 0
    raw, ratio = [np.sum(v * g, axis=1) / np.sum(old * old, axis=1) for v in (g - old, g)]
    compare([numbers(answer(*pair), ()) for pair in zip(g, old)], np.maximum(raw, 0), {
        "Right where β > 0. Where it is negative take 0, which restarts the method.": raw,
        "This is Fletcher and Reeves' β: the numerator should be gᵀ(g - g_old).": ratio,
        "Divide by the old gradient's square, not the new one's.": np.maximum(raw / ratio, 0),
        "The difference is the other way round: gᵀ(g - g_old).": np.maximum(-raw, 0),
        "Take 0 where β is negative, not its absolute value.": np.abs(raw),
    }, "Not yet: gᵀ(g - g_old) over g_oldᵀg_old, and 0 where that is negative.")


@checker
def check_two_loop(answer, rng):
    """``two_loop(g, S, Y)``, the L-BFGS direction; row i of S and Y is pair i, oldest first."""
    g, S, R = rng.normal(size=6), rng.normal(size=(3, 6)), rng.normal(size=(6, 6))
    Y = S @ (R @ R.T + np.eye(6))

    def p(S, Y, gamma):  # by N&W eq. 7.16: H as a matrix, pair after pair
        H = gamma * np.eye(6)
        for s, y in zip(S, Y):
            V = np.eye(6) - np.outer(y, s) / (s @ y)
            H = V.T @ H @ V + np.outer(s, s) / (s @ y)
        return -H @ g

    oldest, _, newest = np.sum(S * Y, axis=1) / np.sum(Y * Y, axis=1)
    q = g.copy()
    for s, y in zip(S[::-1], Y[::-1]):
        q = q - (s @ q) / (s @ y) * y
    compare(answer(g, S, Y), p(S, Y, newest), {
        "Between the loops multiply by γ = sᵀy / yᵀy of the newest pair.": p(S, Y, 1),
        "γ comes from the newest pair; yours is the oldest pair's.": p(S, Y, oldest),
        "The first loop goes from the newest pair to the oldest.": p(S[::-1], Y[::-1], newest),
        "The pairs are in the wrong order: the newest is the last.": p(S[::-1], Y[::-1], oldest),
        "The second loop is missing: from the oldest pair on, add (α - β)s.": -newest * q,
    }, "Not yet: N&W algorithm 7.4. Keep each α of the first loop for the second.")


@checker
def check_choose_rows(answer, rng):
    """``choose_rows(iteration, m, size, hold, seed)``: a sampler that L-BFGS can work with."""
    m, hold, seed = 60, 5, int(rng.integers(1000))

    def rows(iteration, seed=seed):
        got = numbers(answer(iteration, m, 20, hold, seed), (20,))
        need(np.isin(got, np.arange(m)).all(), f"Rows are whole numbers from 0 to {m - 1}.")
        need(len(set(got)) == 20, "A row occurs twice in one batch.")
        return set(got)

    need(rows(0) == rows(0), "Asked twice for one iteration, it gives other rows: a line search "
         "would compare two functions. Make a generator from the seed in every call.")
    batches = [rows(i * hold) for i in range(8)]
    need(all(rows(i * hold + j) == batches[i] for i in range(3) for j in range(1, hold)),
         "The rows change before `hold` iterations are over: y would be the difference of two "
         "functions' gradients.")
    need(batches[0] != batches[1], "The rows stay the same after `hold` iterations.")
    need(batches != [rows(i * hold, seed + 1) for i in range(8)], "The seed changes nothing.")
    need(len(set.union(*batches)) > 0.7 * m, "Most rows are never seen: draw from all m.")


@checker
def check_softmax_hessian(answer, rng):
    """``softmax_hessian(z)``, the cross-entropy's Hessian in one sample's logits (eq. 83)."""
    z = rng.normal(size=4)
    q = softmax(z)
    got = numbers(answer(z), (4, 4))
    need(np.allclose(got, got.T), "The Hessian is not symmetric, and second derivatives are.")
    compare(got, np.diag(q) - np.outer(q, q), {
        "The diagonal is right. Off it, the entries are -q_i q_j.": np.diag(q * (1 - q)),
        "Subtract the outer product q qᵀ.": np.diag(q),
        "For a vector q @ q.T is one number: np.outer makes the matrix.": np.diag(q) - q @ q,
    }, "Not yet: with q = softmax(z) it is Diag(q) - q qᵀ.")
    shift = "For z near 1000 (subtract max(z) first): "
    compare(answer(z + 1000), np.diag(q) - np.outer(q, q), {}, "it is wrong.", shift)


@checker
def check_hessian_step(answer, rng):
    """``hessian_step(W, a, gX, H)``, eqs 66-67 for sigmoid units with outputs a."""
    (W, R), a, gX = rng.normal(size=(2, 4, 3)), rng.random(4), rng.normal(size=4)
    H, d = R.T @ R, a * (1 - a)
    HX = W @ H @ W.T
    first, red = np.outer(d, d) * HX, np.diag(d * (1 - 2 * a) * gX)
    compare(answer(W, a, gX, H), first + red, {
        "This is eq. 66. Now σ' on both sides, and the σ'' term.": HX,
        "The first term is right. Add the one with σ''.": first,
        "The σ'' term has the wrong sign: σ'' = a(1 - a)(1 - 2a).": first - red,
        "The σ'' term is right; the first is missing.": red,
        "The σ'' term goes on the diagonal: np.diag.": first + np.diag(red),
        "σ' belongs on both sides of W H Wᵀ.": d[:, None] * HX + red,
        "It is σ'' that multiplies the gradient, not σ'.": first + np.diag(d * gX),
    }, "Not yet. Start with eq. 66, W H Wᵀ.")


@checker
def check_sign_rule(answer, rng):
    """``sign_rule(z, g)``: where σ''(z) g >= 0, for arrays (eqs 87-89, corrected)."""
    z, g = rng.integers(-3, 4, size=(2, 500)) / 2
    compare(answer(z, g), z * g <= 0, {
        "This is the paper's eqs 88-89, which are reversed: σ'' > 0 where z < 0.": z * g >= 0,
        "Where z or g is 0 the term is 0, and 0 counts as non-negative.": z * g < 0,
        "The sign of g matters too.": z <= 0,
        "The sign of z matters too.": g >= 0,
    }, "Not yet: for which z is σ'' positive, and for which negative?")


@checker
def check_kronecker_product(answer, rng):
    """``kronecker_product(A, G, v)``: np.kron(A, G) @ v without np.kron."""
    A, G, v = rng.normal(size=(4, 4)), rng.normal(size=(3, 3)), rng.normal(size=12)
    V = v.reshape(4, 3)
    compare(answer(A, G, v), np.kron(A, G) @ v, {
        "G acts from the right, and transposed.": (A @ V @ G).ravel(),
        "A acts from the left as it is, not transposed.": (A.T @ V @ G.T).ravel(),
        "G is missing.": (A @ V).ravel(),
        "A is missing.": (V @ G.T).ravel(),
        "The factors have changed places.": np.kron(G, A) @ v,
    }, "Not yet: v is a matrix V with a row for each row of A. Which side does G act on?")
    for n in (60, 600):  # np.kron would take 0.1 GB and 1 TB
        A, G, v = rng.normal(size=(n, n)), rng.normal(size=(n, n)), rng.normal(size=n * n)
        tracemalloc.start()
        try:
            got, peak = answer(A, G, v), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        need(n > 60 or peak < 5e6, f"Right, but it takes {peak / 1e6:.0f} MB: do not form it.")
        compare(got, (A @ v.reshape(n, n) @ G.T).ravel(), {}, "Right for small factors alone.")


@checker
def check_diagnose(answer, rng):
    """``diagnose(fun, jac, x)``: "gradient" is wrong, loss is "resampled", or "none" of both."""
    missed = {
        "gradient": "It misses one entry of the gradient that is 0.001 off: test each of them.",
        "resampled": "It misses a loss drawn anew at each call: first look twice at one point.",
        "none": "It finds a bug where there is none: rounding and truncation leave small errors.",
    }
    for truth in rng.permutation([*missed] * 4):
        sound, x = Logistic(rng.normal(size=(90, 4)), np.arange(90) % 2), rng.normal(size=4)
        loss = Reshuffled(sound, 10, 3, int(rng.integers(99))) if truth == "resampled" else sound
        bend = 1e-3 * np.eye(4)[rng.integers(4)] * (truth == "gradient")
        said = answer(loss.fun, lambda x, loss=loss, bend=bend: loss.jac(x) + bend, x)
        need(str(said) in missed, f"Return one of {', '.join(missed)}; yours is {str(said)[:40]}.")
        need(said == truth, missed[str(truth)])


@checker
def check_leaked_rows(answer, rng):
    """``leaked_rows(X_train, X_dev)``: the numbers of the dev rows that are training rows too."""
    train = rng.integers(0, 3, size=(40, 6)).astype(float)
    dev = np.r_[train[rng.choice(40, 5, replace=False)], rng.permuted(train[:20], axis=1)]
    dev[5:9] = train[:4] + 0.5 * np.eye(6)[5]  # alike but for one entry: no leak
    dev[9:12] = dev[12:15]  # twice in dev: no leak either
    dev = rng.permutation(dev)
    leaks = np.flatnonzero((dev[:, None] == train).all(axis=2).any(axis=1))
    got = numbers(answer(train, dev), None)
    need(got.shape != (25,), "Return the leaks' numbers, not a mark a row: np.flatnonzero.")
    found = set(got.ravel())
    need(found <= set(leaks), "It names a row of dev that is not in train: all entries must agree.")
    need(found >= set(leaks), f"It finds {len(found)} of {len(leaks)}: compare with every row.")
    need(np.array_equal(got, leaks), "Give each row once, in ascending order.")
