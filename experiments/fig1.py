"""Fig. 1: paths of three solvers on Rosenbrock's function (a = 1, b = 50) from (0, 0)."""

import numpy as np

from soo_lib.losses import Rosenbrock
from soo_lib.solvers import Ray, backtracking, minimize

# The paper's names for its curves, and the step rules that give them.
CURVES = {
    "Gradient": {"method": "gradient", "line_search": "backtracking", "step": 0.1},
    "Gradient, fixed step": {"method": "gradient", "line_search": "fixed", "step": 0.004},
    "Newton": {"method": "newton", "line_search": "backtracking"},
}


def grid(quick=False):
    return [
        {"curve": curve, "maxiter": 10 if quick else 100}
        for curve in [*CURVES, "Steplength estimator"]
    ]


def run(curve, maxiter):
    loss, start = Rosenbrock(a=1.0, b=50.0), np.zeros(2)
    if curve == "Steplength estimator":
        path = estimator(loss, start, maxiter)
    else:
        path = minimize(loss, start, maxiter=maxiter, **CURVES[curve]).trace.x
    return {"x": path, "fun": [loss.fun(x) for x in path]}


def estimator(loss, x, maxiter):
    """Steepest descent, whose first trial is the minimiser of the quadratic model along -g."""
    path, search = [x], backtracking()
    for _ in range(maxiter):
        f, g = loss.fun_and_jac(x)
        x = search(Ray(loss, x, f, g, -g), g @ g / (g @ loss.hessp(x, g))).x
        path.append(x)
    return path
