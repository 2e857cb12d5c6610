"""Second derivatives of a loss: layer by layer, factored, or known by their products alone."""

from .kronecker import backward_roots, ekfac_factors, kronecker_factors, squared_gradients
from .layers import backward_hessians, ggn_product, hessian_diagonal, layer_hessians
from .preconditioners import (
    adagrad_diagonal,
    damped,
    exact_diagonal,
    kronecker_cholesky,
    layer_cholesky,
    martens,
)
from .signs import LayerSigns, layer_signs, smallest_eigenvalue
from .spectrum import (
    Density,
    Extremes,
    extreme_eigenvalues,
    operator,
    quadrature,
    spectral_density,
    trace,
)

__all__ = [
    "layer_hessians",
    "backward_hessians",
    "hessian_diagonal",
    "ggn_product",
    "kronecker_factors",
    "squared_gradients",
    "backward_roots",
    "ekfac_factors",
    "adagrad_diagonal",
    "martens",
    "exact_diagonal",
    "layer_cholesky",
    "kronecker_cholesky",
    "damped",
    "operator",
    "extreme_eigenvalues",
    "Extremes",
    "spectral_density",
    "Density",
    "trace",
    "quadrature",
    "layer_signs",
    "LayerSigns",
    "smallest_eigenvalue",
]
