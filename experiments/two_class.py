"""One run of logistic regression on the two-class points: Figs 3 to 5 and Tables 1 and 2."""

import numpy as np

from soo_lib.datasets import make_two_class
from soo_lib.losses import Batched, Logistic, Reshuffled, partition
from soo_lib.solvers import minimize

SOLVERS = {
    "Newton (LS)": {"method": "newton", "line_search": "backtracking"},
    "Newton (noLS)": {"method": "newton", "line_search": "fixed", "step": 0.01},
    "L-BFGS": {"method": "L-BFGS-B"},
    "NLCG": {"method": "CG"},
    # The paper did not try longer fixed steps, nor the other line search.
    "Newton, step 0.1": {"method": "newton", "line_search": "fixed", "step": 0.1},
    "Newton, step 1": {"method": "newton", "line_search": "fixed", "step": 1.0},
    "Newton (Wolfe)": {"method": "newton", "line_search": "wolfe"},
    "BFGS": {"method": "BFGS"},
}
PAPER = list(SOLVERS)[:4]
EPSILONS = 1e-3, 1e-4, 1e-6, 1e-8


def settings(solver, seed, batches, n_batches, maxiter=50):
    return {
        "solver": solver,
        "seed": seed,
        "batches": batches,
        "batch_size": 10,
        "n_batches": n_batches,
        "maxiter": maxiter,
    }


def run(solver, seed, batches, batch_size, n_batches, maxiter):
    """Minimise eq. 28 from 0; ``seed`` draws the points, and the batches if they are redrawn.

    ``batches="fixed"``: a partition into ``n_batches``, as in section 4.1.
    ``batches="reshuffled"``: a new draw of ``n_batches`` at every evaluation.
    """
    data = make_two_class(seed=seed)
    full = Logistic(data.X_train, data.y_train)
    if batches == "fixed":
        loss = Batched(full, partition(full.n_samples, batch_size))
        assert len(loss.parts) == n_batches
    else:
        loss = Reshuffled(full, batch_size, n_batches, seed)
    found = minimize(loss, np.zeros(3), maxiter=maxiter, **SOLVERS[solver])
    trace = found.trace
    last = trace.x[-1]
    return {
        "nit": found.nit,
        "success": found.success,
        "message": found.message,
        "x": last,
        "accuracy": np.mean(full.predict(last, data.X_val) == data.y_val),
        # eq. 29: k is the first iteration that changed the loss by at most ε
        "k_epsilon": {f"{eps:g}": first(np.abs(np.diff(trace.fun)) <= eps) for eps in EPSILONS},
        "fun": trace.fun,
        "full": [full.fun(x) for x in trace.x],
        "evaluations": trace.evaluations,
    }


def first(condition):
    """Return the number of the first iteration where it holds, or None if there is none."""
    return int(np.argmax(condition)) + 1 if np.any(condition) else None
