"""Mini-batch rules that see the layers of a network, and each layer's weights as a matrix.

They are called as ``rule(batch, x, f, g, step, state)``, as all rules are. In "kronecker" W and the
biases are one matrix (paper, appendix B); in the others W, (n_in, n_out), is one by itself, as in
their reference implementations, which keep it transposed.
"""

from types import SimpleNamespace

import numpy as np
import scipy.linalg

from ..curvature.kronecker import ekfac_factors, kronecker_factors
from ..curvature.preconditioners import damped, shifts
from ..losses.blocks import product
from .rules import adam

QUINTIC = 3.4445, -4.775, 2.0315  # steepest at 0: it gets within .3 of 1 in five steps, and stays


def kronecker(
    batch,
    x,
    f,
    g,
    step,
    state,
    damping=1e-2,
    momentum=0.9,
    refresh=10,
    decay=0.0,
    truncate=0.0,
    ekfac=False,
):
    """v <- μv + (A ⊗ G)⁻¹g in each layer, Δx = -αv, μ = ``momentum`` (appendix B).

    The factors are those of every ``refresh``-th batch, or with ``decay`` > 0 an average with the
    older ones, plus ``damping`` (Martens and Grosse 2015). They are inverted in float64, and
    multiplied in the network's own precision. With ``truncate`` > 0 eigenvalues of a factor up to
    that share of what damping adds to them count as 0: few are left, and products with the inverse
    cost next to nothing. With ``ekfac`` the products of all eigenvalues give way to the batch's
    curvature along the same axes (George and others 2018; a second visit).
    """
    if ekfac and truncate:
        raise ValueError(f"truncate must be 0 with ekfac; got {truncate!r}")
    dtype = batch.loss.dtype
    if (state.k - 1) % refresh == 0:
        new = kronecker_factors(batch.loss, x)
        batch.visits += 1 + ekfac
        if not all(np.isfinite(factor).all() for pair in new for factor in pair):
            return np.full_like(x, np.nan)  # they overflow before the loss does; the loop will stop
        state.pairs = [
            tuple(decay * old + (1 - decay) * factor for old, factor in zip(*pairs))
            for pairs in zip(getattr(state, "pairs", new), new)
        ]
        if ekfac:
            bases = ekfac_factors(batch.loss, x, state.pairs)
            state.inverses = [_scaled(U, V, 1 / (S + damping), dtype) for U, V, S in bases]
        else:
            state.inverses = [_inverse(*pair, damping, truncate, dtype) for pair in state.pairs]
    p = np.empty_like(g)
    for inverse, (A, G), part in zip(state.inverses, state.pairs, batch.loss.net.layer_slices):
        p[part] = inverse(g[part].reshape(len(A), len(G)).astype(dtype)).ravel()
    state.v = momentum * state.v + p
    return -step * state.v


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


def adahessian(batch, x, f, g, step, state, beta1=0.9, beta2=0.999, eps=1e-4, weight_decay=0.0):
    """Adam with h² in place of g², h an estimate of the Hessian's diagonal from one product.

    ``h = |u·Hu|`` with signs u drawn at random, and in a network its mean over each unit's weights;
    ``beta1``, ``beta2`` and ``eps`` as in Adam. ``weight_decay``: Δx -= α·weight_decay·x (Yao and
    others 2021). A product is a second visit to the rows.
    """
    u = state.rng.choice([-1.0, 1.0], len(x))
    h = np.abs(u * batch.hessp(x, u))
    for part, shape in matrices(getattr(batch.loss, "net", None)):
        h[part] = np.tile(h[part].reshape(shape).mean(axis=0), shape[0])
    state.m = beta1 * state.m + (1 - beta1) * g
    state.v = beta2 * state.v + (1 - beta2) * h * h
    root = np.sqrt(state.v / (1 - beta2**state.k)) + eps
    return -step * (state.m / (1 - beta1**state.k) / root + weight_decay * x)


def muon(batch, x, f, g, step, state, momentum=0.95, nesterov=True, last="adam", weight_decay=0.0):
    """Gradients averaged, their singular values set to about 1: ΔW = -.2 α √max(n_in, n_out) UVᵀ.

    UVᵀ is that of (1 - μ)G + μM, μ = ``momentum``, or without ``nesterov`` of the average M, by
    :func:`newton_schulz`. The factor gives an entry Adam's size, so that one step α suits both: the
    biases and, unless ``last`` is "muon", the last layer go by Adam (.9, .95). ``weight_decay``:
    ΔW -= α·weight_decay·W. Jordan and others (2024), scaled as by Liu and others (2025).
    """
    change = adam(batch, x, f, g, step, state, 0.9, 0.95)
    for part, G in _gradients(batch, g)[: None if last == "muon" else -1]:
        M = state.kept[part.start] = momentum * state.kept.get(part.start, 0.0) + (1 - momentum) * G
        UV = newton_schulz((1 - momentum) * G + momentum * M if nesterov else M)
        change[part] = (-0.2 * step * np.sqrt(max(G.shape)) * UV).ravel()
    return change - _decayed(batch, x, step * weight_decay)


def shampoo(
    batch,
    x,
    f,
    g,
    step,
    state,
    beta1=0.9,
    beta2=0.999,
    decay=0.95,
    refresh=10,
    eps=1e-12,
    graft=True,
    weight_decay=0.0,
):
    """P = L^-¼ M R^-¼ with the means L of GGᵀ and R of GᵀG; ΔW = -αP.

    M is the average of Adam (``beta1``), freed of its start, ``decay`` what L and R keep from step
    to step, or 1: sums, as in AdaGrad. The roots, with ``eps`` on the diagonal, are those of every
    ``refresh``-th step. With ``graft`` P has the norm of Adam's step in its place (``beta2``); the
    biases go by Adam. ``weight_decay``: ΔW -= α·weight_decay·W. Gupta, Koren and Singer (2018);
    Shi and others (2023).
    """
    change = adam(batch, x, f, g, step, state, beta1, beta2)
    for part, G in _gradients(batch, g):
        kept = state.kept.setdefault(part.start, SimpleNamespace(L=0.0, R=0.0))
        weight = 1 - decay if decay < 1 else 1.0
        kept.L = decay * kept.L + weight * (G @ G.T)
        kept.R = decay * kept.R + weight * (G.T @ G)
        if (state.k - 1) % refresh == 0:
            start = 1 - decay**state.k if decay < 1 else 1.0
            kept.roots = [matrix_root(F / start, 4, eps).astype(G.dtype) for F in (kept.L, kept.R)]
        M = (state.m[part] / (1 - beta1**state.k)).reshape(G.shape).astype(G.dtype)
        P = product(kept.roots[0], M, kept.roots[1])
        size = np.linalg.norm(change[part]) / (np.linalg.norm(P) or 1.0) if graft else step
        change[part] = -(size * P).ravel()
    return change - _decayed(batch, x, step * weight_decay)


def soap(
    batch,
    x,
    f,
    g,
    step,
    state,
    beta1=0.95,
    beta2=0.95,
    decay=0.95,
    refresh=10,
    eps=1e-8,
    weight_decay=0.0,
):
    """Adam in the eigenbasis of Shampoo's L and R: ΔW = -α U [M/(√V + eps)] Vᵀ.

    M and V average G and (UᵀGV)² by ``beta1`` and ``beta2``, L and R by ``decay``. Their bases are
    eigenvectors at first, and after every ``refresh``-th step one step of orthogonal iteration; the
    first batch makes them, and moves nothing. The biases go by the same Adam, with ``eps`` beside
    √V before that is freed of its start. ``weight_decay``: W -= α·weight_decay·W after the step.
    Vyas and others (2024).
    """
    k = state.k - 1
    if k:
        state.m = beta1 * state.m + (1 - beta1) * g
        state.v = beta2 * state.v + (1 - beta2) * g * g
        alpha = step * np.sqrt(1 - beta2**k) / (1 - beta1**k)
        change = -alpha * state.m / (np.sqrt(state.v) + eps)
    else:
        change = np.zeros_like(x)
    for part, G in _gradients(batch, g):
        kept = state.kept.setdefault(part.start, SimpleNamespace(V=0.0, L=0.0, R=0.0))
        if k:
            U, V = kept.bases
            kept.V = beta2 * kept.V + (1 - beta2) * product(U.T, G, V) ** 2
            M = state.m[part].reshape(G.shape).astype(G.dtype)
            P = product(U.T, M, V) / (np.sqrt(kept.V) + eps)
            change[part] = -alpha * product(U, P, V.T).ravel()
        kept.L = decay * kept.L + (1 - decay) * (G @ G.T)
        kept.R = decay * kept.R + (1 - decay) * (G.T @ G)
        if not k:
            kept.bases = [eigh(F)[1][:, ::-1].astype(G.dtype) for F in (kept.L, kept.R)]
        elif k % refresh == 0:
            for side, F in enumerate((kept.L, kept.R)):
                FQ = F @ kept.bases[side]
                order = np.argsort(-np.sum(kept.bases[side] * FQ, axis=0), kind="stable")
                kept.V = np.take(kept.V, order, axis=side)
                kept.bases[side] = np.linalg.qr(FQ[:, order])[0]
    return change - _decayed(batch, x + change, step * weight_decay if k else 0.0)


def newton_schulz(G, steps=5, coefficients=QUINTIC):
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


def matrix_root(A, p, eps=0.0):
    """A^(-1/p), (n, n), of a symmetric positive definite A, (n, n), with ``eps`` added to it.

    By its eigenvalues, of which the negative ones that rounding leaves are lifted to 0 first (Shi
    and others 2023). ValueError where A is singular and no ``eps`` helps.
    """
    values, Q = eigh(A)
    if eps == 0 and values[0] <= len(A) * np.finfo(float).eps * abs(values[-1]):
        raise ValueError(
            f"A must be positive definite to have a root -1/{p}: give an eps > 0; got eigenvalues "
            f"from {values[0]:.3g} to {values[-1]:.3g}"
        )
    return (Q * (values - min(values[0], 0) + eps) ** (-1 / p)) @ Q.T


def eigh(A):
    """Eigenvalues, (n,), ascending, and eigenvectors, (n, n), of A, (n, n), in float64.

    NaN where A is not finite, for which numpy has an error: the loop says that a run diverged. As
    LAPACK's (Anderson and others 1999).
    """
    if not np.isfinite(A).all():
        return np.full(len(A), np.nan), np.full(A.shape, np.nan)
    return np.linalg.eigh(np.asarray(A, float))


def matrices(net):
    """Where W of each layer of ``net`` lies in x: pairs (slice, (n_in, n_out)); none for None."""
    if net is None:
        return []
    starts = [part.start for part in net.layer_slices]
    return [(slice(i, i + n * m), (n, m)) for i, (n, m) in zip(starts, net.shapes)]


def _gradients(batch, g):
    """The part of g in each W: pairs (slice, G) in the network's precision."""
    places = matrices(batch.loss.net)
    return [(part, g[part].reshape(shape).astype(batch.loss.dtype)) for part, shape in places]


def _decayed(batch, x, share):
    """``share`` of the weights in x, and 0 of its biases."""
    lost = np.zeros_like(x)
    for part, _ in matrices(getattr(batch.loss, "net", None)):
        lost[part] = share * x[part]
    return lost
