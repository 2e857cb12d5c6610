"""Direction rules that meet the curvature in products alone: Hessian-free, cubic, in a radius.

Each builds a model of the loss in a Krylov space, spanned by g, Hg, H²g, ..., and steps to the
model's minimum. One number says how far the model is to be trusted, λ or σ, and every step
teaches it: did the loss fall as the model had foretold (N&W section 4.1)?
"""

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

from .checks import as_count, as_number
from .directions import Gradient


class Modelled(Gradient):
    """What the three have in common: a model, and a comparison of it with what came of the step.

    ``products`` is the most products with a vector in one iteration.
    """

    scaled, search = True, "backtracking"

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
    curvature ends the iteration, after a step as long as if the curvature were positive.

    Parameters
    ----------
    damping : float
        First λ, > 0; Levenberg and Marquardt's rule adapts it.
    products : int
        Most products with B in one iteration.
    """

    def __init__(self, damping=0.01, products=250):
        super().__init__(products)
        self.damping = as_number(damping, "damping", minimum=0, above=True)

    def __call__(self, loss, x, g):
        self.note, p, r, d = "", np.zeros_like(g), -g, -g
        models = [0.0]
        for i in range(1, self.products + 1):
            Bd = loss.ggnp(x, d) + self.damping * d
            curvature, rr = d @ Bd, r @ r
            if not np.isfinite(curvature):
                self.note = "product not finite: steepest descent"
                p = p if p.any() else -g
                break
            p = p + rr / (abs(curvature) or 1.0) * d
            if curvature <= 0:
                self.note = "negative curvature"
                break
            r = r - rr / curvature * Bd
            models.append(0.5 * p @ (g - r))  # of (B + λI), as g + (B + λI) p = -r
            k = max(10, i // 10)  # Martens, section 4.4: too little progress in the last k steps
            if i > k and models[i - k] - models[i] < -5e-4 * k * models[i]:
                break
            if r @ r <= 1e-20 * (g @ g):
                break
            d = r + r @ r / rr * d
        self.p, self.pHp = p, -p @ (g + r) - self.damping * (p @ p)
        return p

    def product(self, loss, x):
        """d ↦ Bd: inside a radius, which takes the place of λ."""
        return lambda d: loss.ggnp(x, d)

    def update(self, s, g_old, g):
        ratio = self.agreement(s, g_old, g)
        if self.note or ratio < 0.25:
            self.damping *= 1.5
        elif ratio > 0.75:
            self.damping /= 1.5


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
        self.refused += 1
        self.sigma *= 2

    def __call__(self, loss, x, g):
        Q, a, b = self.space = self.space or ([g / np.linalg.norm(g)], [], [])
        size = np.linalg.norm(g)
        while True:
            if a:
                y, self.pHp = self._minimum(a, b[:-1], size)
                left = b[-1] * abs(y[-1])  # the model's gradient, which lies outside the space
                if left <= 0.1 * min(1.0, np.linalg.norm(y)) * size or len(a) == self.products:
                    break
            Hq = loss.hessp(x, Q[-1])  # Lanczos, every vector against all before it, twice
            if not np.isfinite(Hq).all():
                self.note = "product not finite: steepest descent"  # the model without H
                self.p, self.pHp = -g / np.sqrt(self.sigma * size), 0.0
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
        values[np.abs(values) <= 1e-14 * np.abs(values).max()] = 0.0  # rounding, no curvature
        self.low, c = values[0], -size * V[0]
        reach = np.sqrt(self.sigma * size)  # λ exceeds its lower bound by no more than this
        shift = low = max(0.0, -values[0]) + 1e-14 * (np.abs(values).max() + reach)

        def excess(shift):
            return self.sigma * np.linalg.norm(c / (values + shift)) - shift

        if excess(low) > 0:
            shift = brentq(excess, low, low + 2 * reach, xtol=1e-14 * (low + reach))
        y = c / (values + shift)
        if shift == low and values[0] < 0:
            # The hard case: g has next to nothing along the lowest eigenvector. Add it.
            missing = np.sqrt(max(0.0, (shift / self.sigma) ** 2 - y @ y))
            y[0] += missing if y[0] >= 0 else -missing
        return V @ y, float(values @ y**2)

    def update(self, s, g_old, g):
        ratio = self.agreement(s, g_old, g, self.sigma)
        if ratio > 0.9:
            self.sigma /= 2
        elif ratio < 0.1:
            self.sigma *= 2
        self.refused, self.space = 0, None


class TrustRegion(Modelled):
    """The lowest point of another rule's model within a radius, nearly (N&W chapter 4).

    The model is g·s + ½ sᵀBs with the B that ``inner.product`` multiplies with. Steihaug's
    conjugate gradients go down it until they leave the ball or meet negative curvature, and end on
    its rim (N&W algorithm 7.2). The step is taken or refused; refused, the radius shrinks.

    Parameters
    ----------
    inner : direction rule with a ``product``
    radius : float
        The first one.
    """

    restarted = "radius cut"

    def __init__(self, inner, radius):
        super().__init__(products=250)
        self.inner, self.radius, self.refused, self.first = inner, radius, 0, None

    @property
    def fresh(self):  # cut to a quarter so often, a step is lost in x's rounding
        return self.refused >= 30

    def restart(self):
        self.refused += 1
        self.radius = np.linalg.norm(self.p) / 4

    def __call__(self, loss, x, g):
        B, size = self.inner.product(loss, x), np.linalg.norm(g)
        self.first = self.first or size
        enough = min(self.inner.accuracy, np.sqrt(size / self.first)) * size  # superlinear
        self.note, p, r, d = "", np.zeros_like(g), g, -g
        for _ in range(self.products):
            Bd, rr = B(d), r @ r
            curvature = d @ Bd
            if not np.isfinite(curvature):
                self.note, Bd = "product not finite: the model without it", np.zeros_like(d)
                curvature = 0.0
            alpha = rr / curvature if curvature > 0 else np.inf
            rim = _to_the_rim(p, d, self.radius)
            p, r = p + min(alpha, rim) * d, r + min(alpha, rim) * Bd
            if rim <= alpha:
                bend = "negative curvature" if curvature < 0 else f"at the radius {self.radius:.2g}"
                self.note = self.note or bend
                break
            if np.linalg.norm(r) <= enough:
                break
            d = -r + r @ r / rr * d
        self.p, self.Bp = p, r - g
        self.pHp = p @ self.Bp
        return p

    def update(self, s, g_old, g):
        ratio = self.agreement(s, g_old, g)
        if ratio < 0.25:
            self.radius = np.linalg.norm(s) / 4
        elif ratio > 0.75 and self.note:  # the radius was in the way (N&W algorithm 4.1)
            self.radius *= 2
        self.refused = 0
        if isinstance(self.inner, Modelled):
            return
        # No Wolfe condition keeps sᵀy > 0 here: Powell's damping does (N&W procedure 18.2).
        short = 0.8 * self.pHp / max(self.pHp - s @ (g - g_old), 0.8 * self.pHp)
        self.inner.update(s, g_old, short * g + (1 - short) * (g_old + self.Bp))
        self.note = "; ".join(filter(None, (self.note, self.inner.note)))


def _to_the_rim(p, d, radius):
    """The τ >= 0 with ‖p + τd‖ = radius."""
    pd, dd, room = p @ d, d @ d, max(0.0, radius**2 - p @ p)
    return room / (pd + np.sqrt(pd**2 + dd * room))  # pd >= 0 in CG: no cancellation
