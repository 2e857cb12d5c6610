"""Direction rules: where to go from x (Nocedal & Wright, chapters 3, 5, 6 and 7).

A rule is called with the loss, the point and the gradient, and returns p, all (n,). After the step
it is told of it through ``update``; ``restart`` makes it forget. It says ``fresh`` while it has
nothing to forget, and leaves a ``note`` for the trace when it had to bend.
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from ..checks import as_count, as_function, as_number, as_real

EPS = np.finfo(float).eps

STEEPEST = "β = 0: steepest descent"
LEFT_OUT = "pair left out: no positive curvature along the step"


class Gradient:
    """Steepest descent: p = -g (N&W section 2.2)."""

    scaled = False  # is a step of length 1 the natural first trial?
    c2 = 0.1  # of the strong Wolfe conditions: N&W, a nearly exact search where p has no scale
    search, settings = "wolfe", {}  # the step rule unless told, and settings that come with it
    restarted = "restarted from steepest descent"
    fresh, note = True, ""
    accuracy = 0.5  # relative residual at which a step inside a radius ends: products are dear

    def __call__(self, loss, x, g):
        return -g

    def update(self, s, g_old, g):
        pass

    def restart(self):
        self.fresh = True


class Newton(Gradient):
    """p = -H⁻¹g (eq. 1), by Cholesky.

    Where H is not positive definite that step may climb. There each eigenvalue is replaced by its
    absolute value (and at least √ε of the largest), so that p descends, and leaves a saddle along
    the directions of negative curvature (N&W section 3.4, eigenvalue modification). Where H is all
    but 0, as of a saturated loss, no search comes back from so far: -g is tried next.
    """

    scaled, c2, fresh = True, 0.9, False

    def __call__(self, loss, x, g):
        self.note = ""
        if self.fresh:
            return -g
        H = loss.hess(x)
        if not np.isfinite(H).all():
            self.note = "Hessian not finite: steepest descent"
            return -g
        try:
            return -cho_solve(cho_factor(H), g)
        except LinAlgError:
            values, vectors = eigh(H, driver="evd")  # the default's may give up
            sizes = np.abs(values)
            floor = np.sqrt(EPS) * sizes.max() or 1.0
            self.note = f"Hessian not positive definite: smallest eigenvalue {values[0]:.2g}"
            return -vectors @ ((vectors.T @ g) / np.maximum(sizes, floor))

    def update(self, s, g_old, g):
        self.fresh = False

    def product(self, loss, x):
        """d ↦ Hd: the model of the loss at x, for a step inside a radius."""
        return lambda d: loss.hessp(x, d)


def fletcher_reeves(g, g_old, p):
    """β = gᵀg / g_oldᵀg_old, from the gradients ``g`` and ``g_old`` after and before the step along
    ``p``, each (n,): how much the gradient has grown or shrunk (1964; N&W eq. 5.41a).
    """
    return g @ g / (g_old @ g_old)


def polak_ribiere(g, g_old, p):
    """β = gᵀ(g - g_old) / g_oldᵀg_old, for any p: 0 where nothing changed (N&W eq. 5.44)."""
    return g @ (g - g_old) / (g_old @ g_old)


def polak_ribiere_plus(g, g_old, p):
    """Polak and Ribière's β from g, g_old and p, or 0 where it is negative (N&W eq. 5.45)."""
    return max(0.0, polak_ribiere(g, g_old, p))


def hestenes_stiefel(g, g_old, p):
    """β = gᵀy / pᵀy, y = g - g_old: conjugate to p, however p was searched (1952; N&W eq. 5.46)."""
    return g @ (g - g_old) / (p @ (g - g_old))


def dai_yuan(g, g_old, p):
    """β = gᵀg / pᵀy, y = g - g_old: a descent direction wherever pᵀy > 0 (1999; N&W eq. 5.49)."""
    return g @ g / (p @ (g - g_old))


def powell(beta, nu=0.1):
    """``beta``, but 0 where ``|gᵀg_old| >= nu gᵀg``: Powell's restart (1977; N&W eq. 5.52).

    Conjugate gradients on a quadratic are orthogonal; ``nu`` >= 0 says how far from it is too far.
    """
    beta, nu = as_function(beta, "beta"), as_number(nu, "nu", minimum=0)

    def restarting(g, g_old, p):
        return 0.0 if abs(g @ g_old) >= nu * (g @ g) else beta(g, g_old, p)

    return restarting


class NonlinearCG(Gradient):
    """p = -g + βp (N&W algorithm 5.4).

    Parameters
    ----------
    beta : callable
        β from (g, g_old, p), each (n,): a formula above or your own. A direction that would
        climb, or is not finite, gives way to steepest descent.
    """

    def __init__(self, beta=polak_ribiere_plus):
        self.formula = as_function(beta, "beta")
        self.restart()

    def __call__(self, loss, x, g):
        self.note = "" if self.fresh or self.beta else STEEPEST
        self.p = -g if self.fresh else -g + self.beta * self.p
        return self.p

    def update(self, s, g_old, g):
        self.beta = float(as_real(self.formula(g, g_old, self.p), (), "what beta gives"))
        self.fresh = False


class LBFGS(Gradient):
    """p = -Hg with H built from the last ``memory`` >= 1 pairs (s, y) (N&W algorithm 7.4)."""

    scaled, c2, accuracy = True, 0.9, 1e-8

    def __init__(self, memory=10):
        self.memory = as_count(memory, "memory")
        self.pairs = []

    @property
    def fresh(self):
        return not self.pairs

    def __call__(self, loss, x, g):
        p = -g
        if self.fresh:
            return p
        alphas = []
        for s, y, rho in reversed(self.pairs):
            alphas.append(rho * (s @ p))
            p = p - alphas[-1] * y
        s, y, rho = self.pairs[-1]
        p = p / (rho * (y @ y))  # N&W eq. 7.20: the size of the inverse Hessian along y
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            p = p + (alpha - rho * (y @ p)) * s
        return p

    def update(self, s, g_old, g):
        y = g - g_old
        sy = s @ y
        if not sy > curvature_floor(s, g_old, g):
            self.note = LEFT_OUT
            return
        self.pairs, self.note = [*self.pairs, (s, y, 1 / sy)][-self.memory :], ""

    def product(self, loss, x):
        """d ↦ Bd with B = H⁻¹, the pairs unrolled (N&W procedure 7.6)."""
        if self.fresh:
            return lambda d: d
        s, y, rho = self.pairs[-1]
        scale, parts = rho * (y @ y), []

        def times(d):
            return scale * d + sum((y @ d) * y - (z @ d) * z for y, z in parts)

        for s, y, rho in self.pairs:
            z = times(s)
            parts.append((np.sqrt(rho) * y, z / np.sqrt(s @ z)))
        return times

    def restart(self):
        self.pairs = []


class BFGS(Gradient):
    """p = -Hg with a dense approximation H of the inverse Hessian (N&W algorithm 6.1).

    The first pair gives H its size (N&W eq. 6.20), which is that of the steepest directions. A
    later one that meets less curvature than H believes makes H larger first, as long as there
    are fewer pairs than parameters (Oren and Luenberger 1974): flat directions are waiting.
    """

    scaled, c2, accuracy = True, 0.5, 1e-8

    def __init__(self):
        self.restart()

    def __call__(self, loss, x, g):
        return -g if self.fresh else -self.H @ g

    @property
    def fresh(self):
        return not self.pairs

    def update(self, s, g_old, g):
        y = g - g_old
        sy = s @ y
        if not sy > curvature_floor(s, g_old, g):
            self.note = LEFT_OUT
            return
        self.note = ""
        if self.fresh:
            self.H = np.eye(len(s)) * sy / (y @ y)  # N&W eq. 6.20
        elif self.pairs < len(s):
            self.H *= max(1.0, sy / (y @ self.H @ y))  # Oren and Luenberger 1974
        # N&W eq. 6.17, H <- (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ, multiplied out
        rho, Hy = 1 / sy, self.H @ y
        sHy = np.outer(s, Hy)
        self.H = self.H - rho * (sHy + sHy.T) + rho * (1 + rho * (y @ Hy)) * np.outer(s, s)
        self.pairs = self.pairs + 1 if np.isfinite(self.H).all() else 0  # 1 / sy may overflow

    def product(self, loss, x):
        """d ↦ Bd with B = H⁻¹."""
        if self.fresh:
            return lambda d: d
        B = np.linalg.pinv(self.H, hermitian=True)
        return lambda d: B @ d

    def restart(self):
        self.H, self.pairs = None, 0


def curvature_floor(s, g_old, g):
    """What the rounding of both gradients may add to s·y: a pair below it would spoil H.

    Both sides of the comparison are products of a step and a gradient, so that no unit of either
    makes a difference.
    """
    return EPS * (np.abs(s) @ (np.abs(g_old) + np.abs(g)))


DIRECTIONS = {
    "gradient": Gradient,
    "newton": Newton,
    "nlcg": NonlinearCG,
    "bfgs": BFGS,
    "lbfgs": LBFGS,
}
