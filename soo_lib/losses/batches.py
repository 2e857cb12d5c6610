"""Batches, and the loss as a mean over batches (paper, section 3.3 and eq. 28)."""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_count, as_rng
from .base import Loss, as_loss, over_data


class Mean(Loss):
    """A loss that is a weighted mean over parts.

    A subclass writes ``mean(what, *vectors)``, the mean of ``value(part, what, *vectors)``: of the
    values, gradients or other results of its parts.
    """

    def fun(self, x: ArrayLike) -> float:
        return float(self.mean("fun", x))

    def jac(self, x: ArrayLike) -> np.ndarray:
        return self.mean("jac", x)

    def fun_and_jac(self, x: ArrayLike) -> tuple[float, np.ndarray]:
        f, g = self.mean("fun_and_jac", x)
        return float(f), g

    def hess(self, x: ArrayLike) -> np.ndarray:
        return self.mean("hess", x)

    def hessp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self.mean("hessp", x, p)

    def ggnp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self.mean("ggnp", x, p)


def value(part, what, *vectors):
    """A part's result: of its method named ``what``, or of a function ``what(part, *vectors)``."""
    return getattr(part, what)(*vectors) if isinstance(what, str) else what(part, *vectors)


def plus(a, b):
    """``a`` + ``b``: numbers or arrays, or tuples or lists of them, which are added one by one."""
    return type(a)(map(plus, a, b)) if isinstance(a, tuple | list) else a + b


def times(weight, a):
    """The number ``weight`` times ``a``, which is of such a kind too."""
    return type(a)(times(weight, b) for b in a) if isinstance(a, tuple | list) else weight * a


MOST = 10**8  # rows, in all batches together: beyond, a slip would fill the memory for hours


def partition(m: int, batch_size: int, seed: int | None = None) -> list[np.ndarray]:
    """Disjoint batches that cover all rows; the last is ragged if the sizes do not divide.

    Parameters
    ----------
    m : int
        Number of rows.
    batch_size : int
        Rows in a batch, from 1 to m.
    seed : int, optional
        Shuffles the rows first; without it the batches are contiguous, as in the paper.

    Returns
    -------
    list of integer arrays
        Row numbers, 0 to m - 1.
    """
    m = as_count(m, "m", maximum=MOST)
    size = as_count(batch_size, "batch_size", maximum=m)
    rows = np.arange(m) if seed is None else as_rng(seed).permutation(m)
    return [rows[i : i + size] for i in range(0, m, size)]


def draw(
    m: int, batch_size: int, n_batches: int, seed: int | np.random.Generator = 0
) -> list[np.ndarray]:
    """Batches drawn one by one: no row twice in a batch, but batches may overlap.

    Parameters
    ----------
    m, batch_size : int
        As in :func:`partition`.
    n_batches : int
        R of eq. 28; at most 10⁸ rows in all batches together.
    seed : int or numpy Generator

    Returns
    -------
    list of integer arrays
        Row numbers, (batch_size,) each.
    """
    m = as_count(m, "m", maximum=MOST)
    size = as_count(batch_size, "batch_size", maximum=m)
    rng = as_rng(seed)
    count = as_count(n_batches, "n_batches", maximum=MOST // size)
    # As indices are on this machine: numpy counts with no others (32 bits, in a page of the book).
    return [rng.choice(m, size, replace=False).astype(np.intp) for _ in range(count)]


class Batched(Mean):
    """The mean of a loss over fixed batches, eq. 28.

    Parameters
    ----------
    loss : loss over data
        With ``subset(rows)``.
    batches : list of integer arrays
        From :func:`partition` or :func:`draw`.
    weights : {None, "rows"}
        Every batch alike, as eq. 28 is printed; or each by its number of rows, which gives the
        full loss for any partition, ragged or not.

    Raises
    ------
    ValueError
        For a loss without data, an empty batch, or rows that it does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from soo_lib.datasets import make_two_class
    >>> from soo_lib.losses import Logistic
    >>> data = make_two_class()
    >>> loss, x = Logistic(data.X_train, data.y_train), np.array([-3.0, 1.0, 0.5])
    >>> batches = partition(800, 300, seed=0)
    >>> [len(rows) for rows in batches]
    [300, 300, 200]
    >>> fair = Batched(loss, batches, weights="rows")
    >>> bool(np.isclose(fair.fun(x), loss.fun(x)))
    True
    >>> bool(np.isclose(Batched(loss, batches).fun(x), loss.fun(x)))
    False
    """

    def __init__(self, loss: Loss, batches: list, weights: str | None = None):
        if weights not in (None, "rows"):
            raise ValueError(f"weights must be None or 'rows'; got {weights!r}")
        listed = isinstance(batches, list | tuple) and all(np.size(rows) for rows in batches)
        if not listed or not batches or any(np.ndim(rows) != 1 for rows in batches):
            raise ValueError(f"batches must be lists of rows, none of them empty; got {batches!r}")
        over_data(loss, "n_params", "fun_and_jac")
        self.loss = as_loss(loss, np.empty(loss.n_params))
        self.n_params, self.n_samples = loss.n_params, loss.n_samples
        self.dtype, self.penalty = getattr(loss, "dtype", float), getattr(loss, "penalty", None)
        self.parts = [self.loss.subset(rows) for rows in batches]
        sizes = np.array([len(rows) if weights == "rows" else 1 for rows in batches])
        self.weights = sizes / sizes.sum()

    def mean(self, what, *vectors):
        """The mean of the batches' results, one batch after another."""
        shares = zip(self.weights, self.parts)
        return reduce(plus, (times(w, value(part, what, *vectors)) for w, part in shares))

    def gnorm(self, g: np.ndarray) -> float:
        return self.loss.gnorm(g)

    def why_no_minimum(self, x: np.ndarray) -> str:
        return self.loss.why_no_minimum(x)


class Reshuffled(Loss):
    """Eq. 28 with new batches at every evaluation: what breaks L-BFGS and NLCG.

    A value and a gradient asked for together share a draw; asked for one by one, they do not.

    Parameters
    ----------
    loss : loss over data
    batch_size, n_batches, seed
        As for :func:`draw`.
    """

    def __init__(self, loss: Loss, batch_size: int, n_batches: int, seed: int = 0):
        self.loss = as_loss(over_data(loss, "n_params", "fun_and_jac"), None)
        self.n_params, self.n_samples = loss.n_params, loss.n_samples
        draw(loss.n_samples, batch_size, n_batches)  # complain now, not at the first evaluation
        self.batch_size, self.n_batches = batch_size, n_batches
        self.dtype = getattr(loss, "dtype", float)
        self.rng = as_rng(seed)

    def fun(self, x: ArrayLike) -> float:
        return self._fresh().fun(x)

    def jac(self, x: ArrayLike) -> np.ndarray:
        return self._fresh().jac(x)

    def fun_and_jac(self, x: ArrayLike) -> tuple[float, np.ndarray]:
        return self._fresh().fun_and_jac(x)

    def hess(self, x: ArrayLike) -> np.ndarray:
        return self._fresh().hess(x)

    def hessp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self._fresh().hessp(x, p)

    def ggnp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self._fresh().ggnp(x, p)

    def gnorm(self, g: np.ndarray) -> float:
        return self.loss.gnorm(g)

    def _fresh(self):
        # The mean over equal batches is the mean over all their rows: one loss, not n_batches.
        batches = draw(self.n_samples, self.batch_size, self.n_batches, self.rng)
        return self.loss.subset(np.concatenate(batches))
