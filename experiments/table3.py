"""Table 3: train and dev accuracy of three solvers on Fashion-MNIST, and how far seeds move it."""

from . import fig6, fig7
from .fashion import run, settings

__all__ = ["grid", "run"]
SLICE = {"maxiter": 2}


def grid(quick=False):
    # One run in double precision: does single precision inside the network change anything?
    double = [] if quick else [settings("NLCG", [300], 0, dtype="float64")]
    return fig6.grid(quick) + fig7.grid(quick) + double
