"""Losses: the functions that the book minimises (paper, eqs 6 and 15-18).

A *loss* is any object with scipy's names on a flat vector ``x``::

    fun(x) -> float              jac(x) -> (n,)             fun_and_jac(x) -> (float, (n,))
    hess(x) -> (n, n)            hessp(x, p) -> (n,)        n_params

A loss over data also has ``n_samples`` and ``subset(rows)``: the same loss on those rows.
Batches, penalties and recorders are losses around a loss, so each goes with every solver.
"""

import numpy as np
import scipy

from .checks import as_count, as_data, as_number, as_table, as_vector, size_of, take


class Loss:
    """What follows from ``fun`` and ``jac``; a loss overrides whatever it can do faster."""

    def __repr__(self):
        samples = f", {self.n_samples} samples" if hasattr(self, "n_samples") else ""
        return f"<{type(self).__name__}: {getattr(self, 'n_params', '?')} parameters{samples}>"

    def fun_and_jac(self, x):
        """The value, a float, and the gradient, (n_params,), at ``x``, (n_params,)."""
        return self.fun(np.array(x)), self.jac(x)  # a copy, as either may write to x

    def hess(self, x):
        """The second derivatives, (n_params, n_params); ValueError where a loss has none."""
        raise ValueError(
            "this loss has no second derivatives; use a method that needs only the "
            "gradient, such as 'lbfgs'"
        )

    def hessp(self, x, p):
        """The Hessian times ``p``, (n_params,)."""
        return self.hess(x) @ as_vector(p, self.n_params, "p")

    def ggnp(self, x, p):
        """The Gauss-Newton matrix times ``p``; the Hessian, where a loss knows no such matrix."""
        return self.hessp(x, p)

    def gnorm(self, g):
        """The largest entry of a gradient ``g``, (n_params,), in the variables of the problem."""
        return float(np.abs(g).max())

    def why_no_minimum(self, x):
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


def as_loss(loss, x):
    """``loss`` itself, or any object with ``fun`` and ``jac`` completed to a loss of ``x`` (n,)."""
    if isinstance(loss, Loss) and hasattr(loss, "n_params"):
        return loss
    missing = [name for name in ("fun", "jac") if not callable(getattr(loss, name, None))]
    if missing:
        raise ValueError(f"loss must have {' and '.join(missing)}; got {loss!r}")
    whole = Loss()
    whole.n_params = getattr(loss, "n_params", size_of(x))
    for name in "fun jac fun_and_jac hess hessp ggnp dtype gnorm why_no_minimum".split():
        if hasattr(loss, name):
            setattr(whole, name, getattr(loss, name))
    if hasattr(loss, "subset") and hasattr(loss, "n_samples"):
        whole.n_samples = loss.n_samples
        whole.subset = lambda rows: as_loss(loss.subset(rows), x)
    return whole


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

    def __init__(self, a=1.0, b=50.0):
        self.a = as_number(a, "a")
        self.b = as_number(b, "b")

    def fun(self, x):
        x, y = as_vector(x, 2)
        return float((self.a - x) ** 2 + self.b * (y - x * x) ** 2)

    def jac(self, x):
        x, y = as_vector(x, 2)
        r = y - x * x
        return np.array([-2 * (self.a - x) - 4 * self.b * x * r, 2 * self.b * r])

    def hess(self, x):
        x, y = as_vector(x, 2)
        return np.array(
            [[2 - 4 * self.b * (y - 3 * x * x), -4 * self.b * x], [-4 * self.b * x, 2 * self.b]]
        )


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

    def __init__(self, n_params, l2, mask=None):
        self.n_params = as_count(n_params, "n_params")
        self.l2 = as_number(l2, "l2", minimum=0)
        mask = np.ones(n_params) if mask is None else as_vector(mask, n_params, "mask", finite=True)
        if len(wrong := mask[~np.isin(mask, (0, 1))]):
            raise ValueError(f"mask must hold 0 and 1 only; got {wrong[0]:g}")
        self.weights = self.l2 * mask

    def fun(self, x):
        x = as_vector(x, self.n_params)
        return 0.5 * float(np.dot(self.weights * x, x)) if self.l2 else 0.0

    def jac(self, x):
        return self.weights * as_vector(x, self.n_params)

    def fun_and_jac(self, x):
        g = self.jac(x)
        return 0.5 * float(np.dot(g, x)) if self.l2 else 0.0, g

    def hess(self, x):
        as_vector(x, self.n_params)
        return np.diag(self.weights)

    def hessp(self, x, p):
        as_vector(x, self.n_params)
        return self.weights * as_vector(p, self.n_params, "p")


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

    def __init__(self, X, y, l2=0.0):
        X, y = as_data(X, y)
        if len(wrong := y[~np.isin(y, (0, 1))]):
            raise ValueError(f"y must hold 0 and 1 only; got {wrong[0]:g}")
        if len(np.unique(y)) < 2:
            raise ValueError(f"y must hold both classes; got only {y[0]:g}, {len(y)} times")
        self._set(X, y, L2(X.shape[1], l2))

    def _set(self, X, y, penalty):
        self.X, self.y, self.penalty = X, y, penalty
        self.n_samples, self.n_params = X.shape

    def subset(self, rows):
        """The same loss on some ``rows``, a list of integers; one class alone is fine there."""
        part = object.__new__(Logistic)
        part._set(*take(self.X, self.y, rows), self.penalty)
        return part

    def fun(self, x):
        return self._value(self._z(x)) + self.penalty.fun(x)

    def jac(self, x):
        return self._gradient(self._z(x)) + self.penalty.jac(x)

    def fun_and_jac(self, x):
        z = self._z(x)
        return self._value(z) + self.penalty.fun(x), self._gradient(z) + self.penalty.jac(x)

    def hess(self, x):
        w = self._curvature(self._z(x))
        return self.X.T @ (w[:, None] * self.X) / self.n_samples + self.penalty.hess(x)  # eq. 18

    def hessp(self, x, p):
        w, p = self._curvature(self._z(x)), as_vector(p, self.n_params, "p")
        return self.X.T @ (w * (self.X @ p)) / self.n_samples + self.penalty.hessp(x, p)

    def predict(self, x, X):
        """Labels 0 or 1, (m,) integers, for the rows of ``X``, (m, n_params)."""
        return (as_table(X, self.n_params) @ as_vector(x, self.n_params) > 0).astype(int)

    def why_no_minimum(self, x):
        # Without a penalty the loss falls for ever along any d whose signed margins are all >= 0
        # and not all 0. Either x is such a d, or a linear programme looks for one. On large data
        # that takes long, so there it must be suggested by a nearly singular Hessian.
        if self.penalty.l2:
            return ""
        signed = (2 * self.y - 1)[:, None] * self.X
        if not (signed @ x).min() > 0:
            if signed.size > 100_000:
                eigenvalues = scipy.linalg.eigvalsh(self.hess(x))
                if eigenvalues[0] > 1e-5 * eigenvalues[-1]:
                    return ""
            for axis in (0, 1):  # the programme's tolerances are absolute; no unit matters here
                signed = signed / np.maximum(np.abs(signed).max(axis, keepdims=True), 1e-300)
            bounds = np.vstack([-signed, signed]), np.repeat([0.0, 1.0], self.n_samples)
            best = scipy.optimize.linprog(-signed.sum(axis=0), *bounds, bounds=(None, None))
            found = best.status == 0 and -best.fun >= 0.5  # a ray would reach 1
            if not found or (signed @ best.x < -1e-9 * (abs(signed) @ abs(best.x))).any():
                return ""  # no ray, or one but for the tolerance
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
