"""Solvers: a direction rule times a step rule (eqs 1 and 29), and scipy's behind one recorder."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from ..checks import as_count, as_number, as_vector
from ..losses.base import Loss, as_loss
from ..losses.blocks import calm
from .directions import DIRECTIONS
from .krylov import Cubic, HessianFree, Modelled
from .line_search import LINE_SEARCHES, Ray
from .recorder import Recorder
from .scipy import SCIPY, scipys
from .stop import Criteria, Status, why_no_decrease
from .trust import TrustRegion

OWN = {**DIRECTIONS, "hessian-free": HessianFree, "arc": Cubic}


def minimize(
    loss: Loss,
    x0: ArrayLike,
    method: str = "newton",
    line_search: str | None = None,
    step: float = 1.0,
    maxiter: int = 100,
    gtol: float = 1e-8,
    ftol: float = 0.0,
    callback: Callable | None = None,
    **settings: Any,
) -> optimize.OptimizeResult:
    """Minimise a loss: a direction rule times a step rule.

    Parameters
    ----------
    loss : loss
        See :mod:`soo_lib.losses`; any object with ``fun`` and ``jac`` will do.
    x0 : (n,) array
        Start.
    method : str
        Direction rule, in lower case: "gradient", "newton", "nlcg", "bfgs", "lbfgs",
        "hessian-free", "arc". Or a solver of ``scipy.optimize.minimize``, spelt as scipy spells it:
        "CG", "BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact".
    line_search : {"fixed", "backtracking", "wolfe", "trust"}, optional
        Step rule of our own methods. Unless told, the strong Wolfe conditions; backtracking for
        "hessian-free"; for "arc" one trial, to accept or refuse. "trust" bounds the step by a
        radius, for methods with a model: "newton" and "hessian-free" by products, "bfgs" and
        "lbfgs". scipy's bring their own, so naming one for them is an error.
    step : float
        The fixed step, a search's first trial, or the first radius; scipy's methods take none.
    maxiter : int
        Most iterations.
    gtol : float
        Converged when the largest ``|∂L/∂xᵢ|`` is at most this. It is absolute: a loss times
        1e-12 may meet it at x0, and the message says so.
    ftol : float
        Converged when one iteration changes the loss by at most this (eq. 29); 0: never.
    callback : callable, optional
        As in scipy: called after each iteration with the iterate, or with an ``OptimizeResult``
        if its argument is named ``intermediate_result``; raising ``StopIteration`` stops.
    **settings
        Of the direction (``beta``, ``memory``, ``damping``, ``sigma``, ...), of the search (``c1``,
        ``c2``, ``shrink``, ``max_trials``), or options of scipy's solver.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``x``, ``fun``, ``jac``, ``success``, ``message``, ``nit``, ``nfev``, ``njev``, ``nhev``,
        ``nhessp``, ``status``, a :class:`soo_lib.solvers.Status`, and ``trace``, a
        :class:`soo_lib.solvers.Trace` with ``nit + 1`` rows. Without success ``x`` is the best
        point seen. ``trace.note`` says where a direction had to bend:
        a Hessian modified, a pair left out, nlcg's β = 0, a restart.

    Raises
    ------
    ValueError
        For an argument out of its range, or a method, search or setting that is not known.

    Notes
    -----
    A search that fails is looked into (:class:`soo_lib.solvers.Status` has what may be found): some
    200 evaluations, which are counted.

    Examples
    --------
    >>> from soo_lib.losses import Rosenbrock
    >>> run = minimize(Rosenbrock(), [0.0, 0.0], method="bfgs")
    >>> run.success, run.x.round(6).tolist(), len(run.trace) == run.nit + 1
    (True, [1.0, 1.0], True)
    """
    loss = as_loss(loss, x0)
    x = as_vector(x0, loss.n_params, "x0", finite=True).copy()
    step = as_number(step, "step", minimum=0, above=True)
    criteria = Criteria(
        as_count(maxiter, "maxiter", minimum=0),
        as_number(gtol, "gtol", minimum=0),
        as_number(ftol, "ftol", minimum=0),
        callback,
    )
    if method in list(OWN):  # a list: what is asked for may not be hashable
        if line_search is None:
            line_search, settings = OWN[method].search, {**OWN[method].settings, **settings}
        direction, search = _rules(method, line_search, settings)
        if line_search == "trust":
            direction, step = TrustRegion(direction, step), 1.0
    elif method in list(SCIPY):
        if line_search is not None:
            words = f"line_search must be left out for scipy's {method}, which brings its own"
            raise ValueError(f"{words}; got {line_search!r}")
        if taken := set(settings) & set(inspect.signature(optimize.minimize).parameters):
            raise ValueError(f"settings of scipy's {method} must be its options; got {taken}")
    else:
        raise ValueError(f"method must be one of {', '.join([*OWN, *SCIPY])}; got {method!r}")

    recorder = Recorder(loss)
    with calm():
        if method in SCIPY:
            reason = scipys(recorder, x, method, criteria, settings)
        else:
            # N&W section 3.5: a direction with no scale of its own starts from the last success
            rescale = line_search == "wolfe" and not direction.scaled
            reason = _descend(recorder, x, direction, search, step, rescale, criteria)
        return as_result(recorder, reason)


def _descend(loss, x, direction, search, step, rescale, criteria):
    """The loop of every method of our own. Returns the :class:`Reason` why it stopped."""
    f, g = loss.begin(x)
    reason = criteria(loss)
    trial, last, slope, restart = step, None, np.nan, ""
    while not reason:
        p = direction(loss, x, g)
        ray = Ray(loss, x, f, g, p)
        if rescale and last and ray.slope0 < 0:
            trial = last.alpha * float(np.clip(slope / ray.slope0, 0.1, 10))
        found = search(ray, trial) if ray.slope0 < 0 else None
        if found is None:
            if direction.fresh:
                return why_no_decrease(loss.counted(), x, f, g, p, loss.dtype)
            direction.restart()
            restart = direction.restarted
            continue
        direction.update(found.x - x, g, found.jac)
        x, f, g = found.x, found.fun, found.jac  # eq. 1
        loss.row(x, f, g, found.alpha, "; ".join(filter(None, (restart, direction.note))))
        last, slope, restart = found, ray.slope0, ""
        reason = criteria(loss)
    return reason


def as_result(recorder, reason):
    """scipy's result of a ``recorder``'s run, which ended for a ``reason``."""
    x, f, g = recorder.last
    if not reason.status.success and recorder.best[1] is not None and not f <= recorder.best[0]:
        f, x = recorder.best  # f may be NaN
        g = np.array(recorder.loss.jac(x.copy()), float)
    finite = np.isfinite(x).all()
    if finite and (words := recorder.loss.why_no_minimum(x)):
        reason = Status.NO_MINIMUM.because(words=words)
    counts = {name: getattr(recorder, name) for name in ("nit", "nfev", "njev", "nhev", "nhessp")}
    return optimize.OptimizeResult(
        x=x,
        fun=f,
        jac=g,
        success=reason.status.success,
        status=reason.status,
        message=reason.message,
        trace=recorder.trace,
        **counts,
    )


def _rules(method, line_search, settings):
    """The direction rule and the step rule, each with those settings that it knows."""
    if line_search not in list(LINE_SEARCHES):
        names = ", ".join(LINE_SEARCHES)
        raise ValueError(f"line_search must be one of {names}; got {line_search!r}")
    rule, search = OWN[method], LINE_SEARCHES[line_search]
    known = [list(inspect.signature(part).parameters) for part in (rule, search)]
    if line_search == "trust":
        if not hasattr(rule, "product"):
            modelled = [name for name, rule in OWN.items() if hasattr(rule, "product")]
            raise ValueError(
                f"method must have a model for the line_search 'trust', as {', '.join(modelled)}; "
                f"got {method!r}"
            )
        known[0] = [] if issubclass(rule, Modelled) else known[0]  # the radius is all its trust
    unknown = set(settings) - {name for names in known for name in names}
    if unknown:
        raise ValueError(
            f"{method} with {line_search} takes the settings {sum(known, []) or 'none'}; "
            f"got {', '.join(sorted(unknown))}"
        )
    if line_search == "wolfe":
        settings = {"c2": rule.c2, **settings}
    return tuple(
        part(**{name: settings[name] for name in names if name in settings})
        for part, names in zip((rule, search), known, strict=True)
    )
