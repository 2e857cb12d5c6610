"""The change of variables p = P x as a loss (paper, section 2.1, eqs 7-13).

With H ≈ PᵀP the loss has nearly the Hessian I in p, and steepest descent there is Newton's method
here. Every solver is preconditioned by wrapping its loss, scipy's included.
"""

import copy

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lapack, lu_solve

from ..checks import as_vector
from .base import Loss, as_loss


class Preconditioned(Loss):
    """The same loss in p = P x (eq. 8): L̂(p) = L(P⁻¹p).

    Parameters
    ----------
    loss : loss
    P : array or list
        (n,): the diagonal of P, > 0. (n, n): P itself, invertible. A list: P's diagonal blocks in
        ``x``'s order, as for the layers of a network, each of these or a pair (A, G) for
        ``np.kron(A, G)``, which is never formed.

    Attributes
    ----------
    n_params, n_samples, dtype
        The loss's own.

    Notes
    -----
    Eq. 9: ∇L̂ = P⁻ᵀ∇L. Eq. 10: ∇²L̂ = P⁻ᵀ∇²L P⁻¹. The size of a gradient, in a trace and against
    ``gtol``, is that of ∇L = Pᵀ∇L̂ in ``x``, so that it means the same whatever P.

    Raises
    ------
    ValueError
        For a P that is not invertible, or not as large as the loss.

    Examples
    --------
    With H = PᵀP at the minimum, steepest descent needs hardly more iterations than Newton:

    >>> from scipy.linalg import cholesky
    >>> from soo_lib.losses import Rosenbrock
    >>> from soo_lib.solvers import minimize
    >>> loss = Rosenbrock()
    >>> easy = Preconditioned(loss, cholesky(loss.hess([1.0, 1.0])))
    >>> run = minimize(easy, easy.to_p([1.1, 1.1]), method="gradient")
    >>> run.success, run.nit < 20, easy.to_x(run.x).round(6).tolist()
    (True, True, [1.0, 1.0])
    >>> minimize(loss, [1.1, 1.1], method="gradient").success
    False
    """

    def __init__(self, loss: Loss, P: ArrayLike | list):
        named = [("P", P)]
        if isinstance(P, list):
            named = [(f"P[{i}]", block) for i, block in enumerate(P)]
        self.blocks = [
            [_Factor(part, f"{name}[{i}]") for i, part in enumerate(block)]
            if isinstance(block, tuple)
            else [_Factor(block, name)]
            for name, block in named
        ]
        sizes = [int(np.prod([factor.n for factor in block])) for block in self.blocks]
        self.n_params, self.ends = sum(sizes), np.cumsum(sizes)[:-1]
        self.loss = as_loss(loss, np.empty(self.n_params))
        if self.loss.n_params != self.n_params:
            raise ValueError(f"P must have {self.loss.n_params} rows; got {self.n_params}")
        self.dtype = getattr(loss, "dtype", float)
        if hasattr(loss, "n_samples"):
            self.n_samples = loss.n_samples

    def to_p(self, x: ArrayLike) -> np.ndarray:
        """p = P x, both (n_params,)."""
        return self._times(x)

    def to_x(self, p: ArrayLike) -> np.ndarray:
        """x = P⁻¹p, both (n_params,)."""
        return self._times(p, inverse=True)

    def subset(self, rows: ArrayLike) -> "Preconditioned":
        """The same loss on some ``rows``, a list of integers, in the same variables."""
        part = copy.copy(self)
        part.loss = self.loss.subset(rows)
        part.n_samples = part.loss.n_samples
        return part

    def fun(self, p: ArrayLike) -> float:
        return self.loss.fun(self.to_x(p))

    def jac(self, p: ArrayLike) -> np.ndarray:
        return self._pull(self.loss.jac(self.to_x(p)))

    def fun_and_jac(self, p: ArrayLike) -> tuple[float, np.ndarray]:
        f, g = self.loss.fun_and_jac(self.to_x(p))
        return f, self._pull(g)  # eq. 9

    def hess(self, p: ArrayLike) -> np.ndarray:
        half = np.apply_along_axis(self._pull, 0, self.loss.hess(self.to_x(p)))
        return np.apply_along_axis(self._pull, 0, half.T)  # eq. 10

    def hessp(self, p: ArrayLike, v: ArrayLike) -> np.ndarray:
        return self._pull(self.loss.hessp(self.to_x(p), self._times(v, "p", inverse=True)))

    def ggnp(self, p: ArrayLike, v: ArrayLike) -> np.ndarray:
        return self._pull(self.loss.ggnp(self.to_x(p), self._times(v, "p", inverse=True)))

    def push(self, g: ArrayLike) -> np.ndarray:
        """∇L = Pᵀ∇L̂ (eq. 9), from the gradient ``g`` in p; both (n_params,)."""
        return self._times(g, "g", transposed=True)

    def gnorm(self, g: np.ndarray) -> float:
        return self.loss.gnorm(self.push(g))

    def why_no_minimum(self, p: np.ndarray) -> str:
        return self.loss.why_no_minimum(self.to_x(p))

    def _pull(self, g):
        return self._times(g, "g", inverse=True, transposed=True)

    def _times(self, x, name="x", **which):
        """P, P⁻¹, Pᵀ or P⁻ᵀ times x; (A ⊗ G) x is A X Gᵀ with x's rows as X."""
        parts = np.split(as_vector(x, self.n_params, name), self.ends)
        done = []
        for part, (first, *second) in zip(parts, self.blocks, strict=True):
            Y = first.times(part.reshape(first.n, -1), **which)
            for factor in second:
                Y = factor.times(Y.T, **which).T
            done.append(Y.ravel())
        return np.concatenate(done)


class _Factor:
    """A diagonal or a matrix, ready to be multiplied with and to be solved with."""

    def __init__(self, P, name):
        try:
            if np.iscomplexobj(P):
                raise ValueError("complex numbers")
            self.P = np.asarray(P, dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name} must be an array of real numbers; {error}") from error
        self.n, self.diagonal = len(np.atleast_1d(self.P)), self.P.ndim == 1
        if self.P.shape not in ((self.n,), (self.n, self.n)) or not self.n:
            raise ValueError(f"{name} must be a vector or a square matrix; got {self.P.shape}")
        if not np.isfinite(self.P).all():
            raise ValueError(f"{name} must be finite; got NaN or infinite values")
        if self.diagonal and self.P.min() <= 0:
            raise ValueError(f"{name} must be > 0; got {self.P.min():g} on the diagonal")
        if not self.diagonal:
            *self.lu, zero = lapack.dgetrf(self.P)
            if zero:
                raise ValueError(f"{name} must be invertible; got a singular matrix")

    def times(self, X, inverse=False, transposed=False):
        if self.diagonal:
            return X / self.P[:, None] if inverse else X * self.P[:, None]
        if inverse:
            return lu_solve(self.lu, X, trans=int(transposed), check_finite=False)
        return (self.P.T if transposed else self.P) @ X
