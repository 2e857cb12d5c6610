"""Fig. 2: loss against iterations of the solvers of Fig. 1."""

from .fig1 import grid, run

__all__ = ["grid", "run"]
