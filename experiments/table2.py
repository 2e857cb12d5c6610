"""Table 2: iterations, loss and accuracy on fixed batches, and k_ε of eq. 29."""

from .two_class import SOLVERS, run, settings

__all__ = ["grid", "run"]


def grid(quick=False):
    return [
        settings(solver, seed, "fixed", 80)
        for solver in SOLVERS
        for seed in range(1 if quick else 10)
    ]
