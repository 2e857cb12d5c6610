"""Sums over many rows, cut into strips that are the same whatever the number of threads."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController

BLOCK = 1000  # rows that travel through the layers together: their activations stay in cache
STRIPS = 4  # a sum over all rows is a sum of at most so many, whatever the number of threads
ENOUGH = 1e8  # multiplications that pay for a second thread: below, two wait for each other

_blas = ThreadpoolController()
# As many as linear algebra was given when we were imported; solvers then run it on one.
THREADS = max((lib["num_threads"] for lib in _blas.info() if lib["user_api"] == "blas"), default=1)


@contextmanager
def calm():
    """In here numpy warns of no overflow and linear algebra runs on one thread."""
    # A step that is far too long overflows: the outcome says so, in place of warnings.
    # The threads of a solver's own dot products would only spin in the way of the loss's.
    quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with quiet, _blas.limit(limits=1):
        yield


def side_by_side(run, strips, work):
    """``run(strip)`` of each strip in order, on threads where ``work`` pays for them.

    ``work`` counts multiplications. Linear algebra has one thread each.
    """
    shared = len(strips) > 1 and THREADS > 1 and work > ENOUGH
    with _blas.limit(limits=1):
        if not shared:
            yield from map(run, strips)
            return
        with ThreadPoolExecutor(THREADS) as pool:
            yield from pool.map(run, strips)


def average(kernel, X, y, size, work):
    """Means over the samples of what ``kernel`` finds in each block of rows.

    ``kernel(X, y, total)`` adds a block's part to ``total``, a vector of length ``size``, and
    returns the block's loss. The strips are of whole blocks, and are added in the same order.
    ``work`` is a row's multiplications.
    """

    def run(strip):
        f, total = 0.0, np.zeros(size, X.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # exp(-z) in _sigmoid; inf weights
            for i in strip:
                f += kernel(X[i : i + rows], y[i : i + rows], total)
        return f, total

    rows = max(BLOCK // 4, min(BLOCK, -(-len(X) // 4)))  # 4 blocks to share, where rows are enough
    blocks = range(0, len(X), rows)
    strips = [strip for strip in np.array_split(blocks, STRIPS) if len(strip)]
    loss, mean = 0.0, np.zeros(size)
    for f, total in side_by_side(run, strips, len(X) * work):
        loss += f
        mean += total
    mean /= len(X)
    return loss / len(X), mean
