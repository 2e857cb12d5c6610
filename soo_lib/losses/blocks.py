"""Sums over many rows, cut into strips that are the same whatever the number of threads.

There are as many threads as linear algebra was given when this was imported, at most four of them
for one sum: with ``OMP_NUM_THREADS=1`` in the environment, one.
"""

import mmap
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context

import numpy as np
from threadpoolctl import ThreadpoolController

from ..checks import as_number, as_table

BLOCK = 1000  # rows that travel through the layers together: their activations stay in cache

STRIPS = 4  # a sum over all rows is a sum of at most so many, whatever the number of threads

SHARE = 250  # rows of a thread, at least

ENOUGH = 3e6  # and multiplications of float64: with less, two mostly wait for Python's lock

KEPT = 2**28  # bytes of a mapped file that may stay in memory: a larger one is let go as it is read

_blas, _inside, _before = ThreadpoolController(), 0, None

# What linear algebra was given is ours to share out; in here it runs on one.
THREADS = max((lib["num_threads"] for lib in _blas.info() if lib["user_api"] == "blas"), default=1)

# What is freed, glibc gives back to the system, and a page that is asked for anew costs as much as
# the arithmetic on it, until a block as large as this was freed: then it keeps up to twice as much.
np.empty(2**24, np.uint8)


def _start():
    global _threads, _lock
    _threads = ThreadPoolExecutor(max(1, THREADS - 1), "soo_lib")  # beside the one that asks
    _lock = threading.RLock()


_start()


if hasattr(os, "register_at_fork"):  # threads do not follow into a child
    os.register_at_fork(after_in_child=_start)


@contextmanager
def _one_thread():
    """In here linear algebra runs on one thread: in the whole process, until the last is out."""
    global _inside, _before
    with _lock:
        if not _inside:
            _before = _blas.limit(limits=1)
            with _blas.limit(limits=1):  # to leave this lets any thread undo it, not only ours
                pass
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                with _before:  # to leave this undoes it
                    pass


@contextmanager
def calm():
    """In here numpy warns of no overflow and linear algebra runs on one thread."""
    # A step that is far too long overflows: the outcome says so, in place of warnings.
    # The threads of a solver's own dot products would only spin in the way of the loss's.
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with quiet, _one_thread():
        yield


def side_by_side(run, strips, pays=True):
    """``run(strip)`` of each strip in order, on threads where that ``pays``.

    Linear algebra has one thread each, and ``numpy.errstate`` is the caller's. After an error no
    strip goes on.
    """
    parts = []
    shared = strips if pays and THREADS > 1 and len(strips) > 1 else []
    with _one_thread():
        try:
            try:
                for strip in shared:
                    parts.append(_threads.submit(copy_context().run, run, strip))
            except RuntimeError:  # no thread starts, as at the interpreter's end: now without
                _threads.shutdown(wait=False, cancel_futures=True)
            # What no thread has begun is done here: nothing waits for one that is asleep or busy.
            ours = {i: run(strips[i]) for i, part in enumerate(parts) if part.cancel()}
            found = [ours[i] if i in ours else part.result() for i, part in enumerate(parts)]
        finally:
            wait([part for part in parts if not part.cancel()])
        yield from found
        yield from map(run, strips[len(parts) :])


def product(A, B, C):
    """A B C of (n, k), (k, l) and (l, m): by halves of A's rows, a thread each, where that pays."""
    if A.size * B.shape[1] + len(A) * C.size < 2 * ENOUGH:
        return A @ B @ C
    return np.concatenate([*side_by_side(lambda half: half @ B @ C, np.array_split(A, 2))])


def as_rows(X, n, dtype, scale=1.0, shift=0.0):
    """``X``, (m, ``n``), as a finite array of ``dtype``, or as :class:`Bytes` where it is uint8.

    Those stand for ``X * scale + shift``, in float64 and then rounded to ``dtype``.
    """
    scale, shift = as_number(scale, "scale"), as_number(shift, "shift")
    if getattr(X, "dtype", None) == np.uint8:
        values = as_table([np.arange(256) * scale + shift], dtype=dtype)  # finite, or refused
        return Bytes(as_table(X, n, np.uint8), values[0], None if shift else scale)
    if (scale, shift) != (1, 0):
        kind = getattr(X, "dtype", type(X).__name__)
        raise ValueError(f"X must be of uint8 where there is a scale or a shift; got {kind}")
    return as_table(X, n, dtype)


class Bytes:
    """``rows`` of uint8, (m, n), each byte standing for its entry in ``values``, (256,).

    They stay as they are, in memory or mapped from a file: whoever reads them converts a block at
    a time. ``numpy.asarray`` converts them all. ``scale``: where all values are multiples of it.
    """

    ndim = 2

    def __init__(self, rows, values, scale=None):
        self.rows, self.values, self.scale, self.file = rows, values, scale, None
        self.shape, self.nbytes, self.dtype = rows.shape, rows.nbytes, values.dtype
        while isinstance(rows, np.ndarray):  # down to the file behind them, if only read from
            readable = not isinstance(rows, np.memmap) or rows.mode == "r"
            rows = rows.base if readable else None
        if isinstance(rows, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and len(rows) > KEPT:
            self.file = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, some):
        return Bytes(self.rows[some], self.values, self.scale)

    def __array__(self, dtype=None, copy=None):
        return self.values[self.rows].astype(dtype or self.dtype, copy=False)

    def read(self, room):
        """The rows, converted into the first of ``room``, a contiguous array of their width."""
        found = room[: len(self)]
        if self.scale is None:
            np.take(self.values, self.rows, out=found, mode="clip")  # "raise" would need a copy
        else:  # the same digits in half the time
            np.multiply(self.rows, self.scale, out=found, dtype=float, casting="same_kind")
        if self.file:  # pages that were read count as memory of ours until we let go of them
            self.file.madvise(mmap.MADV_DONTNEED)
        return found


def average(kernel, X, y, size, work):
    """Means over the samples of what ``kernel`` finds in each block of rows.

    ``kernel(X, y, total)`` adds a block's part to ``total``, a vector of length ``size``, and
    returns the block's loss. ``work`` is a row's multiplications. The strips are of whole blocks;
    neither they nor the order in which they are added depend on the number of threads.
    """

    def run(strip):
        f, total, bytewise = 0.0, np.zeros(size, X.dtype), isinstance(X, Bytes)
        room = np.empty((rows, *X.shape[1:]), X.dtype) if bytewise else None
        with np.errstate(over="ignore", invalid="ignore"):  # exp(-z) in _sigmoid; inf weights
            for i in strip:
                block = X[i : i + rows]
                f += kernel(block.read(room) if bytewise else block, y[i : i + rows], total)
        return f, total

    enough = ENOUGH * 8 / X.dtype.itemsize
    shares = min(len(X) // SHARE, len(X) * work // enough)  # the threads that it pays for
    pieces = STRIPS if shares >= STRIPS else 2 if shares >= 2 else 1
    rows = -(-len(X) // (pieces * -(-len(X) // (pieces * BLOCK))))  # as many blocks for each
    blocks = range(0, len(X), rows)
    strips = [strip for strip in np.array_split(blocks, STRIPS) if len(strip)]
    loss, mean = 0.0, np.zeros(size)
    for f, total in side_by_side(run, strips, pieces > 1):
        loss += f
        mean += total
    mean /= len(X)
    return loss / len(X), mean
