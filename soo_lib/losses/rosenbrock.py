"""Rosenbrock's valley (paper, eq. 6)."""

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_number, as_vector
from .base import Loss


class Rosenbrock(Loss):
    """Rosenbrock's valley, (a - x)² + b (y - x²)², with its minimum 0 at (a, a²).

    Parameters
    ----------
    a, b : float
        Place of the minimum, and steepness of the valley's walls.

    Notes
    -----
    Paper, eq. 6, where a = 1 and b = 50 (figures 1 and 2).
    """

    n_params = 2

    def __init__(self, a: float = 1.0, b: float = 50.0):
        self.a = as_number(a, "a")
        self.b = as_number(b, "b")

    def fun(self, x: ArrayLike) -> float:
        x, y = as_vector(x, 2)
        return float((self.a - x) ** 2 + self.b * (y - x * x) ** 2)

    def jac(self, x: ArrayLike) -> np.ndarray:
        x, y = as_vector(x, 2)
        r = y - x * x
        return np.array([-2 * (self.a - x) - 4 * self.b * x * r, 2 * self.b * r])

    def hess(self, x: ArrayLike) -> np.ndarray:
        x, y = as_vector(x, 2)
        return np.array(
            [[2 - 4 * self.b * (y - 3 * x * x), -4 * self.b * x], [-4 * self.b * x, 2 * self.b]]
        )
