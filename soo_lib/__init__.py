"""A thin library for learning second-order optimisation.

One idea carries it: everything is a loss, and a solver is a direction rule times a step rule.
"""

from .curvature import kronecker_factors, layer_hessians
from .gradient_test import gradient_test
from .losses import Batched, Logistic, Loss, Network, Preconditioned, Reshuffled, Rosenbrock
from .solvers import explain, minimize
from .stochastic import minimize_stochastic

__all__ = [
    "minimize",
    "minimize_stochastic",
    "gradient_test",
    "explain",
    "Loss",
    "Rosenbrock",
    "Logistic",
    "Network",
    "Batched",
    "Reshuffled",
    "Preconditioned",
    "layer_hessians",
    "kronecker_factors",
]
__version__ = "0.2.0"
