"""The recorder: a loss around a loss that counts every call and keeps one row an iteration.

Our solvers and scipy's look at the loss through it, so that calls and seconds count alike.
"""

import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..checks import as_real, coarser
from ..losses.base import Loss

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
    seconds: float  #: since the start, the callback's own taken out
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
        One list for each iterate in ``x``: the points where the loss was evaluated to find it, in
        order. Of a line search these are the trial points, the accepted one the last of them.
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


class Counted(Loss):
    """A ``loss`` whose calls are counted.

    It is handed copies, as a loss may write to its x, and what it returns is copied, as a loss may
    use its arrays again.
    """

    def __init__(self, loss):
        self.loss, self.n_params = loss, loss.n_params
        self.nfev = self.njev = self.nhev = self.nhessp = 0

    def fun(self, x):
        self.nfev += 1
        return float(self.loss.fun(x.copy()))

    def jac(self, x):
        self.njev += 1
        g = as_real(self.loss.jac(x.copy()), (self.n_params,), "the loss's gradient")
        return g.astype(float)

    def fun_and_jac(self, x):
        self.nfev += 1
        self.njev += 1
        f, g = self.loss.fun_and_jac(x.copy())
        g = as_real(g, (self.n_params,), "the loss's gradient")
        return float(f), g.astype(float)

    def hess(self, x):
        self.nhev += 1
        H = as_real(self.loss.hess(x.copy()), 2 * (self.n_params,), "the loss's Hessian")
        return H.astype(float)

    def hessp(self, x, p):
        self.nhessp += 1
        Hp = as_real(self.loss.hessp(x.copy(), p.copy()), (self.n_params,), "the loss's product")
        return Hp.astype(float)

    def ggnp(self, x, p):
        self.nhessp += 1
        return np.array(self.loss.ggnp(x.copy(), p.copy()), float)

    def gnorm(self, g):
        return self.loss.gnorm(g)


class Recorder(Counted):
    """A ``loss`` whose calls are counted and whose iterations are written down.

    Attributes
    ----------
    trace : Trace
    last : (x, fun, jac)
        The latest iterate.
    best : (fun, x)
        The lowest loss at any point looked at, and where.
    moved : bool
        Whether the last iteration left its point.
    dtype : numpy dtype
        The precision of the loss's values.
    """

    def __init__(self, loss):
        super().__init__(loss)
        self.trace, self.best, self.last, self.moved = Trace(), (np.inf, None), None, True
        self.dtype = coarser(float, getattr(loss, "dtype", float))
        self._seen = []  # (x, f, g) since the last row: scipy's iterate is one of them
        self._start, self._idle = time.perf_counter(), 0.0

    @property
    def nit(self):
        return len(self.trace) - 1

    def begin(self, x):
        """Value and gradient at the start, looked at for their shapes; the first row."""
        f, g = self.loss.fun_and_jac(x.copy())
        f = as_real(f, (), "the loss's value")
        g = as_real(g, (self.n_params,), "the loss's gradient").astype(float)
        self.nfev, self.njev, self.dtype = 1, 1, coarser(self.dtype, f.dtype)
        self._see(x, float(f), g)
        self.row(x, float(f), g)
        return float(f), g

    def fun(self, x):
        return self._see(x, super().fun(x), None)[0]

    def fun_and_jac(self, x):
        return self._see(x, *super().fun_and_jac(x))

    def counted(self):
        """The loss with its calls counted and nothing written down: for questions at the end."""
        return super()

    def _see(self, x, f, g):
        self._seen.append((x.copy(), f, g))
        self.best = min(self.best, (f, self._seen[-1][0]), key=lambda seen: seen[0])
        return f, g

    @contextmanager
    def idle(self):
        """The seconds spent in here are not the solver's."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._idle += time.perf_counter() - start

    def row(self, x, f, g, step=np.nan, note=""):
        """Ends an iteration at ``x``, (n,), with loss ``f`` and gradient ``g``, (n,)."""
        counts = self.nfev, self.njev, self.nhev, self.nhessp
        seconds = time.perf_counter() - self._start - self._idle
        self.moved = self.last is None or not np.array_equal(x, self.last[0])
        self.last = x, f, g
        self.trace.rows.append(Row(f, self.loss.gnorm(g), step, *counts, seconds, note))
        if self.n_params <= KEEP_X:
            self.trace.x.append(x.copy())
            seen = self._seen[min(self.nit, 1) :]  # the iterate before this one leads the list
            self.trace.trials.append([point for point, _, _ in seen])
        self._seen = [self.last]
        self.best = min(self.best, (f, x.copy()), key=lambda seen: seen[0])

    def recall(self, x):
        """Loss and gradient at a point ``x`` seen since the last row, without a new call."""
        for seen, f, g in reversed(self._seen):
            if g is not None and np.array_equal(seen, x):
                return f, g
        return self.fun_and_jac(x)
