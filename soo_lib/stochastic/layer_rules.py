"""Mini-batch rules that see the layers of a network, and each layer's weights as a matrix.

They are made and called as those of :mod:`soo_lib.stochastic.rules` are; all but "adahessian" are
for networks alone. In "kronecker" W and the biases are one matrix (paper, appendix B); in the
others W, (n_in, n_out), is one by itself, as in their reference implementations, which keep it
transposed.
"""

from collections import defaultdict

import numpy as np
import scipy.linalg

from ..checks import as_count, as_number, as_one_of, as_share
from ..curvature.kronecker import ekfac_factors, kronecker_factors
from ..curvature.preconditioners import damped, shifts
from ..losses.blocks import product
from .rules import Rule, adam

QUINTIC = 3.4445, -4.775, 2.0315  # steepest at 0: it gets within .3 of 1 in five steps, and stays


def kronecker(
    damping: float = 1e-2,
    momentum: float = 0.9,
    refresh: int = 10,
    decay: float = 0.0,
    truncate: float = 0.0,
    ekfac: bool = False,
) -> Rule:
    """v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, μ = ``momentum`` (appendix B).

    The factors are those of every ``refresh``-th batch, or with ``decay`` > 0 an average with the
    older ones, plus ``damping`` (Martens and Grosse 2015). They are inverted in float64, and
    multiplied in the network's own precision. With ``truncate`` > 0 eigenvalues of a factor up to
    that share of what damping adds to them count as 0: few are left, and products with the inverse
    cost next to nothing. With ``ekfac`` the products of all eigenvalues give way to the batch's
    curvature along the same axes (George and others 2018; a second visit).
    """
    damping = as_number(damping, "damping", 0, above=True)
    momentum, decay = as_share(momentum, "momentum"), as_share(decay, "decay")
    refresh, truncate = as_count(refresh, "refresh"), as_number(truncate, "truncate", 0)
    if as_one_of(ekfac, "ekfac", (True, False)) and truncate:
        raise ValueError(f"truncate must be 0 with ekfac; got {truncate!r}")
    pairs, inverses, v, k = None, None, 0.0, 0

    def rule(batch, x, f, g, step):
        nonlocal pairs, inverses, v, k
        dtype = batch.loss.dtype
        if k % refresh == 0:
            new = kronecker_factors(batch.loss, x)
            batch.visits += 1 + ekfac
            if not all(np.isfinite(factor).all() for pair in new for factor in pair):
                return np.full_like(x, np.nan), step  # they overflow before the loss does
            pairs = [
                tuple(decay * old + (1 - decay) * factor for old, factor in zip(*both))
                for both in zip(pairs or new, new)
            ]
            if ekfac:
                axes = ekfac_factors(batch.loss, x, pairs)
                inverses = [_scaled(U, V, 1 / (S + damping), dtype) for U, V, S in axes]
            else:
                inverses = [_inverse(A, G, damping, truncate, dtype) for A, G in pairs]
        p = np.empty_like(g)
        for inverse, (A, G), part in zip(inverses, pairs, batch.loss.net.layer_slices):
            p[part] = inverse(g[part].reshape(len(A), len(G)).astype(dtype)).ravel()
        v, k = momentum * v + p, k + 1
        return -step * v, step

    return rule


def _inverse(A, G, damping, truncate, dtype):
    """P ↦ A⁻¹ P G⁻¹ for the two :func:`~soo_lib.curvature.damped`."""
    if not truncate:
        U, V = (np.linalg.inv(factor).astype(dtype) for factor in damped(A, G, damping))
        return lambda P: product(U, P, V)
    large = []
    for factor, shift in zip((A, G), shifts(A, G, damping)):
        values, vectors = scipy.linalg.eigh(factor, subset_by_value=(truncate * shift, np.inf))
        large += vectors.astype(dtype), (values / (values + shift)).astype(dtype)
    U, a, V, b = large

    def inverse(P):  # (I - U diag(a) Uᵀ) P (I - V diag(b) Vᵀ) over both shifts, which make damping
        P = P - U @ (a[:, None] * (U.T @ P))
        return (P - (P @ V * b) @ V.T) / damping

    return inverse


def _scaled(U, V, S, dtype):
    """P ↦ U (S ∘ UᵀPV) Vᵀ."""
    U, V, S = (part.astype(dtype) for part in (U, V, S))
    return lambda P: product(U, product(U.T, P, V) * S, V.T)


def adahessian(
    beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-4, weight_decay: float = 0.0
) -> Rule:
    """Adam with h² in place of g², h an estimate of the Hessian's diagonal from one product.

    ``h = |u·Hu|`` with signs u drawn at random, and in a network its mean over each unit's weights;
    ``beta1``, ``beta2`` and ``eps`` as in Adam. ``weight_decay``: Δx -= α·weight_decay·x (Yao and
    others 2021). A product is a second visit to the rows.
    """
    beta1, beta2 = as_share(beta1, "beta1"), as_share(beta2, "beta2")
    eps = as_number(eps, "eps", 0, above=True)
    weight_decay = as_number(weight_decay, "weight_decay", 0)
    m, v, k = 0.0, 0.0, 0

    def rule(batch, x, f, g, step):
        nonlocal m, v, k
        k += 1
        u = batch.rng.choice([-1.0, 1.0], len(x))
        h = np.abs(u * batch.hessp(x, u))
        for part, shape in matrices(batch.loss):
            h[part] = np.tile(h[part].reshape(shape).mean(axis=0), shape[0])
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * h * h
        root = np.sqrt(v / (1 - beta2**k)) + eps
        return -step * (m / (1 - beta1**k) / root + weight_decay * x), step

    return rule


def muon(
    momentum: float = 0.95, nesterov: bool = True, last: str = "adam", weight_decay: float = 0.0
) -> Rule:
    """Gradients averaged, their singular values set to about 1: ΔW = -.2 α √max(n_in, n_out) UVᵀ.

    UVᵀ is that of (1 - μ)G + μM, μ = ``momentum``, or without ``nesterov`` of the average M, by
    :func:`newton_schulz`. The factor gives an entry Adam's size, so that one step α suits both: the
    biases and, unless ``last`` is "muon", the last layer go by Adam (.9, .95). ``weight_decay``:
    ΔW -= α·weight_decay·W. Jordan and others (2024), scaled as by Liu and others (2025).
    """
    momentum = as_share(momentum, "momentum")
    as_one_of(nesterov, "nesterov", (True, False))
    by_adam = 1 if as_one_of(last, "last", ("adam", "muon")) == "adam" else 0
    weight_decay = as_number(weight_decay, "weight_decay", 0)
    others, averages = adam(0.9, 0.95), defaultdict(float)

    def rule(batch, x, f, g, step):
        change, _ = others(batch, x, f, g, step)
        layers = _gradients(batch, g)
        for layer, (part, G) in enumerate(layers[: len(layers) - by_adam]):
            M = averages[layer] = momentum * averages[layer] + (1 - momentum) * G
            UV = newton_schulz((1 - momentum) * G + momentum * M if nesterov else M)
            change[part] = (-0.2 * step * np.sqrt(max(G.shape)) * UV).ravel()
        return change - _decayed(batch, x, step * weight_decay), step

    return rule


def shampoo(
    beta1: float = 0.9,
    beta2: float = 0.999,
    decay: float = 0.95,
    refresh: int = 10,
    eps: float = 1e-12,
    graft: bool = True,
    weight_decay: float = 0.0,
) -> Rule:
    """P = L^-¼ M R^-¼ with the means L of GGᵀ and R of GᵀG; ΔW = -αP.

    M is the average of Adam (``beta1``), freed of its start, ``decay`` what L and R keep from step
    to step, or 1: sums, as in AdaGrad. The roots, with ``eps`` on the diagonal, are those of every
    ``refresh``-th step. With ``graft`` P has the norm of Adam's step in its place (``beta2``); the
    biases go by Adam. ``weight_decay``: ΔW -= α·weight_decay·W. Gupta, Koren and Singer (2018);
    Shi and others (2023).
    """
    others = adam(beta1, beta2)
    beta1, refresh = as_share(beta1, "beta1"), as_count(refresh, "refresh")
    if as_number(decay, "decay", 0) > 1:
        raise ValueError(f"decay must be a number >= 0 and <= 1; got {decay!r}")
    decay, eps = float(decay), as_number(eps, "eps", 0, above=True)
    as_one_of(graft, "graft", (True, False))
    weight_decay = as_number(weight_decay, "weight_decay", 0)
    weight = 1 - decay if decay < 1 else 1.0
    m, L, R, roots, k = 0.0, defaultdict(float), defaultdict(float), {}, 0

    def rule(batch, x, f, g, step):
        nonlocal m, k
        k += 1
        m = beta1 * m + (1 - beta1) * g
        change, _ = others(batch, x, f, g, step)
        start = 1 - decay**k if decay < 1 else 1.0
        for layer, (part, G) in enumerate(_gradients(batch, g)):
            L[layer] = decay * L[layer] + weight * (G @ G.T)
            R[layer] = decay * R[layer] + weight * (G.T @ G)
            if (k - 1) % refresh == 0:
                roots[layer] = [
                    matrix_root(F / start, 4, eps).astype(G.dtype) for F in (L[layer], R[layer])
                ]
            left, right = roots[layer]
            P = product(left, (m[part] / (1 - beta1**k)).reshape(G.shape).astype(G.dtype), right)
            size = np.linalg.norm(change[part]) / (np.linalg.norm(P) or 1.0) if graft else step
            change[part] = -(size * P).ravel()
        return change - _decayed(batch, x, step * weight_decay), step

    return rule


def soap(
    beta1: float = 0.95,
    beta2: float = 0.95,
    decay: float = 0.95,
    refresh: int = 10,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Rule:
    """Adam in the eigenbasis of Shampoo's L and R: ΔW = -α Q [QᵀMS/(√V + eps)] Sᵀ.

    M and V average G and (QᵀGS)² by ``beta1`` and ``beta2``, L and R by ``decay``. Their bases Q
    and S are eigenvectors at first, and after every ``refresh``-th step one step of orthogonal
    iteration; the first batch makes them, and moves nothing. The biases go by the same Adam, with
    ``eps`` beside √V before that is freed of its start. ``weight_decay``: W -= α·weight_decay·W
    after the step. Vyas and others (2024).
    """
    beta1, beta2 = as_share(beta1, "beta1"), as_share(beta2, "beta2")
    decay, refresh = as_share(decay, "decay"), as_count(refresh, "refresh")
    eps = as_number(eps, "eps", 0, above=True)
    weight_decay = as_number(weight_decay, "weight_decay", 0)
    m, v, k = 0.0, 0.0, 0
    V, L, R, bases = defaultdict(float), defaultdict(float), defaultdict(float), {}

    def rule(batch, x, f, g, step):
        nonlocal m, v, k
        layers, change = _gradients(batch, g), np.zeros_like(x)
        if k:  # the first batch makes the bases, and moves nothing
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            alpha = step * np.sqrt(1 - beta2**k) / (1 - beta1**k)
            change = -alpha * m / (np.sqrt(v) + eps)
            for layer, (part, G) in enumerate(layers):
                Q, S = bases[layer]
                V[layer] = beta2 * V[layer] + (1 - beta2) * product(Q.T, G, S) ** 2
                P = product(Q.T, m[part].reshape(G.shape).astype(G.dtype), S)
                P = P / (np.sqrt(V[layer]) + eps)
                change[part] = -alpha * product(Q, P, S.T).ravel()
            change = change - _decayed(batch, x + change, step * weight_decay)
        for layer, (_, G) in enumerate(layers):
            L[layer] = decay * L[layer] + (1 - decay) * (G @ G.T)
            R[layer] = decay * R[layer] + (1 - decay) * (G.T @ G)
            if k == 0:
                bases[layer] = [_eigh(F)[1][:, ::-1].astype(G.dtype) for F in (L[layer], R[layer])]
            elif k % refresh == 0:
                for side, F in enumerate((L[layer], R[layer])):
                    FQ = F @ bases[layer][side]
                    order = np.argsort(-np.sum(bases[layer][side] * FQ, axis=0), kind="stable")
                    V[layer] = np.take(V[layer], order, axis=side)
                    bases[layer][side] = np.linalg.qr(FQ[:, order])[0]
        k += 1
        return change, step

    return rule


LAYER_RULES = {"kronecker": kronecker, "muon": muon, "shampoo": shampoo, "soap": soap}


def newton_schulz(
    G: np.ndarray, steps: int = 5, coefficients: tuple[float, float, float] = QUINTIC
) -> np.ndarray:
    """About UVᵀ of G = U S Vᵀ, by products alone; both (n, m).

    X <- aX + (bA + cA²)X with A = XXᵀ maps every singular value s to as + bs³ + cs⁵, from
    G/‖G‖. The usual ``coefficients`` (a, b, c) bring all from .01 up into [.68, 1.14] in five
    ``steps`` and converge no further; (3, -3.2, 1.2) converge to 1 (Jordan and others 2024;
    Bernstein and Newhouse 2024). A G of zeros stays.
    """
    a, b, c = coefficients
    X = G / (np.linalg.norm(G) or 1.0)
    X = X.T if len(G) > len(G.T) else X  # the small square
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if len(G) > len(G.T) else X


def matrix_root(A: np.ndarray, p: int, eps: float = 0.0) -> np.ndarray:
    """A^(-1/p), (n, n), of a symmetric positive definite A, (n, n), with ``eps`` added to it.

    By its eigenvalues, of which the negative ones that rounding leaves are lifted to 0 first (Shi
    and others 2023). ValueError where A is singular and no ``eps`` helps.
    """
    values, Q = _eigh(A)
    if eps == 0 and values[0] <= len(A) * np.finfo(float).eps * abs(values[-1]):
        raise ValueError(
            f"A must be positive definite to have a root -1/{p}: give an eps > 0; got eigenvalues "
            f"from {values[0]:.3g} to {values[-1]:.3g}"
        )
    return (Q * (values - min(values[0], 0) + eps) ** (-1 / p)) @ Q.T


def _eigh(A):
    """Eigenvalues, (n,), ascending, and eigenvectors, (n, n), of A, (n, n), in float64."""
    if not np.isfinite(A).all():  # numpy would raise; the loop is to say that the run diverged
        return np.full(len(A), np.nan), np.full(A.shape, np.nan)
    return np.linalg.eigh(np.asarray(A, float))


def matrices(loss):
    """Where W of each layer of a ``loss``, or of a network, lies in x: pairs (slice, shape).

    The shapes of our networks are (n_in, n_out); a module's own come from its adapter. Without
    layers there are none.
    """
    if hasattr(loss, "matrices"):
        return loss.matrices
    net = getattr(loss, "net", loss)
    if not hasattr(net, "layer_slices"):
        return []
    starts = [part.start for part in net.layer_slices]
    return [(slice(i, i + n * m), (n, m)) for i, (n, m) in zip(starts, net.shapes)]


def _gradients(batch, g):
    """The gradient of each W within g: pairs (slice, G), G in the network's precision."""
    places = matrices(batch.loss)
    return [(part, g[part].reshape(shape).astype(batch.loss.dtype)) for part, shape in places]


def _decayed(batch, x, share):
    """``share`` of the weights in x, and 0 of its biases."""
    lost = np.zeros_like(x)
    for part, _ in matrices(batch.loss):
        lost[part] = share * x[part]
    return lost
