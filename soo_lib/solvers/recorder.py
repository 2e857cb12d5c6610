"""The recorder: a loss around a loss that counts every call and keeps one row an iteration.

Our solvers and scipy's look at the loss through it, so that calls and seconds count alike.
"""

import inspect
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult

from ..checks import as_function, as_real, coarser
from ..losses.base import Loss
from .stop import NO_DECREASE, STILL, another_slope, rounding, why_no_decrease

STALLED = 40  # iterations that lead nowhere, looked at in two halves

KEEP_X = 100  # iterates are kept in the trace of a problem with at most so many parameters


class Row(NamedTuple):
    """What is known after an iteration; row 0 is the start."""

    fun: float  #: the loss
    gnorm: float  #: the largest entry of the gradient
    step: float  #: the accepted step length α; NaN where the solver is scipy's
    nfev: int  #: values of the loss so far
    njev: int  #: gradients so far
    nhev: int  #: Hessians so far
    nhessp: int  #: Hessian-vector products so far
    seconds: float  #: since the start, the recorder's own work and the callback's taken out
    note: str  #: what the direction had to do: a modified Hessian, a restart


class Trace:
    """One row an iteration; each column is an array: ``trace.fun``, ``trace.seconds``, ...

    Attributes
    ----------
    fun, gnorm, step, nfev, njev, nhev, nhessp, seconds, note : (nit + 1,) arrays
        The fields of :class:`Row`.
    evaluations : (nit + 1,) array
        Visits to the loss so far: a value and a gradient at one point are one visit, a Hessian
        or a product with it is one more.
    x : list of (n,) arrays
        The iterates, where there are at most 100 parameters; else empty.
    trials : list of lists of (n,) arrays
        As many: where the loss was evaluated to find each iterate, in order. A line search's
        trial points, the accepted one the last of them.
    """

    def __init__(self):
        self.rows, self.x, self.trials = [], [], []

    def __len__(self):
        return len(self.rows)

    def __repr__(self):
        return f"Trace({len(self)} rows: {', '.join(Row._fields)})"

    def __getattr__(self, name):
        if name not in Row._fields:
            raise AttributeError(f"a trace has no {name!r}; its columns: {', '.join(Row._fields)}")
        return np.array([getattr(row, name) for row in self.rows])

    @property
    def evaluations(self):
        return np.maximum(self.nfev, self.njev) + self.nhev + self.nhessp


class Recorder(Loss):
    """Counts the calls to ``loss``, writes the trace, and says when a solver should stop.

    Parameters
    ----------
    loss : loss
        What to record.
    gtol, ftol, callback
        As for :func:`soo_lib.solvers.minimize`.

    Attributes
    ----------
    outcome : (success, message) or None
        Why to stop, once there is a reason.
    last : (x, fun, jac)
        The latest iterate.
    best : (fun, x)
        The lowest loss seen, and where.
    """

    def __init__(self, loss, gtol=0.0, ftol=0.0, callback=None):
        self.callback = callback if callback is None else as_function(callback, "callback")
        self.loss, self.n_params = loss, loss.n_params
        self.dtype = getattr(loss, "dtype", float)  # how finely values of the loss can be told
        self.gtol, self.ftol = gtol, ftol
        self.nfev = self.njev = self.nhev = self.nhessp = 0
        self.trace, self.outcome, self.best = Trace(), None, (np.inf, None)
        self._marks = []  # where the halves of the last STALLED iterations began and ended
        self._seen = []  # (x, f, g) since the last row: scipy's iterate is one of them
        self._start, self._idle = time.perf_counter(), 0.0

    @property
    def nit(self):
        return len(self.trace) - 1

    def fun(self, x):
        self.nfev += 1
        f = self._numbers(self.loss.fun(self._copy(x)), (), "value")
        self._see(x, f, None)
        return f

    def jac(self, x):
        self.njev += 1
        return self._numbers(self.loss.jac(self._copy(x)), (self.n_params,), "gradient")

    def fun_and_jac(self, x):
        f, g = self.aside(x)
        self._see(x, f, g)
        return f, g

    def aside(self, x):  # counted, but no trial, and never the best seen
        self.nfev += 1
        self.njev += 1
        f, g = self.loss.fun_and_jac(self._copy(x))
        return self._numbers(f, (), "value"), self._numbers(g, (self.n_params,), "gradient")

    def hess(self, x):
        self.nhev += 1
        return self._numbers(self.loss.hess(x.copy()), 2 * (self.n_params,), "Hessian")

    def hessp(self, x, p):
        self.nhessp += 1
        return self._numbers(self.loss.hessp(x.copy(), p), (self.n_params,), "Hessian's product")

    def ggnp(self, x, p):
        self.nhessp += 1
        return self._numbers(self.loss.ggnp(x.copy(), p), (self.n_params,), "Gauss-Newton product")

    def _numbers(self, found, shape, name):
        with self.idle():  # in float64, and a copy: a loss may use its arrays again
            array = as_real(found, shape, f"the loss's {name}")
            if not shape:  # a float32 is one whatever the loss says of itself
                self.dtype = coarser(self.dtype, array.dtype)
            return array.astype(float, copy=len(shape) == 1) if shape else float(array)

    def _copy(self, x):  # a loss may write to what it is given
        with self.idle():
            return np.array(x)

    @contextmanager
    def idle(self):
        """The seconds spent in here are not the solver's."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._idle += time.perf_counter() - start

    def row(self, x, f, g, step=np.nan, note=""):
        """Ends an iteration at ``x``, (n,), with loss ``f`` and gradient ``g``, (n,).

        Writes the row, looks at the criteria, calls the callback.
        """
        counts = self.nfev, self.njev, self.nhev, self.nhessp
        seconds = time.perf_counter() - self._start - self._idle
        with self.idle():
            moved = np.abs(g) @ np.abs(x - self.last[0]) if self.trace.rows else 0.0
            self.last = x, f, g
            self.trace.rows.append(Row(f, self.loss.gnorm(g), step, *counts, seconds, note))
            if self.n_params <= KEEP_X:
                self.trace.x.append(np.array(x))
                seen = self._seen[min(self.nit, 1) :]  # the iterate before this one leads the list
                self.trace.trials.append([point for point, _, _ in seen])
            self._seen = [self.last]
            # also of a run whose looks at the loss are not all recorded
            self.best = min(self.best, (f, np.array(x)), key=lambda seen: seen[0])
            self.outcome = self._converged(moved)
            if self.callback is not None and self.nit > 0:
                try:
                    self._tell(x, f)
                except StopIteration:
                    self.outcome = self.outcome or (False, "stopped by the callback")

    def _converged(self, moved):
        *before, row = self.trace.rows[-2:]
        if not (np.isfinite(row.fun) and np.isfinite(row.gnorm)):
            if not before:
                return False, "the loss or its gradient is not finite at x0: start elsewhere"
            why = "it has no minimum" if row.fun == -np.inf else "the step is too long"
            kink = "the loss or its gradient is not finite where a step ended: a kink, or too far"
            lost = f"diverged: the loss is no longer finite; {why}"
            return False, kink if np.isfinite(row.fun) else lost
        if row.gnorm <= self.gtol:
            message = f"converged: gradient norm {row.gnorm:.2g} <= gtol"
            if not before and row.gnorm:
                message += " already at x0; gtol is absolute, and knows no loss's units"
            return True, message
        # eq. 29; a trust region that rejects its step has not moved, and has not converged
        if self.ftol and before and moved and abs(before[0].fun - row.fun) <= self.ftol:
            return True, "converged: the last iteration changed the loss by at most ftol"
        if self._stalled():
            if moved > 1000 * rounding(self, *self.last):
                return False, f"no further decrease: the last {STALLED} iterations went to and fro"
            if np.array_equal(self._marks[0], self._marks[-1]):  # every step was refused
                return False, why_no_decrease(self, *self.last, -self.last[2])
            floor = STILL.format(STALLED, np.dtype(self.dtype).name)
            return False, NO_DECREASE if another_slope(self, *self.last) else floor
        return None

    def _stalled(self):
        """Whether the last iterations' second half is no lower than the first, and led on nowhere.

        Where values are lost in rounding slopes may still lead on: along a valley, which the
        second half then follows as the first did, to a minimum, or off a saddle, where the
        gradient's norm leaves the range that it has been in.
        """
        if self.nit % (half := STALLED // 2):
            return False
        self._marks = [*self._marks[-2:], np.array(self.last[0])]
        if len(self._marks) < 3:
            return False
        first, second = np.diff(self._marks, axis=0)
        fun, gnorm = np.array([(row.fun, row.gnorm) for row in self.trace.rows[-STALLED:]]).T
        noise = rounding(self, *self.last)
        return bool(
            np.ptp(fun) <= 100 * noise
            and fun[half:].min() >= fun[:half].min() - noise
            and gnorm[half:].min() >= gnorm[:half].min()
            and gnorm[half:].max() <= gnorm[:half].max()
            and first @ second <= 0.5 * np.linalg.norm(first) * np.linalg.norm(second)
        )

    def _tell(self, x, f):
        if list(inspect.signature(self.callback).parameters) == ["intermediate_result"]:
            self.callback(intermediate_result=OptimizeResult(x=np.array(x), fun=f, nit=self.nit))
        else:
            self.callback(np.array(x))

    def recall(self, x):
        """Loss and gradient at a point ``x`` seen since the last row, without a new call."""
        for seen, f, g in reversed(self._seen):
            if g is not None and np.array_equal(seen, x):
                return f, g
        return self.loss.fun_and_jac(x)

    def _see(self, x, f, g):
        with self.idle():
            self._seen.append((np.array(x), f, g))
            self.best = min(self.best, (f, self._seen[-1][0]), key=lambda seen: seen[0])
