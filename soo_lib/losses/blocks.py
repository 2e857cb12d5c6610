"""Sums over the rows of the data, a block of rows at a time, blocks side by side on threads.

Rows are cut alike and sums are added in one order whatever the number of threads, so that no digit
depends on it. There are as many threads as linear algebra had when this was imported: with
``OMP_NUM_THREADS=1`` in the environment, one. In the browser there is one.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, reduce

import numpy as np
from threadpoolctl import ThreadpoolController

from ..checks import as_number, as_table

BLOCK = 1000  # rows that go through the layers together: their activations stay in cache

STRIPS = 4  # a sum over all rows is a sum of at most so many: what so many threads can share

SHARE = 250  # rows of a strip at least, where it is less than a block

ENOUGH = 3e6  # and multiplications: threads with less to do mostly wait for Python's lock

_blas = ThreadpoolController().select(user_api="blas")

THREADS = max((lib.num_threads for lib in _blas.lib_controllers), default=1)
if sys.platform == "emscripten":
    THREADS = 1


@contextmanager
def _one_blas_thread():
    """In here numpy's linear algebra runs on one thread, in the whole process.

    Where it does so already, nothing is done, so that whoever began also ends it. Not guarded: of
    two callers in threads of their own, the first to leave gives the other's linear algebra its
    threads back. That costs time, and may change a last digit.
    """
    if all(lib.num_threads == 1 for lib in _blas.lib_controllers):
        yield
    else:
        with _blas.limit(limits=1):
            yield


@contextmanager
def calm():
    """In here numpy warns of no overflow and linear algebra runs on one thread."""
    # A step that is far too long overflows: the outcome says so, in place of warnings.
    # The threads of a solver's own dot products would only spin in the way of the loss's.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"), _one_blas_thread():
        yield


@cache
def _pool(process):
    return ThreadPoolExecutor(THREADS, "soo_lib")  # its threads do not follow into a forked process


def side_by_side(run, strips, pays=True):
    """The list of ``run(strip)``, on threads where that ``pays``.

    ``run`` itself must not call this: it would wait for threads that wait for it.
    """
    with _one_blas_thread():
        if THREADS == 1 or len(strips) == 1 or not pays:
            return list(map(run, strips))
        pool = _pool(os.getpid())  # with the context, numpy's errstate is as it is here
        parts = [pool.submit(copy_context().run, run, strip) for strip in strips]
        wait(parts)  # after an error too: no strip goes on behind the caller's back
        return [part.result() for part in parts]


def average(kernel, X, y, size, work):
    """Means over the samples of what ``kernel`` finds in each block of rows.

    ``kernel(X, y, total)`` adds a block's part to ``total``, a vector of length ``size``, and
    returns the block's loss. ``work`` is a row's multiplications.
    """
    m = len(X)
    pieces = int(max(1, min(STRIPS, m // SHARE, m * work // ENOUGH)))
    rows = min(BLOCK, -(-m // pieces))

    def run(strip):
        f, total = 0.0, np.zeros(size, X.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # exp(-z) in sigmoid; inf weights
            for i in strip:
                f += kernel(np.asanyarray(X[i : i + rows]), y[i : i + rows], total)
        return f, total

    strips = [strip for strip in np.array_split(range(0, m, rows), STRIPS) if len(strip)]
    loss, mean = 0.0, np.zeros(size)
    for f, total in side_by_side(run, strips, pieces > 1):
        loss += f
        mean += total
    mean /= m
    return loss / m, mean


def product(A, *others):
    """The matrix product of ``A``, (n, k), with the ``others``, parts of A's rows side by side."""
    pays = A.size * others[0].shape[1] >= 2 * ENOUGH
    parts = np.array_split(A, STRIPS) if pays else [A]
    return np.concatenate(side_by_side(lambda rows: reduce(np.matmul, others, rows), parts))


def as_rows(X, n, dtype, scale=1.0, shift=0.0):
    """``X``, (m, ``n``), as a finite array of ``dtype``, or as :class:`Bytes` where it is uint8."""
    scale, shift = as_number(scale, "scale"), as_number(shift, "shift")
    if getattr(X, "dtype", None) == np.uint8:
        values = as_table([np.arange(256) * scale + shift], dtype=dtype)  # finite, or refused
        return Bytes(as_table(X, n, np.uint8), values[0])
    if (scale, shift) != (1, 0):
        kind = getattr(X, "dtype", type(X).__name__)
        raise ValueError(f"X must be of uint8 where there is a scale or a shift; got {kind}")
    return as_table(X, n, dtype)


class Bytes:
    """``rows`` of uint8, (m, n), each byte standing for its entry in ``values``, (256,).

    They stay as they are, in memory or mapped from a file: whoever reads them takes a block of rows
    and converts it by ``numpy.asarray``.
    """

    ndim = 2

    def __init__(self, rows, values):
        self.rows, self.values = rows, values
        self.shape, self.nbytes, self.dtype = rows.shape, rows.nbytes, values.dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, some):
        return Bytes(self.rows[some], self.values)

    def __array__(self, dtype=None, copy=None):
        return self.values.take(self.rows).astype(dtype or self.dtype, copy=False)
