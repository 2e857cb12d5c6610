"""One loop over the epochs, for every mini-batch rule."""

from .layer_rules import matrix_root, newton_schulz
from .minimize import RULES, minimize_stochastic
from .schedules import constant, cosine, warm_up

__all__ = [
    "minimize_stochastic",
    "RULES",
    "constant",
    "cosine",
    "warm_up",
    "newton_schulz",
    "matrix_root",
]
