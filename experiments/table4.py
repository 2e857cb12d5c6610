"""Table 4: seconds an iteration, and evaluations an iteration, of the six rows of Table 3."""

import statistics
import time

from soo_lib.losses import Network
from soo_lib.solvers import minimize

from .fashion import SOLVERS, load

TIMED = True
SLICE = {"maxiter": 2}


def grid(quick=False):
    rows, maxiter, repeats = (2000, 3, 1) if quick else (50_000, 50, 2)
    return [
        {"solver": solver, "hidden": hidden, "rows": rows, "maxiter": maxiter, "repeat": i}
        for i in range(repeats)
        for hidden in ([300], [300, 100])
        for solver in SOLVERS
    ]


def run(solver, hidden, rows, maxiter, repeat):
    """Time one run; ``repeat`` numbers equal runs, so that a slow machine slows every row alike."""
    data = load(seed=0)
    net = Network([784, *hidden, 10])
    loss = net.loss(
        data.X_train[:rows], data.y_train[:rows], l2=0.01, penalize_bias=True, dtype="float32"
    )
    x0 = net.init(0, scale="unit")
    loss.fun_and_jac(x0)  # the first visit fetches the rows into memory
    trace = minimize(loss, x0, maxiter=maxiter, **SOLVERS[solver]).trace
    forward = []
    for _ in range(3):
        start = time.perf_counter()
        loss.fun(x0)
        forward.append(time.perf_counter() - start)
    return {
        "evaluations": trace.evaluations,
        "fun": trace.fun,
        "seconds": trace.seconds,
        # The paper's timer also includes a forward pass for the plots.
        "seconds_forward": statistics.median(forward),
    }
