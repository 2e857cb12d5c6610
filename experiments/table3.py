"""Table 3: train and dev accuracy of three solvers on Fashion-MNIST, and how far seeds move it."""

from . import fig6, fig7
from .fashion import run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}


def grid(quick=False):
    # The same seeds in double precision: what does rounding alone change?
    double = (
        []
        if quick
        else [
            settings(solver, hidden, seed, dtype="float64")
            for solver, hidden in (("NLCG", [300]), ("L-BFGS-B", [300, 100]))
            for seed in range(5)
        ]
    )
    return fig6.grid(quick) + fig7.grid(quick) + double
