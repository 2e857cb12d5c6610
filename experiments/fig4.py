"""Fig. 4: logistic regression, new batches of 10 at every evaluation; 10, 50 or 200 of them."""

from .two_class import PAPER, run, settings

__all__ = ["grid", "run"]


def grid(quick=False):
    return [
        settings(solver, seed, "reshuffled", n_batches)
        for n_batches in (10, 50, 200)
        for solver in PAPER
        for seed in range(1 if quick else 10)
    ]
