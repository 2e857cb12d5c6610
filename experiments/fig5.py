"""Fig. 5: logistic regression on 80 fixed batches of 10, and Newton's method with other steps."""

from .two_class import SOLVERS, run, settings

__all__ = ["grid", "run"]


def grid(quick=False):
    return [settings(solver, 0, "fixed", 80) for solver in SOLVERS]
