"""When a run stops, and why: the criteria, the statuses, and every message a run can end with.

A run that ends before its gradient is small is looked into with the loss's own values: asked twice
for the same point, put to the gradient test (:func:`soo_lib.gradient_test`), and the fall that its
model still promises held against the rounding of the loss (N&W sections 3.5 and 8.1).
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult

from ..checks import as_function, as_real, as_vector, coarser, size_of
from ..gradient_test import judge
from ..losses.base import as_loss
from .recorder import Counted

NO_DECREASE = "line search found no decrease along a descent direction"


class Status(Enum):
    """How a run ended. The value is its message; what stands in braces was measured."""

    CONVERGED = "converged: gradient norm {gnorm:.2g} <= gtol"
    AT_START = (
        "converged: gradient norm {gnorm:.2g} <= gtol already at x0; gtol is absolute, and knows "
        "no loss's units"
    )
    UNCHANGED = "converged: the last iteration changed the loss by at most ftol"
    EPOCHS = "ran {epochs} epochs"

    MAXITER = "stopped at maxiter = {maxiter} before it converged"
    CALLBACK = "stopped by the callback"
    NO_START = "the loss or its gradient is not finite at x0: start elsewhere"
    DIVERGED = "diverged: the loss is no longer finite; the step is too long"
    UNBOUNDED = "diverged: the loss is no longer finite; it has no minimum"
    NOT_FINITE = (
        "the loss or its gradient is not finite where a step ended: a kink, or too far a step"
    )
    ABOVE = "ended above its start; the step is too long"
    NO_MINIMUM = "{words}"

    RESAMPLED = (
        f"{NO_DECREASE}: the loss is re-sampled, drawn anew at each evaluation, so the search "
        "compares values of different losses; keep its batches fixed"
    )
    WRONG_GRADIENT = (
        f"{NO_DECREASE}: the gradient is wrong. Differences of the loss agree with each other and "
        "not with it; try gradient_test(loss, x)"
    )
    KINK = (
        f"{NO_DECREASE}: the loss has a kink here, as a ReLU or an absolute value has, and no "
        "gradient; smooth it, or use a method without gradients"
    )
    ROUNDING = (
        "no further decrease: the differences of the loss are lost in rounding, the floor of "
        "{dtype}"
    )
    SCALE = (
        "the search gave up where the loss has a gradient whose square is 0 or infinite in "
        "float64; scale the loss"
    )
    GAVE_UP = (
        "the search gave up where the loss still falls, as its gradient foretells: it may have no "
        "minimum, or a kink ahead; or allow more trials, or another first step"
    )
    UNTOLD = (
        f"{NO_DECREASE}, and the values of the loss do not tell why: they cancel, lie on a "
        "plateau, or jump. Is the gradient right? Is the loss smooth?"
    )
    SCIPY = "stopped by scipy: {words}"
    STOPPED = "stopped where the loss still falls, as its gradient foretells: {words}"
    SETTLED = "the solver says that it converged: gradient norm {gnorm:.2g}; {words}"

    @property
    def success(self) -> bool:
        """Whether the run found what it was asked for."""
        return self in (
            Status.CONVERGED,
            Status.AT_START,
            Status.UNCHANGED,
            Status.EPOCHS,
            Status.SETTLED,
        )

    def because(self, **measured: Any) -> "Reason":
        """The :class:`Reason` with this status, and what was ``measured`` in its message."""
        return Reason(self, self.value.format(**measured))


class Reason(NamedTuple):
    """Why a run stopped."""

    status: Status  #: for a program
    message: str  #: for a reader


@dataclass
class Criteria:
    """What is asked after each iteration; see :func:`soo_lib.solvers.minimize` (eq. 29)."""

    maxiter: int
    gtol: float = 0.0
    ftol: float = 0.0
    callback: object = None

    def __post_init__(self):
        if self.callback is not None:
            as_function(self.callback, "callback")

    def __call__(self, recorder):
        """The :class:`Reason` to stop after the ``recorder``'s last row, or None."""
        *before, row = recorder.trace.rows[-2:]
        with recorder.idle():
            told = self.callback is None or not before or _tell(self.callback, recorder)
        if not np.isfinite([row.fun, row.gnorm]).all():
            if not before:
                return Status.NO_START.because()
            if np.isfinite(row.fun):
                return Status.NOT_FINITE.because()
            return (Status.UNBOUNDED if row.fun == -np.inf else Status.DIVERGED).because()
        if row.gnorm <= self.gtol:
            at_start = not before and row.gnorm > 0
            return (Status.AT_START if at_start else Status.CONVERGED).because(gnorm=row.gnorm)
        # A radius that refuses its step has not moved, and has not converged.
        if self.ftol and before and recorder.moved and abs(before[0].fun - row.fun) <= self.ftol:
            return Status.UNCHANGED.because()  # eq. 29
        if not told:
            return Status.CALLBACK.because()
        if recorder.nit >= self.maxiter:
            return Status.MAXITER.because(maxiter=self.maxiter)
        return None


def _tell(callback, recorder):
    """Call a ``callback`` as scipy does; whether it lets the run go on."""
    x, f, _ = recorder.last
    try:
        if list(inspect.signature(callback).parameters) == ["intermediate_result"]:
            found = OptimizeResult(x=x.copy(), fun=f, nit=recorder.nit)
            callback(intermediate_result=found)
        else:
            callback(x.copy())
    except StopIteration:
        return False
    return True


def rounding(x, f, g, dtype):
    """How finely values of a loss can be told at ``x``: u(|f| + Σ|xᵢgᵢ|).

    The value ``f`` is rounded, and so is the point, (n,), where ``g``, (n,), is the gradient; u is
    the rounding unit of ``dtype``.
    """
    return float(np.finfo(dtype).eps * (abs(f) + np.abs(x) @ np.abs(g)))


@np.errstate(all="ignore")
def why_no_decrease(loss, x, f, g, p, dtype=float):
    """The :class:`Reason` why a search from ``x`` along ``p``, (n,), found no lower point.

    ``f`` and ``g`` are the value and the gradient of ``loss`` at ``x``, ``dtype`` is the precision
    of its values. Along ``p`` the gradient test sees what the search saw, and in one direction of
    each variable's own size what ``p`` cannot show: where the gradient lacks an entry, ``p`` lacks
    it too, and along ``p`` all is right.
    """
    if not 1e-154 < np.abs(g).max() < 1e154:  # squares are all that a search has to go by
        return Status.SCALE.because()
    again, g_again = loss.fun_and_jac(x)
    noise = rounding(x, f, g, dtype)
    same = np.finfo(dtype).eps ** (1 / 3)  # a sum in another order changes less
    if not (abs(again - f) <= 100 * noise and np.abs(g_again - g).max() <= same * np.abs(g).max()):
        return Status.RESAMPLED.because()

    size = np.linalg.norm(x) or 1.0
    own = np.where(x != 0, np.abs(x), size) * np.random.default_rng(0).choice([-1.0, 1.0], len(x))
    d = (p if g @ p < 0 else -g) * size / np.linalg.norm(p)
    along, across = judge(loss, x, f, g, d, dtype), judge(loss, x, f, g, own, dtype)
    if "wrong" in (along.verdict, across.verdict):
        return Status.WRONG_GRADIENT.because()
    if along.kink or across.kink:
        return Status.KINK.because()
    fall = (g @ d) ** 2 / (2 * along.bend)  # of the parabola along d to its lowest point
    fall = abs(g @ d) if np.isnan(fall) else fall  # of a line
    if 0 < fall <= 100 * max(noise, along.rounding):
        return Status.ROUNDING.because(dtype=np.dtype(dtype).name)
    return (Status.GAVE_UP if along.verdict == "right" else Status.UNTOLD).because()


def explain(result: OptimizeResult, fun: Callable, jac: Callable) -> Reason:
    """Why a finished run stopped, with what the loss says at its end.

    Parameters
    ----------
    result : scipy.optimize.OptimizeResult
        Of :func:`scipy.optimize.minimize`, or of ours; or anything with ``x``, (n,), and, if it has
        them, ``success`` and ``message``.
    fun, jac : callable
        The loss and its gradient, as the solver was given them.

    Returns
    -------
    Reason
        ``status`` and ``message``: the gradient that was found small, or what stands in its way.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from soo_lib.losses import Rosenbrock
    >>> loss = Rosenbrock()
    >>> run = minimize(loss.fun, [-1.2, 1.0], jac=lambda x: -loss.jac(x), method="BFGS")
    >>> explain(run, loss.fun, lambda x: -loss.jac(x)).status.name
    'WRONG_GRADIENT'
    """
    x = as_vector(result.x, size_of(result.x), "result.x", finite=True).copy()
    pair = SimpleNamespace(fun=as_function(fun, "fun"), jac=as_function(jac, "jac"))
    loss = Counted(as_loss(pair, x))
    value = as_real(fun(x.copy()), (), "fun(x)")
    f, g = float(value), as_vector(jac(x.copy()), len(x), "jac(x)").copy()
    if not np.isfinite(f) or not np.isfinite(g).all():
        return Status.NOT_FINITE.because()
    reason = why_no_decrease(loss, x, f, g, -g, coarser(float, value.dtype))
    told = Status.WRONG_GRADIENT, Status.RESAMPLED, Status.KINK  # scipy may call them a success
    words = str(getattr(result, "message", "no message")).rstrip(".: ")
    if not g.any():
        return Status.CONVERGED.because(gnorm=0.0)
    if getattr(result, "success", False) and reason.status not in told:
        return Status.SETTLED.because(gnorm=np.abs(g).max(), words=words)
    if reason.status is Status.GAVE_UP:  # it need not have searched
        return Status.STOPPED.because(words=words)
    return reason
