"""Losses: the functions that the book minimises (paper, eqs 6 and 15-18).

A *loss* is any object with scipy's names on a flat vector ``x``::

    fun(x) -> float              jac(x) -> (n,)             fun_and_jac(x) -> (float, (n,))
    hess(x) -> (n, n)            hessp(x, p) -> (n,)        n_params

A loss over data also has ``n_samples`` and ``subset(rows)``: the same loss on those rows.
Batches, penalties and recorders are losses around a loss, so each goes with every solver.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_count, as_number, as_vector, size_of


@runtime_checkable
class Loss(Protocol):
    """What a solver asks of a loss.

    Any object that has these is one. A class that inherits from this one sets ``n_params``, writes
    ``fun`` and ``jac``, and ``hess`` or ``hessp`` where it can; the others follow from them.
    """

    n_params: int

    def __init__(self) -> None:  # a bare Loss() may be given its functions one by one
        return None

    def __repr__(self):
        samples = f", {self.n_samples} samples" if hasattr(self, "n_samples") else ""
        return f"<{type(self).__name__}: {getattr(self, 'n_params', '?')} parameters{samples}>"

    def fun(self, x: np.ndarray) -> float:
        """The value at ``x``, (n_params,)."""
        raise ValueError(f"loss must have fun and jac; got {self!r}")

    def jac(self, x: np.ndarray) -> np.ndarray:
        """The gradient at ``x``; both (n_params,)."""
        raise ValueError(f"loss must have fun and jac; got {self!r}")

    def fun_and_jac(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The value, a float, and the gradient, (n_params,), at ``x``, (n_params,)."""
        return self.fun(np.array(x)), self.jac(x)  # a copy, as either may write to x

    def hess(self, x: np.ndarray) -> np.ndarray:
        """The second derivatives, (n_params, n_params); ValueError where a loss has none."""
        raise ValueError(
            "this loss has no second derivatives; use a method that needs only the "
            "gradient, such as 'lbfgs'"
        )

    def hessp(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The Hessian times ``p``, (n_params,)."""
        return self.hess(x) @ as_vector(p, self.n_params, "p")

    def ggnp(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The Gauss-Newton matrix times ``p``; the Hessian, where a loss knows no such matrix."""
        return self.hessp(x, p)

    def gnorm(self, g: np.ndarray) -> float:
        """The largest entry of a gradient ``g``, (n_params,), in the variables of the problem."""
        return float(np.abs(g).max())

    def why_no_minimum(self, x: np.ndarray) -> str:
        """A reason in words why the loss has no minimum for a solver to find, or ``""``.

        Asked once, at the point ``x`` where a solver stops.
        """
        return ""


def over_data(loss, *more):
    """``loss`` itself, which must have ``n_samples``, ``subset`` and what ``more`` names."""
    needed = "n_samples", "subset", *more
    if missing := [name for name in needed if not hasattr(loss, name)]:
        raise ValueError(f"loss must be over data, with {' and '.join(missing)}; got {loss!r}")
    return loss


def as_loss(loss: object, x: ArrayLike) -> Loss:
    """``loss`` itself, or any object with ``fun`` and ``jac`` completed to a loss of ``x`` (n,)."""
    if isinstance(loss, Loss) and hasattr(loss, "n_params"):
        return loss
    missing = [name for name in ("fun", "jac") if not callable(getattr(loss, name, None))]
    if missing:
        raise ValueError(f"loss must have {' and '.join(missing)}; got {loss!r}")
    if isinstance(loss, Loss) and type(loss) is not Loss:
        raise ValueError(f"a subclass of Loss must set n_params; got {loss!r}")
    whole = Loss()
    whole.n_params = getattr(loss, "n_params", size_of(x))
    for name in "fun jac fun_and_jac hess hessp ggnp dtype gnorm why_no_minimum".split():
        if hasattr(loss, name):
            setattr(whole, name, getattr(loss, name))
    if hasattr(loss, "subset") and hasattr(loss, "n_samples"):
        whole.n_samples = loss.n_samples
        whole.subset = lambda rows: as_loss(loss.subset(rows), x)
    return whole


class L2(Loss):
    """The penalty ½·l2·‖x‖² as a loss of its own, which other losses add to theirs.

    Parameters
    ----------
    n_params : int
        Length of ``x``.
    l2 : float
        Weight of the penalty, >= 0.
    mask : (n_params,) array of 0 and 1, optional
        Which parameters are penalised; all of them unless told.
    """

    def __init__(self, n_params: int, l2: float, mask: ArrayLike | None = None):
        self.n_params = as_count(n_params, "n_params")
        self.l2 = as_number(l2, "l2", minimum=0)
        mask = np.ones(n_params) if mask is None else as_vector(mask, n_params, "mask", finite=True)
        if len(wrong := mask[~np.isin(mask, (0, 1))]):
            raise ValueError(f"mask must hold 0 and 1 only; got {wrong[0]:g}")
        self.weights = self.l2 * mask

    def fun(self, x: ArrayLike) -> float:
        return 0.5 * float(np.dot(self.weights * x, x)) if self.l2 else 0.0

    def jac(self, x: ArrayLike) -> np.ndarray:
        return self.weights * x

    def fun_and_jac(self, x: ArrayLike) -> tuple[float, np.ndarray]:
        g = self.jac(x)
        return 0.5 * float(np.dot(g, x)) if self.l2 else 0.0, g

    def hess(self, x: ArrayLike) -> np.ndarray:
        return np.diag(self.weights)

    def hessp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self.weights * p
