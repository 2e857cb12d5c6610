"""Functions to minimise, and losses around a loss."""

from .adapters import from_jax, from_torch
from .base import L2, Loss, as_loss
from .batches import Batched, Reshuffled, draw, partition
from .logistic import Logistic
from .network import Network, NetworkLoss
from .preconditioned import Preconditioned
from .rosenbrock import Rosenbrock

__all__ = [
    "Loss",
    "L2",
    "as_loss",
    "Rosenbrock",
    "Logistic",
    "Network",
    "NetworkLoss",
    "partition",
    "draw",
    "Batched",
    "Reshuffled",
    "Preconditioned",
    "from_torch",
    "from_jax",
]
