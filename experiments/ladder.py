"""How much is lost by approximating? From full Gauss-Newton to the gradient, a rung at a time.

500 of scikit-learn's digits, λ = 1e-4, all rows at every step and one line search for all. A rung
is a function from the point and its gradient to a direction; each has five settings to choose from.
"""

from functools import lru_cache, partial
from types import SimpleNamespace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from experiments.precondition_variants import drawn
from soo_lib.curvature import (
    backward_roots,
    damped,
    ekfac_factors,
    hessian_diagonal,
    kronecker_factors,
    layer_hessians,
)
from soo_lib.datasets import load_digits
from soo_lib.losses import Network
from soo_lib.solvers import LBFGS, Criteria, Ray, Recorder, wolfe
from soo_lib.stochastic import RULES

SLICE = {"maxiter": 3}
TIMED = True
ROWS = 500
NETS = {  # sizes, activation, and the factor of the usual start
    "shallow": ([64, 16, 10], "tanh", 1.0),
    "sigmoid": ([64, 16, 10], "sigmoid", 1.0),
    "deep": ([64, 12, 12, 12, 10], "tanh", 1.0),
    "deeper": ([64, 12, 12, 12, 12, 12, 12, 10], "tanh", 1.0),
    "far start": ([64, 16, 10], "tanh", 4.0),
    "4 x 4 pixels": ([16, 12, 10], "tanh", 1.0),
}
DAMPINGS = 1e-1, 1e-2, 1e-3, 1e-4, 1e-5
MEMORIES = 0.0, 0.5, 0.9, 0.99, 0.999  # the share that stays from step to step
MAXITER = 30
PAIRS = 3, 5, 10, 20, 30  # of changes of x and of the gradient


load = lru_cache(maxsize=1)(load_digits)

# A rung is called with the loss, x and g, (n,), its setting, and what it may keep in between.


def full(loss, x, g, damping, kept):
    """Return -(JᵀH_L J + λI)⁻¹g, the blocks between layers included."""
    roots = list(backward_roots(loss.net, loss.layers(x), loss.X, loss.y))[::-1]
    H = np.diag(loss.penalty.weights + damping)
    for i, *left in roots:
        for j, *right in roots[i:]:
            H[loss.net.layer_slices[i], loss.net.layer_slices[j]] += block(*left, *right)
    return -cho_solve(cho_factor(H), g)  # cho_factor reads the upper triangle alone


def block(X, B, X2, B2):
    """Return the Gauss-Newton block between two layers: the mean of (x x₂ᵀ) ⊗ (B B₂ᵀ)."""
    inputs = np.einsum("mi,mj->mij", X, X2).reshape(len(X), -1)
    outputs = np.einsum("cmk,cml->mkl", B, B2).reshape(len(X), -1)
    sizes = X.shape[1], X2.shape[1], B.shape[2], B2.shape[2]
    H = (inputs.T @ outputs / len(X)).reshape(sizes).transpose(0, 2, 1, 3)
    return H.reshape(sizes[0] * sizes[2], -1)


def layers(loss, x, g, damping, kept, curvature="ggn"):
    """Do as ``full`` with each layer by itself, or with another ``curvature`` (eqs 66-70)."""
    p = np.empty_like(g)
    for H, part in zip(layer_hessians(loss, x, curvature), loss.net.layer_slices):
        H[np.diag_indices(len(H))] += damping
        try:
            p[part] = -cho_solve(cho_factor(H), g[part])
        except LinAlgError:  # H is indefinite: do as Newton's direction does, N&W section 3.4
            values, V = eigh(H)
            p[part] = -V @ (V.T @ g[part] / np.maximum(np.abs(values), damping))
    return p


def along_axes(loss, g, axes, damping):
    """Divide -g by S + λ in each layer's axes uᵢ ⊗ vⱼ; the curvature S is (n_in + 1, n_out)."""
    p = np.empty_like(g)
    for (U, V, S), part in zip(axes, loss.net.layer_slices):
        P = U.T @ g[part].reshape(S.shape) @ V / (S + loss.penalty.l2 + damping)
        p[part] = -(U @ P @ V.T).ravel()
    return p


def axes_of(A, G):
    """Return the eigenvectors of A ⊗ G, and the products of the eigenvalues."""
    (a, U), (b, V) = eigh(A), eigh(G)
    return U, V, np.outer(a, b)


def pair(loss, x, g, damping, kept):
    return along_axes(loss, g, [axes_of(*both) for both in kronecker_factors(loss, x)], damping)


def kfac(loss, x, g, damping, kept):
    """Take the pair with the damping shared between its factors."""
    axes = [axes_of(*damped(A, G, damping)) for A, G in kronecker_factors(loss, x)]
    return along_axes(loss, g, axes, 0.0)


def ekfac(loss, x, g, damping, kept):
    return along_axes(loss, g, ekfac_factors(loss, x, kronecker_factors(loss, x)), damping)


def sampled(loss, x, g, damping, kept):
    """Take the pair from one label a row, drawn from the network's own probabilities."""
    return along_axes(loss, g, [axes_of(*both) for both in drawn(loss, x, kept.rng)], damping)


def nearest(loss, x, g, damping, kept):
    return along_axes(loss, g, [axes_of(*both) for both in nearest_pairs(loss, x)], damping)


def nearest_pairs(loss, x, steps=3):
    """Return the A ⊗ G nearest to each layer's block in the Frobenius norm, by power iterations.

    A block is the mean over the rows of (x ⊗ b)(x ⊗ b)ᵀ. So for a given G the best A is the mean of
    (bᵀGb) xxᵀ over ‖G‖², and likewise for G (Van Loan and Pitsianis 1993).
    """
    pairs = []
    for _, X, B in backward_roots(loss.net, loss.layers(x), loss.X, loss.y):
        G = np.eye(B.shape[2])
        for _ in range(steps):
            weights = np.sum((B @ G) * B, axis=(0, 2)) / np.sum(G * G) / len(X)
            A = X.T @ (weights[:, None] * X)
            weights = np.sum((X @ A) * X, axis=1) / np.sum(A * A) / len(X)
            G = np.einsum("cmi,m,cmj->ij", B, weights, B, optimize=True)
        pairs.append((A, G))
    return pairs[::-1]


def diagonal(loss, x, g, damping, kept):
    return -g / (hessian_diagonal(loss, x, "ggn") + damping)


def muon(loss, x, g, memory, kept):
    """Return -UVᵀ of a fading mean U S Vᵀ of the gradients, in the size that Muon gives it."""
    p, kept.m = np.empty_like(g), memory * kept.m + (1 - memory) * g
    for part, (n_in, n_out) in zip(loss.net.layer_slices, loss.net.shapes):
        U, _, Vt = np.linalg.svd(kept.m[part].reshape(n_in + 1, n_out), full_matrices=False)
        p[part] = -0.2 * np.sqrt(max(n_in, n_out)) * (U @ Vt).ravel()
    return p


def gradient(loss, x, g, _, kept):
    return -g


def remembered(rule, names, fixed, loss, x, g, memory, kept):
    """Run a mini-batch rule on all rows, without momentum; ``names`` are its memory's settings."""
    kept.rule = kept.rule or RULES[rule](**fixed, **dict.fromkeys(names, memory))
    return kept.rule(SimpleNamespace(loss=loss), x, 0.0, g, 1.0)[0]


def lbfgs(loss, x, g, memory, kept):
    """Let differences of the gradients, the last ``memory`` of them, stand for the curvature."""
    if kept.rule is None:
        kept.rule = LBFGS(memory)
    else:
        kept.rule.update(x - kept.x, kept.g, g)
    kept.x, kept.g = x, g
    return kept.rule(loss, x, g)


GATHERED = {"beta1": 0.0, "refresh": 1}
RUNGS = {
    "full Gauss-Newton": (full, DAMPINGS),
    "layer by layer": (layers, DAMPINGS),
    "nearest pair": (nearest, DAMPINGS),
    "EKFAC": (ekfac, DAMPINGS),
    "pair": (pair, DAMPINGS),
    "K-FAC's damping": (kfac, DAMPINGS),
    "drawn labels": (sampled, DAMPINGS),
    "diagonal": (diagonal, DAMPINGS),
    "Shampoo": (partial(remembered, "shampoo", ["beta2", "decay"], GATHERED), MEMORIES),
    "SOAP": (partial(remembered, "soap", ["beta2", "decay"], GATHERED), MEMORIES),
    "Muon": (muon, MEMORIES),
    "Adam": (partial(remembered, "adam", ["beta2"], {"beta1": 0.0}), MEMORIES),
    "gradient": (gradient, (None,)),
    "layers, exact": (partial(layers, curvature="exact"), DAMPINGS),
    "layers, clipped": (partial(layers, curvature="clipped"), DAMPINGS),
    "L-BFGS": (lbfgs, PAIRS),
}
BENT = {"layers, exact": ("shallow", "deeper"), "layers, clipped": ("shallow", "deeper")}  # where


def grid(quick=False):
    seeds, maxiter = (range(1), 3) if quick else (range(5), MAXITER)
    points = [
        (net, rung, setting)
        for net in NETS
        for rung, (_, settings) in RUNGS.items()
        for setting in settings
        if net in BENT.get(rung, NETS)
    ]
    return [
        {
            "net": net,
            "rung": rung,
            "setting": setting,
            "seed": seed,
            "maxiter": 5 * maxiter
            if rung == "L-BFGS"
            else maxiter,  # its iterations cost so little
        }
        for net, rung, setting in points
        for seed in seeds
    ]


def run(net, rung, setting, seed, maxiter):
    """Train from a start that ``seed`` draws; where a direction does not descend, -g is taken."""
    sizes, activation, scale = NETS[net]
    data, network = load(ROWS, standardize=False), Network(sizes, activation)
    X = data.X_train if sizes[0] == 64 else data.X_train.reshape(-1, 4, 2, 4, 2).mean((2, 4))
    loss = network.loss(X.reshape(ROWS, -1), data.y_train, l2=1e-4)
    x, search, trial, slope = scale * network.init(seed), wolfe(c2=0.5), 1.0, None
    direction, settings = RUNGS[rung]
    kept = SimpleNamespace(m=0.0, rule=None, rng=np.random.default_rng(seed))
    looked, alpha = Recorder(loss), 1.0
    f, g = looked.begin(x)
    enough = Criteria(maxiter)
    while not enough(looked):
        p = direction(loss, x, g, setting, kept)
        ray = Ray(looked, x, f, g, p if g @ p < 0 else -g)
        if slope and settings not in (
            DAMPINGS,
            PAIRS,
        ):  # this rung gives no length: N&W section 3.5
            trial = alpha * np.clip(slope / ray.slope0, 0.1, 10)
        found, slope = search(ray, trial), ray.slope0
        if found is None:
            break
        alpha, x, f, g = found
        looked.row(x, f, g, alpha)
    trace = looked.trace
    return {"fun": trace.fun, "evaluations": trace.evaluations, "seconds": trace.seconds[-1]}
