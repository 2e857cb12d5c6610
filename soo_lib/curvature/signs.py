"""Where the curvature is negative: appendix C, with its conditions the right way round."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigvalsh

from ..losses.base import Loss
from ..losses.network import NetworkLoss
from .layers import backward_hessians, layer_hessians
from .spectrum import extreme_eigenvalues, operator


def smallest_eigenvalue(loss: Loss, x: ArrayLike, seed: int = 0) -> tuple[float, np.ndarray]:
    """Smallest eigenvalue of ``loss``'s Hessian at ``x``, and its eigenvector, (n_params,).

    ``seed`` draws the start of :func:`soo_lib.curvature.extreme_eigenvalues`.
    """
    found = extreme_eigenvalues(operator(loss, x), seed=seed)
    return float(found.values[0]), found.vectors[:, 0]


class LayerSigns(NamedTuple):
    """What :func:`layer_signs` finds."""

    negative: list  #: share of σ'' terms below 0 in each hidden layer, over samples and units
    smallest: list  #: smallest eigenvalue of each layer's block
    full: float  #: smallest eigenvalue of the whole Hessian
    gnorm: float  #: largest entry of the gradient: only where this is 0 does a sign tell a saddle


def layer_signs(loss: NetworkLoss, x: ArrayLike) -> LayerSigns:
    """Where the curvature is negative: in which layers, and in the Hessian as a whole.

    Positive semi-definite layer blocks do not make the Hessian so: the blocks between layers count
    too. Negative curvature is a saddle only where the gradient vanishes (appendix C, corrected).
    ``loss`` is a NetworkLoss, ``x`` a point, (n_params,).
    """
    blocks, full = layer_hessians(loss, x), smallest_eigenvalue(loss, x)[0]
    counts = np.zeros((len(blocks), 2))
    for layer, _, _, bend in backward_hessians(loss, x):
        counts[layer] += np.count_nonzero(bend < 0), bend.size
    return LayerSigns(
        negative=(counts[:-1, 0] / counts[:-1, 1]).tolist(),
        smallest=[float(eigvalsh(H, subset_by_index=(0, 0))[0]) for H in blocks],
        full=full,
        gnorm=float(np.abs(loss.jac(x)).max()),
    )
