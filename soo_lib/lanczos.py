"""Symmetric matrices known by their products alone, and how Lanczos (1950) looks into them."""

import numpy as np
from scipy.linalg import eigh_tridiagonal, norm
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .checks import as_count, as_vector


def symmetric(n, product, columns=None):
    """An (n, n) operator from its product with a vector, and with the columns of a matrix."""
    return LinearOperator(
        (n, n), matvec=product, rmatvec=product, matmat=columns, rmatmat=columns, dtype=float
    )


def as_symmetric(A):
    """``A`` as an operator whose products must be finite; an array is looked at for symmetry."""
    matrix = A = np.asarray(A) if isinstance(A, list) else A
    if getattr(A, "ndim", 2) > 2:  # a stack of matrices, to newer scipys
        raise ValueError(f"A must be a matrix; got ndim {A.ndim}")
    try:
        A = aslinearoperator(A)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A must be a matrix or LinearOperator; {error}; got {A!r}") from error
    if A.shape[0] != A.shape[1] or not A.shape[0] or A.dtype.kind not in "iuf":
        raise ValueError(f"A must be square and real; got shape {A.shape} and dtype {A.dtype}")
    if issparse(matrix):
        matrix = matrix.tocsr()
    if not isinstance(matrix, LinearOperator):
        with np.errstate(invalid="ignore"):  # inf - inf; products will tell
            gap, size = (abs(part).max() for part in (matrix - matrix.T, matrix))
        if gap > 1e-6 * size:
            raise ValueError(f"A must be symmetric; got entries that differ by {gap:g} from Aᵀ's")

    def product(P):
        with np.errstate(over="ignore", invalid="ignore"):
            AP = A @ P
        if not np.isfinite(AP).all():
            raise ValueError("A must have finite products with vectors; got NaN or infinite values")
        return AP

    return symmetric(A.shape[0], product, product)


def rejected(w, Q):
    """What of ``w`` is orthogonal to the rows of ``Q``: twice, as once leaves rounding."""
    for _ in range(2):
        w = w - (Q @ w) @ Q
    return w


def quadrature(A, v, steps):
    """Nodes θ and weights w of Gauss's rule for ``v``: Σ wᵢ f(θᵢ) ≈ vᵀf(A)v / vᵀv.

    Parameters
    ----------
    A : (n, n) symmetric matrix or LinearOperator
    v : (n,) array
        Not 0.
    steps : int
        Products with A.

    Returns
    -------
    nodes, weights : (k,) arrays
        Exact for polynomials f of a degree below 2k; k < ``steps`` where the Krylov space of ``v``
        ends early, and then for every f. Weights are >= 0 with the sum 1.

    Notes
    -----
    Lanczos, every vector against all before it; then Golub and Welsch (1969): eigenvalues
    of the tridiagonal matrix, and the squared first entries of its eigenvectors.
    """
    A = as_symmetric(A)
    v, steps = as_vector(v, A.shape[0], "v", finite=True), as_count(steps, "steps")
    if not v.any():
        raise ValueError("v must not be 0; got only zeros")
    steps = min(steps, len(v))
    Q, a, b = np.empty((steps, len(v))), [], []
    w = v / np.abs(v).max()
    for j in range(steps):
        Q[j] = w / norm(w)  # scipy's squares neither overflow nor vanish
        w = A @ Q[j]
        a.append(Q[j] @ w)
        w = rejected(w, Q[: j + 1])
        b.append(norm(w))
        if b[-1] <= 1e-13 * max(np.abs(a).max(), *b):
            break  # the space is closed
    nodes, V = eigh_tridiagonal(a, b[:-1])
    return nodes, V[0] ** 2
