"""Table 1: accuracy after training on reshuffled batches, 50 of 10 rows, as a distribution."""

from .two_class import PAPER, run, settings

__all__ = ["grid", "run"]


def grid(quick=False):
    return [
        settings(solver, seed, "reshuffled", 50)
        for solver in PAPER
        for seed in range(2 if quick else 50)
    ]
