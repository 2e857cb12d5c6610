"""Direction rules that meet the curvature in products alone: Hessian-free, and cubic (ARC).

Each builds a model of the loss in a Krylov space, spanned by g, Hg, H²g, ..., and steps to the
model's minimum. One number says how far the model is to be trusted, λ or σ, and every step
teaches it: did the loss fall as the model had foretold (N&W section 4.1)?
"""

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

from ..checks import as_count, as_function, as_number, as_vector
from .directions import EPS, Gradient

TINY = np.finfo(float).tiny


class Modelled(Gradient):
    """What they have in common: a model, and a comparison of it with what came of the step.

    ``products`` is the most products with a vector in one iteration.
    """

    scaled, c2, search = True, 0.9, "backtracking"

    def __init__(self, products):
        self.products = as_count(products, "products")

    def agreement(self, s, g_old, g, cubic=0.0):
        """The loss's change along the step s over the model's.

        The change is read off the slopes at both ends, s·(g_old + g)/2. That is exact for a
        quadratic loss, and does not drown in rounding near the minimum as a difference would.
        ``s``, ``g_old`` and ``g`` are (n,); ``cubic`` is σ, where the model has one.
        """
        part = (s @ self.p) / (self.p @ self.p)  # of the step p, after a line search
        model = g_old @ s + 0.5 * part**2 * self.pHp + cubic / 3 * np.linalg.norm(s) ** 3
        return 0.5 * s @ (g_old + g) / model if model < 0 else -np.inf


class HessianFree(Modelled):
    """p ≈ -(B + λI)⁻¹g by conjugate gradients (Martens 2010), B the Gauss-Newton matrix.

    Where the loss knows no Gauss-Newton matrix, B is its Hessian. A direction d with negative
    curvature ends the iteration, after a step as long as if the curvature were positive. Where B is
    not the Hessian at the minimum, the last digits cost many products: they come linearly.

    Parameters
    ----------
    damping : float
        First λ, > 0; Levenberg and Marquardt's rule adapts it.
    products : int
        Most products with B in one iteration.
    preconditioner : callable, optional
        ``preconditioner(x, λ)`` returns the diagonal of P, (n,), > 0, and CG runs in p = P x:
        ``partial(martens, loss)``, of :func:`soo_lib.curvature.martens`, is section 4.7's.
    warm : float
        CG starts from that share of the last direction, 0 to 1, if the model is lower there than
        at 0 (section 4.5).
    backtrack : bool
        Go back along CG's path while that lowers the loss itself (section 4.6); each point looked
        at is an evaluation.
    """

    def __init__(self, damping=0.01, products=250, preconditioner=None, warm=0.0, backtrack=False):
        super().__init__(products)
        self.damping = as_number(damping, "damping", minimum=0, above=True)
        self.preconditioner, self.backtrack, self.p = preconditioner, bool(backtrack), None
        if preconditioner is not None:
            as_function(preconditioner, "preconditioner")
        self.warm = as_number(warm, "warm", minimum=0)
        if self.warm > 1:
            raise ValueError(f"warm must be a share, at most 1; got {warm!r}")

    def restart(self):
        self.p = None

    def __call__(self, loss, x, g):
        M = self._squared(x)
        p, r, model = self._start(loss, x, g)
        d = z = r / M
        models, path, top = [model], [], 0.0
        self.note, few = "", min(10, max(3, len(g) // 10))
        for i in range(1, self.products + 1):
            if self.backtrack and i > 1.3 ** len(path):
                path.append((p, r))
            Bd = loss.ggnp(x, d) + self.damping * d
            curvature, rz = d @ Bd, r @ z
            top = max(top, curvature / (d @ d))
            if not np.isfinite(curvature):
                self.note = "product not finite: steepest descent"
                p = p if p.any() else -g
                break
            p = p + rz / (abs(curvature) or 1.0) * d
            if curvature <= 0:
                self.note = "negative curvature"
                break
            r = r - rz / curvature * Bd
            z = r / M
            models.append(0.5 * p @ (g - r))  # of (B + λI), as g + (B + λI) p = -r
            # Martens, section 4.4: too little progress in the last k steps, 10 where n is large
            k = max(few, i // 10)
            if i > k and models[i - k] - models[i] < -5e-4 * k * models[i]:
                break
            if r @ r <= 1e-20 * (g @ g):
                break
            d = z + r @ z / rz * d
        if path and not self.note:
            p, r = self._lowest(loss, x, path, p, r)
        self.p, self.pHp = p, -p @ (g + r) - self.damping * (p @ p)
        self.least = 1e-6 * EPS * top  # far below the rounding of any product: as good as 0
        return p

    def _start(self, loss, x, g):
        """Where CG starts, its residual and the model there: 0, or on the way of the last one."""
        if self.warm and self.p is not None:
            p = self.warm * self.p
            r = -g - loss.ggnp(x, p) - self.damping * p
            if (model := 0.5 * p @ (g - r)) < 0:
                self.fresh = False
                return p, r, model
        self.fresh = True
        return np.zeros_like(g), -g, 0.0

    def _lowest(self, loss, x, path, p, r):
        """Back from p on CG's ``path`` as long as the loss falls, and the residual there."""
        f = loss.fun(x + p)
        for before, residual in reversed(path):
            if not (f_before := loss.fun(x + before)) < f:
                break
            p, r, f = before, residual, f_before
        return p, r

    def _squared(self, x):
        """M = PᵀP, (n,), or 1."""
        if self.preconditioner is None:
            return 1.0
        P = as_vector(self.preconditioner(x, self.damping), len(x), "P", finite=True)
        if P.min() <= 0:
            raise ValueError(f"preconditioner must return a P > 0; got {P.min():g}")
        return P**2

    def product(self, loss, x):
        """d ↦ Bd: inside a radius, which takes the place of λ."""
        return lambda d: loss.ggnp(x, d)

    def update(self, s, g_old, g):
        ratio = self.agreement(s, g_old, g)
        least = min(self.damping, self.least)
        if self.note or ratio < 0.25:
            self.damping *= 1.5
        elif abs(ratio - 1) < 0.05:  # the model is as good as the loss: λ only delays
            self.damping = max(self.damping / 10, least)
        elif ratio > 0.75:
            self.damping = max(self.damping / 1.5, least)


class Cubic(Modelled):
    """The minimum of g·s + ½ sᵀHs + σ/3 ‖s‖³: adaptive regularisation with cubics.

    Cartis, Gould and Toint (2011). The step is taken or refused; refused, σ is doubled and the
    minimum in the same Krylov space taken again, which costs no product.

    Parameters
    ----------
    sigma : float
        First σ, > 0.
    products : int
        Most products with H in one iteration.
    """

    restarted = "σ raised"
    settings = {"max_trials": 1}

    def __init__(self, sigma=1.0, products=100):
        super().__init__(products)
        self.sigma = as_number(sigma, "sigma", minimum=0, above=True)
        self.refused, self.space = 0, None

    @property
    def fresh(self):  # after so many doublings the step is all but along -g, and tiny
        return self.refused >= 60

    def restart(self):
        self._rescale(2, least=1e-8 * self.top / np.linalg.norm(self.p))
        self.refused += 1

    def _rescale(self, factor, least=0.0):
        self.sigma = min(max(self.sigma * factor, least, 1e-100), 1e100)

    def __call__(self, loss, x, g):
        Q, a, b = self.space = self.space or ([g / np.linalg.norm(g)], [], [])
        size = np.linalg.norm(g)
        while True:
            if a:
                y, self.pHp = self._minimum(a, b[:-1], size)
                left = b[-1] * abs(y[-1])  # the model's gradient, which lies outside the space
                near = left <= 0.1 * min(1.0, np.linalg.norm(y)) * size
                if near or b[-1] == 0 or len(a) == self.products or not np.isfinite(y).all():
                    break
            Hq = loss.hessp(x, Q[-1])  # Lanczos, every vector against all before it, twice
            if not np.isfinite(np.linalg.norm(Hq)):
                self.note = "product not finite: steepest descent"  # the model without H
                self.p, self.pHp, self.top = -g / np.sqrt(self.sigma * size), 0.0, 0.0
                return self.p
            a.append(Q[-1] @ Hq)
            for q in 2 * Q:
                Hq = Hq - (q @ Hq) * q
            b.append(np.linalg.norm(Hq))
            if b[-1] <= 1e-12 * np.abs(a).max():
                b[-1] = 0.0  # the space is closed
            else:
                Q.append(Hq / b[-1])
        self.note = "negative curvature" if self.low < 0 else ""
        self.p = np.einsum("i,ij->j", y, Q[: len(y)])
        return self.p

    def _minimum(self, a, b, size):
        """Where size·y₁ + ½ yᵀTy + σ/3 ‖y‖³ is lowest, and yᵀTy there; T tridiagonal.

        There (T + λI) y = -size·e₁ with λ = σ‖y‖ and T + λI positive semi-definite.
        """
        values, V = eigh_tridiagonal(a, b)
        self.top = np.abs(values).max()
        values[np.abs(values) <= EPS * self.top] = 0.0  # rounding, no curvature
        self.low, c = values[0], -size * V[0]
        reach = np.sqrt(self.sigma * size)  # λ exceeds its lower bound by no more than this
        shift = low = max(0.0, -values[0]) + EPS * (self.top + reach)

        def excess(shift):
            return self.sigma * np.linalg.norm(c / (values + shift)) - shift

        if excess(low) > 0:
            shift = brentq(excess, low, low + 2 * reach, xtol=1e-14 * (low + reach) or TINY)
        y = c / (values + shift)
        if shift == low and values[0] < 0:
            # The hard case: g has next to nothing along the lowest eigenvector. Add it.
            missing = np.sqrt(max(0.0, (shift / self.sigma) ** 2 - y @ y))
            y[0] += missing if y[0] >= 0 else -missing
        return V @ y, float(values @ y**2)

    def update(self, s, g_old, g):
        ratio, length = self.agreement(s, g_old, g, self.sigma), np.linalg.norm(s)
        if ratio > 0.9:  # on a loss that is quadratic σ only delays; below `least` it is lost
            quadratic = abs(self.agreement(s, g_old, g) - 1) < 1e-4
            self._rescale(0.1 if quadratic else 0.5, least=EPS * self.top / length)
        elif ratio < 0.1:
            self._rescale(2)
        self.refused, self.space = 0, None
