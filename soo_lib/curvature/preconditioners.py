"""Which P to take: kinds of preconditioner for a network (paper, eqs 7 and 14; appendix B).

Each is made as ``kind(loss, x)`` from a network's ``loss``, or its loss on some of the rows, at the
point ``x``, (n_params,). PᵀP is near the Hessian there, for the two of squared gradients up to a
factor; a ``damping`` > 0 keeps P invertible.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cholesky, eigvalsh

from ..checks import as_number
from ..losses.base import Loss
from ..losses.network import NetworkLoss
from .kronecker import kronecker_factors, squared_gradients
from .layers import hessian_diagonal, layer_hessians


def adagrad_diagonal(loss: Loss, x: ArrayLike, damping: float = 1e-8) -> np.ndarray:
    """The diagonal of eq. 14, which is AdaGrad's: PᵀP = (mean g² + damping)^½ over the samples.

    Returns P's diagonal, (n_params,).
    """
    return (squared_gradients(loss, x) + _damping(damping)) ** 0.25


def martens(loss: Loss, x: ArrayLike, damping: float = 1e-4) -> np.ndarray:
    """Martens' diagonal, PᵀP = (mean g² + damping)^¾, which he uses inside CG (2010, section 4.7).

    Returns P's diagonal, (n_params,).
    """
    return (squared_gradients(loss, x) + _damping(damping)) ** 0.375


def exact_diagonal(loss: Loss, x: ArrayLike, damping: float = 1e-4) -> np.ndarray:
    """PᵀP = abs(diag H) + damping: Jacobi's preconditioner, with the absolute value at saddles.

    Returns P's diagonal, (n_params,).
    """
    return np.sqrt(np.abs(hessian_diagonal(loss, x)) + _damping(damping))


def layer_cholesky(
    loss: NetworkLoss, x: ArrayLike, damping: float = 1e-4, curvature: str = "ggn"
) -> list[np.ndarray]:
    """PᵀP = H + damping I in each layer: for layers small enough to factor their Hessian.

    Returns a list of P's blocks, (n_l, n_l). ``curvature`` as for
    :func:`soo_lib.curvature.layer_hessians`; ValueError where H + damping I is not positive
    definite, as it may not be for "exact".
    """
    blocks = enumerate(layer_hessians(loss, x, curvature), 1)
    shift = _damping(damping)
    return [_upper(H + shift * np.eye(len(H)), f"the Hessian of layer {i}") for i, H in blocks]


def kronecker_cholesky(
    loss: Loss, x: ArrayLike, damping: float = 1e-3, factors: Callable = kronecker_factors
) -> list[tuple[np.ndarray, np.ndarray]]:
    """PᵀP = A ⊗ G in each layer, both :func:`damped` by damping + λ (appendix B, factored).

    λ is the loss's own penalty; ``factors(loss, x)`` returns a pair (A, G) for each layer. Returns
    a list of pairs of upper Cholesky factors, of A and of G (Martens and Grosse 2015).
    """
    pairs, P = factors(loss, x), []
    total = _damping(damping) + loss.penalty.l2
    for layer, pair in enumerate(pairs, 1):
        names = f"A of layer {layer}", f"G of layer {layer}"
        P.append(tuple(map(_upper, damped(*pair, total), names)))
    return P


def damped(A: np.ndarray, G: np.ndarray, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """(A + πγI, G + γ/π I) with γ² = damping: A ⊗ G gains damping I, and two cross terms.

    π² is the ratio of the mean eigenvalues of A and G, so that the two are damped alike: factored
    Tikhonov damping (Martens and Grosse 2015, section 6.3).
    """
    return tuple(M + shift * np.eye(len(M)) for M, shift in zip((A, G), shifts(A, G, damping)))


def shifts(A, G, damping):
    """πγ and γ/π, what :func:`damped` adds to ``A``'s and ``G``'s eigenvalues, γ² = ``damping``."""
    gamma, sizes = np.sqrt(_damping(damping)), [np.trace(M) / len(M) for M in (A, G)]
    pi = np.sqrt(sizes[0] / sizes[1]) if min(sizes) > 1e-150 else 1.0  # G = 0: dead units
    return pi * gamma, gamma / pi


def _upper(H, name):
    """P with PᵀP = H: the upper Cholesky factor."""
    try:
        return cholesky(H)
    except LinAlgError:
        low = eigvalsh(H, subset_by_index=(0, 0))[0]
        what = f"{name} must be positive definite: raise the damping"
        raise ValueError(f"{what}; got the eigenvalue {low:.2g}, damping included") from None


def _damping(damping):
    return as_number(damping, "damping", minimum=0, above=True)
