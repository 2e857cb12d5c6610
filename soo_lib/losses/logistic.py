"""Logistic regression (paper, eqs 15-18)."""

import numpy as np
import scipy
from numpy.typing import ArrayLike

from ..checks import as_data, as_table, as_vector, take
from .base import L2, Loss


class Logistic(Loss):
    """Mean logistic loss of a linear model, -mean(y log ŷ + (1 - y) log(1 - ŷ)), ŷ = σ(X x).

    Parameters
    ----------
    X : (m, n) array
        Rows are samples. No intercept is added: give a column of ones if you want one.
    y : (m,) array
        Labels, 0 or 1, both present.
    l2 : float
        Adds ½·l2·‖x‖²; >= 0.

    Notes
    -----
    Paper, eqs 15-18, with the brackets that eqs 15 and 18 lack. The loss is in nats.
    """

    def __init__(self, X: ArrayLike, y: ArrayLike, l2: float = 0.0):
        X, y = as_data(X, y)
        if len(wrong := y[~np.isin(y, (0, 1))]):
            raise ValueError(f"y must hold 0 and 1 only; got {wrong[0]:g}")
        if len(np.unique(y)) < 2:
            raise ValueError(f"y must hold both classes; got only {y[0]:g}, {len(y)} times")
        self._set(X, y, L2(X.shape[1], l2))

    def _set(self, X, y, penalty):
        self.X, self.y, self.penalty = X, y, penalty
        self.n_samples, self.n_params = X.shape

    def subset(self, rows: ArrayLike) -> "Logistic":
        """The same loss on some ``rows``, a list of integers; one class alone is fine there."""
        part = object.__new__(Logistic)
        part._set(*take(self.X, self.y, rows), self.penalty)
        return part

    def fun(self, x: ArrayLike) -> float:
        return self._value(self._z(x)) + self.penalty.fun(x)

    def jac(self, x: ArrayLike) -> np.ndarray:
        return self._gradient(self._z(x)) + self.penalty.jac(x)

    def fun_and_jac(self, x: ArrayLike) -> tuple[float, np.ndarray]:
        z = self._z(x)
        return self._value(z) + self.penalty.fun(x), self._gradient(z) + self.penalty.jac(x)

    def hess(self, x: ArrayLike) -> np.ndarray:
        w = self._curvature(self._z(x))
        return self.X.T @ (w[:, None] * self.X) / self.n_samples + self.penalty.hess(x)  # eq. 18

    def hessp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        w, p = self._curvature(self._z(x)), as_vector(p, self.n_params, "p")
        return self.X.T @ (w * (self.X @ p)) / self.n_samples + self.penalty.hessp(x, p)

    def predict(self, x: ArrayLike, X: ArrayLike) -> np.ndarray:
        """Labels 0 or 1, (m,) integers, for the rows of ``X``, (m, n_params)."""
        return (as_table(X, self.n_params) @ as_vector(x, self.n_params) > 0).astype(int)

    def why_no_minimum(self, x: np.ndarray) -> str:
        # Without a penalty the loss falls for ever along any d that separates the classes, and the
        # perceptron finds one where there is one (Rosenblatt 1958): here in at most 300 passes.
        signed = (2 * self.y - 1)[:, None] * self.X
        d = np.array(x) if (signed @ x).min() > 0 else np.zeros(self.n_params)
        for _ in range(0 if self.penalty.l2 else 300):
            wrong = signed @ d <= 0
            if not wrong.any():
                break
            d += signed[wrong].sum(axis=0)
        else:
            return ""
        return (
            "the two classes can be separated, so the logistic loss falls for ever and has no "
            "minimum; add a penalty (l2 > 0)"
        )

    def _z(self, x):
        return self.X @ as_vector(x, self.n_params)

    def _value(self, z):
        return float(np.mean(np.logaddexp(0, z) - self.y * z))  # eq. 15, safe for any z

    def _gradient(self, z):
        return self.X.T @ (scipy.special.expit(z) - self.y) / self.n_samples  # eqs 16-17

    @staticmethod
    def _curvature(z):
        return scipy.special.expit(z) * scipy.special.expit(-z)
