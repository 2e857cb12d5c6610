"""A preconditioner that keeps up with the point: made anew now and then, the solver restarted."""

import time
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult

from ..checks import as_count, as_function, as_rng, as_vector
from ..losses.base import Loss, as_loss, over_data
from ..losses.preconditioned import Preconditioned
from .minimize import minimize
from .recorder import Trace
from .stop import Status

COUNTED = "nfev", "njev", "nhev", "nhessp", "seconds"
# A search that failed with an old P may succeed with a new one.
GO_ON = (
    Status.MAXITER,
    Status.WRONG_GRADIENT,
    Status.RESAMPLED,
    Status.KINK,
    Status.GAVE_UP,
    Status.UNTOLD,
)


def minimize_refreshed(
    loss: Loss,
    x0: ArrayLike,
    kind: Callable,
    every: int = 10,
    rows: int | None = None,
    seed: int = 0,
    method: str = "lbfgs",
    maxiter: int = 100,
    callback: Callable | None = None,
    **settings: Any,
) -> OptimizeResult:
    """Minimise in p = P x, with a new P every so many iterations.

    Parameters
    ----------
    loss, x0, method, maxiter, **settings
        As for :func:`soo_lib.solvers.minimize`.
    kind : callable
        ``kind(loss, x)`` returns P (eq. 8), as :func:`soo_lib.curvature.kronecker_cholesky` does.
    every : int
        Iterations from one P to the next.
    rows : int, optional
        P is made from so many rows, drawn anew each time; from all unless told.
    seed : int
        Of the draws.
    callback : callable, optional
        Called with ``x`` after each iteration; raising ``StopIteration`` stops.

    Returns
    -------
    scipy.optimize.OptimizeResult
        As ``minimize`` returns it, in ``x``, (n,). The seconds in the trace include the making of
        each P; the evaluations do not.

    Raises
    ------
    ValueError
        For an argument out of its range, or a P that cannot be made.
    """
    as_function(kind, "kind")
    if callback is not None:
        as_function(callback, "callback")
    every, maxiter = as_count(every, "every"), as_count(maxiter, "maxiter", minimum=0)
    loss = as_loss(loss, x0)
    if rows is not None:
        rows = as_count(rows, "rows", maximum=over_data(loss).n_samples)
    x = as_vector(x0, loss.n_params, "x0", finite=True)
    rng, trace = as_rng(seed), Trace()
    before = dict.fromkeys(COUNTED, 0)
    while True:
        start = time.perf_counter()
        part = loss if rows is None else loss.subset(rng.choice(loss.n_samples, rows, False))
        change = Preconditioned(loss, kind(part, x))
        before["seconds"] += time.perf_counter() - start
        limit = min(every, maxiter - max(len(trace) - 1, 0))
        found = minimize(
            change,
            change.to_p(x),
            method,
            maxiter=limit,
            **settings,
            callback=callback and (lambda p, to_x=change.to_x: callback(to_x(p))),
        )
        new = slice(len(trace) > 0, None)  # a later part starts at the last point of the one before
        trace.x += [change.to_x(p) for p in found.trace.x[new]]
        trace.rows += [
            row._replace(**{name: getattr(row, name) + before[name] for name in COUNTED})
            for row in found.trace.rows[new]
        ]
        before = {name: before[name] + found.get(name, 0) for name in COUNTED}
        before["seconds"] = trace.rows[-1].seconds
        x, nit = change.to_x(found.x), len(trace) - 1
        if found.status not in GO_ON or found.nit == 0 or nit == maxiter:
            before.pop("seconds")
            found.update(x=x, jac=change.push(found.jac), nit=nit, trace=trace, **before)
            if found.status is Status.MAXITER:
                found.message = Status.MAXITER.because(maxiter=maxiter).message
            return found
