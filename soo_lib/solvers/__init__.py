"""A solver is a direction rule times a step rule; scipy's solvers stand beside ours."""

from .directions import (
    BFGS,
    LBFGS,
    Gradient,
    Newton,
    NonlinearCG,
    dai_yuan,
    fletcher_reeves,
    hestenes_stiefel,
    polak_ribiere,
    polak_ribiere_plus,
    powell,
)
from .krylov import Cubic, HessianFree
from .line_search import Ray, Step, backtracking, fixed, wolfe
from .minimize import minimize
from .recorder import Recorder, Row, Trace
from .refresh import minimize_refreshed
from .stop import Criteria, Reason, Status, explain
from .trust import TrustRegion

__all__ = [
    "minimize",
    "Status",
    "Reason",
    "explain",
    "Criteria",
    "minimize_refreshed",
    "Gradient",
    "Newton",
    "NonlinearCG",
    "BFGS",
    "LBFGS",
    "fletcher_reeves",
    "polak_ribiere",
    "polak_ribiere_plus",
    "hestenes_stiefel",
    "dai_yuan",
    "powell",
    "HessianFree",
    "Cubic",
    "TrustRegion",
    "fixed",
    "backtracking",
    "wolfe",
    "Ray",
    "Step",
    "Recorder",
    "Trace",
    "Row",
]
