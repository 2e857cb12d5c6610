"""The quadratic on which the chapters of methods try what they say."""

import numpy as np

from ..losses import Loss


class Quadratic(Loss):
    """½ xᵀAx - bᵀx, with A symmetric; without ``b`` its minimum is at 0."""

    def __init__(self, A, b=None):
        self.A, self.n_params = A, len(A)
        self.b = np.zeros(len(A)) if b is None else b

    def fun(self, x):
        return 0.5 * x @ self.A @ x - self.b @ x

    def jac(self, x):
        return self.A @ x - self.b

    def hess(self, x):
        return self.A


def random_quadratic(eigenvalues, seed=0):
    """A quadratic with these eigenvalues, its axes turned at random, and a random b."""
    rng, n = np.random.default_rng(seed), len(eigenvalues)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return Quadratic(Q @ np.diag(eigenvalues) @ Q.T, rng.normal(size=n))
