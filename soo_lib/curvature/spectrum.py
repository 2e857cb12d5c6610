"""Any curvature of a loss as a linear operator, and what its products tell of its spectrum.

The estimators take any real symmetric matrix or ``scipy.sparse.linalg.LinearOperator``, and never
form a large one; scipy's ``eigsh``, ``cg`` and ``lobpcg`` meet the operators just as well.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, eigh_tridiagonal, norm, qr
from scipy.sparse import issparse
from scipy.sparse.linalg import ArpackError, LinearOperator, aslinearoperator, eigsh

from ..checks import as_count, as_number, as_rng, as_vector, size_of
from ..losses.base import Loss
from .kronecker import kronecker_factors
from .layers import layer_hessians


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


def quadrature(
    A: ArrayLike | LinearOperator, v: ArrayLike, steps: int
) -> tuple[np.ndarray, np.ndarray]:
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


SMALL = 500  # up to so many columns a matrix is formed: Lanczos might take as many products


def operator(loss: Loss, x: ArrayLike, curvature: str = "exact") -> LinearOperator:
    """The curvature of ``loss`` at ``x``, its penalty included, as a symmetric linear operator.

    Parameters
    ----------
    loss : loss
        With ``hessp`` for "exact", with ``ggnp`` for "ggn"; a network's for the other two.
    x : (n_params,) array
    curvature : {"exact", "ggn", "layers", "kronecker"}
        The Hessian; the generalised Gauss-Newton matrix; the Hessian's diagonal blocks, one a
        layer (appendix B); or A ⊗ G for each layer in their place.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator of shape (n_params, n_params)
        The first two are the loss's own products. Blocks and factors are made here, once, and
        multiplied without a look at the data.

    Raises
    ------
    ValueError
        For an unknown curvature, one that the loss does not bring, or an ``x`` that is not finite.
    MemoryError
        For "layers", if a block would take over 2 GB.

    Examples
    --------
    >>> from scipy.sparse.linalg import cg
    >>> from soo_lib.losses import Rosenbrock
    >>> loss, x = Rosenbrock(), np.zeros(2)
    >>> cg(operator(loss, x), -loss.jac(x))[0].round(9).tolist()  # Newton's direction
    [1.0, 0.0]
    """
    n = getattr(loss, "n_params", size_of(x))
    x = as_vector(x, n, finite=True).copy()
    if curvature in ("exact", "ggn"):
        name = "hessp" if curvature == "exact" else "ggnp"
        if not callable(times := getattr(loss, name, None)):
            raise ValueError(f"loss must have {name}; got {loss!r}")
        # copies: a loss may write to x, and use its own arrays again
        return symmetric(n, lambda p: np.array(times(x.copy(), np.ravel(p)), float))
    if curvature == "layers":
        blocks = layer_hessians(loss, x)

        def product(P):
            return np.concatenate([H @ P[part] for H, part in zip(blocks, loss.net.layer_slices)])

    elif curvature == "kronecker":
        pairs, weights = kronecker_factors(loss, x), loss.penalty.weights

        def product(P):
            done = []
            for (A, G), part in zip(pairs, loss.net.layer_slices):
                V = P[part].reshape(len(A), len(G), -1)  # inputs, units, and columns if any
                done.append((G @ np.tensordot(A, V, 1)).reshape(P[part].shape))
            return np.concatenate(done) + (weights * P.T).T

    else:
        known = "exact, ggn, layers, kronecker"
        raise ValueError(f"curvature must be one of {known}; got {curvature!r}")
    return symmetric(n, product, product)


class Extremes(NamedTuple):
    """Both ends of a spectrum, as scipy's ARPACK finds them (Lehoucq and others 1998)."""

    values: np.ndarray  #: eigenvalues, (2k,), ascending
    vectors: np.ndarray  #: eigenvectors, (n, 2k), a column each
    residuals: np.ndarray  #: ‖Av - λv‖ of each, (2k,)


def extreme_eigenvalues(
    A: ArrayLike | LinearOperator,
    k: int = 1,
    tol: float = 1e-8,
    products: int = 1000,
    seed: int = 0,
) -> Extremes:
    """The ``k`` smallest and the ``k`` largest eigenvalues, and their eigenvectors, by Lanczos.

    Parameters
    ----------
    A : (n, n) symmetric matrix or LinearOperator
    k : int
        How many at each end; all there are, where 2k >= n.
    tol : float
        Residual at which to stop, as a share of A's largest eigenvalue by size, up to a factor of
        three.
    products : int
        About the most products with A, >= 2k: half of them for each end, rounded up to whole
        restarts of 60 vectors, or 8k. Where eigenvalues crowd at an end they may run out; it is
        then done again with the root of ``tol``, or from one start alone, and ``residuals`` tell
        how far that got. Up to 500 columns A is formed instead.
    seed : int
        Of the random start.

    Returns
    -------
    Extremes
        Vectors are orthonormal within each end.

    Notes
    -----
    scipy's ``eigsh`` for either end: ARPACK's restarted Lanczos (Lehoucq, Sorensen and Yang 1998).
    It stops at a residual relative to the eigenvalue, which one near 0 would never reach: so it is
    given A/c + I, with c twice the size of A by a few steps of :func:`quadrature`. A Krylov space
    holds one vector of a multiple eigenvalue, so that its other copies may be missing where k > 1.

    Examples
    --------
    >>> extreme_eigenvalues(np.diag(np.arange(1.0, 500))).values.round(6).tolist()
    [1.0, 499.0]
    """
    A, k, tol = as_symmetric(A), as_count(k, "k"), as_number(tol, "tol", 0)
    n, products = A.shape[0], as_count(products, "products", 2 * k)
    rng, size = as_rng(seed), max(60, 8 * k)
    if n <= max(SMALL, size):
        H = A @ np.eye(n)
        values, vectors = eigh(0.5 * (H + H.T), driver="evd")  # the default's may give up
        ends = np.r_[: min(k, n), max(k, n - k) : n]
        values, vectors = values[ends], vectors[:, ends]
        return Extremes(values, vectors, np.array([*map(norm, (H @ vectors - values * vectors).T)]))
    v = rng.normal(size=n)
    c = 2 * np.abs(quadrature(A, v, 10)[0]).max() or 1.0
    shifted = symmetric(n, lambda p: A @ p / c + p)
    restarts = -(-products // (2 * size))
    ends = [
        _end(shifted, k, which, tol, v0=v, ncv=size, maxiter=restarts) for which in ("SA", "LA")
    ]
    values = c * (np.concatenate([found for found, _ in ends]) - 1)
    vectors = np.hstack([V for _, V in ends])
    residuals = [norm(A @ q - value * q) for value, q in zip(values, vectors.T)]
    return Extremes(values, vectors, np.array(residuals))


def _end(A, k, which, tol, **how):
    """``eigsh``; where its restarts run out, with a looser tolerance, and at last with any."""
    for share in (tol, tol**0.5, 1.0):
        try:
            return eigsh(A, k, which=which, tol=share, **how)
        except ArpackError as error:
            reason = error
    raise ValueError(f"A must have eigenvalues that eigsh finds; {reason}")


class Density(NamedTuple):
    """A density on a grid, and the quadrature behind it (Papyan 2020)."""

    grid: np.ndarray  #: (points,), ascending
    density: np.ndarray  #: (points,), its integral 1
    nodes: np.ndarray  #: of all starts, one start's after another's
    weights: np.ndarray  #: >= 0, with the sum 1


def spectral_density(
    A: ArrayLike | LinearOperator,
    steps: int = 80,
    starts: int = 10,
    width: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> Density:
    """How the eigenvalues of ``A`` lie, by stochastic Lanczos quadrature.

    Parameters
    ----------
    A : (n, n) symmetric matrix or LinearOperator
    steps, starts, seed : int
        Products with A for each random start; how many starts, and their seed.
    width : float, optional
        Standard deviation of the bell curves; unless told, a share of the spectrum's width that
        falls with ``steps`` (Papyan 2020).
    points : int
        Of the grid, which reaches four widths beyond the outermost nodes.

    Returns
    -------
    Density

    Notes
    -----
    Stochastic Lanczos quadrature (Lin, Saad and Yang 2016; Ghorbani, Krishnan and Xiao 2019): the
    mean of the starts' rules is unbiased, and its error falls with the root of n·starts.

    Examples
    --------
    >>> found = spectral_density(np.diag(np.arange(300.0)), starts=20)
    >>> bool(abs(found.weights @ found.nodes - 149.5) < 5)  # the mean eigenvalue
    True
    """
    A = as_symmetric(A)
    steps, starts = as_count(steps, "steps"), as_count(starts, "starts")
    points, rng = as_count(points, "points", 2), as_rng(seed)
    rules = [quadrature(A, rng.normal(size=A.shape[0]), steps) for _ in range(starts)]
    nodes = np.concatenate([nodes for nodes, _ in rules])
    weights = np.concatenate([weights for _, weights in rules]) / starts
    low, high = nodes.min(), nodes.max()
    if width is None:
        # half the spectrum's width with a margin; more than rounding, where it is a point
        half = max(0.55 * (high - low), 1e-8 * max(-low, high)) or 1.0
        width = half * 2 / max(steps - 1, 1) / np.sqrt(8 * np.log(3))
    width = as_number(width, "width", 0, above=True)
    grid = np.linspace(low - 4 * width, high + 4 * width, points)
    density = np.zeros(points)
    for node, weight in zip(nodes, weights):
        density += weight * np.exp(-0.5 * ((grid - node) / width) ** 2)
    return Density(grid, density / (width * np.sqrt(2 * np.pi)), nodes, weights)


def trace(A: ArrayLike | LinearOperator, products: int = 90, seed: int = 0) -> tuple[float, float]:
    """The trace of ``A`` from a few products: Hutch++ (Meyer, Musco, Musco and Woodruff 2020).

    Parameters
    ----------
    A : (n, n) symmetric matrix or LinearOperator
    products : int
        Most products with A, >= 6. A third finds a space that holds the large eigenvalues, whose
        trace a second third gives exactly; the last samples what is left.
    seed : int
        Of the random signs.

    Returns
    -------
    value, error : float
        The standard error is that of the sampled part: 0 up to rounding where the rank of A is at
        most ``products // 3``, and 0 where n products suffice to sum the diagonal.

    Examples
    --------
    >>> trace(np.diag([3.0, -1.0, 2.0]))
    (4.0, 0.0)
    """
    A = as_symmetric(A)
    n, products = A.shape[0], as_count(products, "products", 6)
    rng, samples = as_rng(seed), products // 3
    if n <= products:
        return float(np.trace(A @ np.eye(n))), 0.0
    Q, _ = qr(A @ rng.choice([-1.0, 1.0], (n, samples)), mode="economic")
    G = rng.choice([-1.0, 1.0], (n, samples))
    G -= Q @ (Q.T @ G)
    rest = np.sum(G * (A @ G), axis=0)
    value = np.sum(Q * (A @ Q)) + rest.mean()
    return float(value), float(norm(rest - rest.mean()) / np.sqrt(samples * (samples - 1)))
