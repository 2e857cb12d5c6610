"""Check what comes in from outside, in one way, with an error that says what to mend.

Each function returns the value in the one form that the library works with. Otherwise it raises a
ValueError that names the argument (``name``), says what the argument must be, and shows what came.
"""

import operator
from contextlib import contextmanager

import numpy as np

MAX_BYTES = 2e9  # no matrix of second derivatives may be larger


@contextmanager
def from_extra(extra):
    """Where an import in this block fails, name the ``extra`` of soo-lib that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error}, which comes with an extra: pip install 'soo-lib[{extra}]'"
        raise ModuleNotFoundError(message, name=error.name) from error


def as_number(value, name, minimum=-np.inf, above=False):
    """Return ``value`` as a finite float: at least ``minimum``, or more than it if ``above``."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number) or number < minimum or (above and number == minimum):
        bound = "" if minimum == -np.inf else f" {'>' if above else '>='} {minimum:g}"
        raise ValueError(f"{name} must be a finite number{bound}; got {value!r}")
    return number


def as_share(value, name):
    """``value`` as a number from 0 up to 1, and below it."""
    number = as_number(value, name, 0)
    if number >= 1:
        raise ValueError(f"{name} must be a number >= 0 and < 1; got {value!r}")
    return number


def as_one_of(value, name, choices):
    """``value`` itself, if it is one of the ``choices``."""
    if value not in list(choices):  # a list: what is asked for may not be hashable
        raise ValueError(f"{name} must be one of {choices}; got {value!r}")
    return value


def as_count(value, name, minimum=1, maximum=None):
    """Return ``value`` as a whole number from ``minimum`` to ``maximum``."""
    try:
        count = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < minimum or (maximum is not None and count > maximum):
        upper = "" if maximum is None else f" and <= {maximum}"
        raise ValueError(f"{name} must be a whole number >= {minimum}{upper}; got {value!r}")
    return count


def as_real(found, shape, name):
    """Return ``found``, the result of a function of the caller's, as a real array of ``shape``."""
    try:
        array = np.asarray(found)
    except ValueError:  # a ragged list
        array = np.asarray(found, object)
    if array.shape != shape or array.dtype.kind not in "fiu":
        need = " x ".join(map(str, shape)) + " real numbers" if shape else "one real number"
        got = f"an array of shape {array.shape} and type {array.dtype}"
        raise ValueError(f"{name} must be {need}; got {got}")
    return array


def coarser(dtype, other):
    """Return ``other`` if it is a float type with a larger ε than ``dtype``'s, else ``dtype``."""
    known = np.dtype(other).kind == "f" and np.finfo(other).eps > np.finfo(dtype).eps
    return other if known else dtype


def size_of(x):
    """Return how many numbers ``x`` holds, or 0 if it is no array; :func:`as_vector` refuses it."""
    try:
        return np.size(x)
    except ValueError:
        return 0


def as_function(value, name):
    """Return ``value`` itself if it can be called."""
    if not callable(value):
        raise ValueError(f"{name} must be a function; got {value!r}")
    return value


def as_rng(seed):
    """Return ``seed`` if it is a numpy Generator, else a Generator that this number starts."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(as_count(seed, "seed", 0))


def as_vector(x, n_params, name="x", finite=False):
    """Return ``x`` as a float64 vector (n_params,), whose numbers must be finite if ``finite``."""
    try:
        x = np.asarray(x)
        if np.iscomplexobj(x):
            raise ValueError("complex numbers")
        x = x.astype(float, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be a vector of real numbers; {error}; got {x!r}") from error
    if x.shape != (n_params,) or not n_params:
        raise ValueError(f"{name} must have shape ({n_params or 'n > 0'},); got {x.shape}")
    if finite and not np.isfinite(x).all():
        raise ValueError(
            f"{name} must be finite; got {np.sum(~np.isfinite(x))} NaN or infinite values"
        )
    return x


def as_table(X, n=None, dtype=None):
    """Return ``X`` as a contiguous, finite, real (m, n) array of ``dtype``, or else of float64."""
    try:
        if np.iscomplexobj(X):
            raise ValueError("complex numbers")
        with np.errstate(over="ignore"):  # what is too large for float32 turns infinite: see below
            X = np.ascontiguousarray(X, dtype=dtype or float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"X must be an array of real numbers; {error}") from error
    if X.ndim != 2 or X.size == 0 or n not in (None, X.shape[1]):
        raise ValueError(f"X must have shape (m, {n or 'n'}) with m, n >= 1; got {X.shape}")
    blocks = (X[i : i + 1000] for i in range(0, len(X), 1000))  # one mask would be as large as X
    if X.dtype.kind == "f" and (bad := sum(np.sum(~np.isfinite(block)) for block in blocks)):
        raise ValueError(f"X must be finite; got {bad} NaN or infinite values")
    return X


def as_data(X, y):
    """Return samples ``X``, (m, n), and labels ``y``, (m,), as finite arrays of float64."""
    X = as_table(X)
    return X, as_vector(y, len(X), "y", finite=True)


def take(X, y, rows):
    """Return some ``rows``, at least one, of the data ``X``, (m, n), and ``y``, (m,)."""
    try:
        if np.iscomplexobj(rows):
            raise IndexError("complex numbers")
        chosen = X[rows], y[rows]
    except IndexError as error:
        raise ValueError(f"rows must index the {len(X)} samples; {error}; got {rows!r}") from error
    if chosen[0].ndim != 2 or not len(chosen[0]):
        raise ValueError(f"rows must choose at least one row, as a list does; got {rows!r}")
    return chosen


def as_real_type(dtype):
    """Return numpy's float32 or float64, however ``dtype`` names it."""
    for known in (np.float32, np.float64):
        if dtype in (known, known.__name__, np.dtype(known)):
            return known
    raise ValueError(f"dtype must be float32 or float64; got {getattr(dtype, '__name__', dtype)!r}")


def check_memory(n, what, advice="loss.hessp multiplies with it without forming it"):
    """Raise MemoryError for an n x n matrix of doubles over 2 GB, before a byte is allocated.

    ``what`` names the matrix, ``advice`` says how to do without it.
    """
    if 8 * n * n > MAX_BYTES:
        raise MemoryError(
            f"{what} is {n:,} x {n:,}: {8e-9 * n * n:,.1f} GB, over the budget of "
            f"{MAX_BYTES / 1e9:g} GB; {advice}"
        )
