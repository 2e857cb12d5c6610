"""Small losses and checks that several test files use."""

import re

import numpy as np
import pytest

from soo_lib.losses import Logistic, Loss

# the order of minimize's own table, and scipy's
OWN = ["gradient", "newton", "nlcg", "bfgs", "lbfgs", "hessian-free", "arc"]
SCIPYS = ["CG", "BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact"]
every_method = pytest.mark.parametrize("method", OWN + SCIPYS)


class Quadratic(Loss):
    """½ xᵀAx - bᵀx + c, with its minimum at A⁻¹b."""

    def __init__(self, n=5, condition=50.0, seed=0, c=0.0):
        rng = np.random.default_rng(seed)
        Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        self.eigenvalues = np.geomspace(1, condition, n)
        self.A = Q @ np.diag(self.eigenvalues) @ Q.T
        self.A = (self.A + self.A.T) / 2
        self.b, self.c, self.n_params = rng.normal(size=n), c, n
        self.minimum = np.linalg.solve(self.A, self.b)

    def fun(self, x):
        return float(0.5 * x @ self.A @ x - self.b @ x + self.c)

    def jac(self, x):
        return self.A @ x - self.b

    def hess(self, x):
        return self.A.copy()


class Careless(Quadratic):
    """Writes to the x that it is handed, and uses one array for all that it returns."""

    def fun(self, x):
        found = super().fun(x)
        x[:] = 7
        return found

    def jac(self, x):
        return self.again(x, super().jac(x))

    def hess(self, x):
        x[:] = 7
        return super().hess(x)

    def hessp(self, x, p):
        return self.again(x, self.A @ p)

    def again(self, x, found):
        self.array = getattr(self, "array", np.empty(len(x)))
        self.array[:], x[:] = found, 7
        return self.array


class Barrier(Loss):
    """x - log x, with its minimum at 1; not a number where x <= 0."""

    n_params = 1

    def fun(self, x):
        return float((x - np.log(x))[0])

    def jac(self, x):
        return 1 - 1 / x

    def hess(self, x):
        return np.diag(1 / x**2)


class Saddle(Loss):
    """x² - y² + y⁴: a saddle at 0, minima of -1/4 at (0, ±1/√2)."""

    n_params = 2

    def fun(self, v):
        return float(v[0] ** 2 - v[1] ** 2 + v[1] ** 4)

    def jac(self, v):
        return np.array([2 * v[0], -2 * v[1] + 4 * v[1] ** 3])

    def hess(self, v):
        return np.diag([2.0, -2 + 12 * v[1] ** 2])


class Watched(Loss):
    """Counts the calls to a loss, and keeps every value that it gave, without the recorder."""

    def __init__(self, loss):
        self.loss, self.n_params = loss, loss.n_params
        self.nfev = self.njev = self.nhev = self.nhessp = 0
        self.values = []

    @property
    def counts(self):
        return self.nfev, self.njev, self.nhev, self.nhessp

    def fun(self, x):
        self.nfev += 1
        self.values.append(self.loss.fun(x))
        return self.values[-1]

    def jac(self, x):
        self.njev += 1
        return self.loss.jac(x)

    def fun_and_jac(self, x):
        return self.fun(x), self.jac(x)

    def hess(self, x):
        self.nhev += 1
        return self.loss.hess(x)

    def hessp(self, x, p):
        self.nhessp += 1
        return self.loss.hessp(x, p)

    def why_no_minimum(self, x):
        return self.loss.why_no_minimum(x)


class WrongSign(Loss):
    """A loss whose gradient points downhill: the commonest mistake of all."""

    def __init__(self, loss):
        self.loss, self.n_params = loss, loss.n_params
        self.fun, self.hess = loss.fun, loss.hess

    def jac(self, x):
        return -self.loss.jac(x)


class Scaled(Loss):
    """A loss in other units, or beside a constant."""

    def __init__(self, loss, scale=1.0, constant=0.0):
        self.loss, self.n_params = loss, loss.n_params
        self.scale, self.constant = scale, constant

    def fun(self, x):
        return self.scale * self.loss.fun(x) + self.constant

    def jac(self, x):
        return self.scale * self.loss.jac(x)

    def hess(self, x):
        return self.scale * self.loss.hess(x)


def overlapping(m=60, n=3, l2=0.0, seed=0):
    """Logistic regression with an intercept column, on classes that overlap."""
    rng = np.random.default_rng(seed)
    X = np.c_[np.ones(m), rng.normal(size=(m, n - 1))]
    y = (X @ rng.normal(size=n) + 1.5 * rng.normal(size=m) > 0).astype(int)
    return Logistic(X, y, l2=l2)


def slope(f, x, d, size=1e-3):
    """d/dt f(x + t d) at t = 0: a polynomial fitted by least squares through nine steps."""
    t = np.linspace(-1, 1, 9)
    values = np.array([f(x + size * u * d) for u in t])
    return np.polyfit(t, values, 5)[-2] / size


def check_success(found, loss, gtol):
    assert found.success and found.status.success and found.message.startswith("converged"), found
    assert np.abs(found.jac).max() <= gtol
    assert found.fun == loss.fun(found.x)
    np.testing.assert_array_equal(found.jac, loss.jac(found.x))


def complains(call, name, *got):
    """``call`` raises a ValueError that says what ``name`` must be, and each of ``got``."""
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value)
    assert re.search(rf"(^|\W){re.escape(name)}(?!\w).* must ", message), message
    for part in got:
        assert str(part) in message, message
