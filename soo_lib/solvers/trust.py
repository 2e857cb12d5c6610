"""A radius instead of a length: the lowest point of a method's own model inside a ball.

Which direction a step takes then depends on how long it may be, from steepest descent in a small
ball to the method's own step in a large one.
"""

from functools import partial

import numpy as np
from scipy import linalg

from .krylov import Modelled

norm = partial(linalg.norm, check_finite=False)  # forms no square, which may be 0 or infinite


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
        self.inner, self.first, self.refused = inner, None, 0
        self.radius = np.clip(radius, 1e-150, 1e150)  # its square is a number

    @property
    def fresh(self):  # cut until a step is lost in x's rounding, or for ever, or is no number
        lost = np.array_equal(self.x + self.p, self.x) or not np.isfinite(self.p).all()
        return self.refused >= 500 or (self.refused > 0 and lost)

    def restart(self):
        self.refused += 1
        self.radius = norm(self.p) / 4

    def __call__(self, loss, x, g):
        B, size = self.inner.product(loss, x), norm(g)
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
            if norm(r) <= enough:
                break
            d = -r + r @ r / rr * d
        self.x, self.p, self.Bp = x, p, r - g
        self.pHp = p @ self.Bp
        return p

    def update(self, s, g_old, g):
        ratio = self.agreement(s, g_old, g)
        if ratio < 0.25:
            self.radius = norm(s) / 4
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
    far, size = norm(p), norm(d)
    room, along = np.sqrt(max(0.0, radius - far)) * np.sqrt(radius + far), p @ (d / size)
    return room / size * (room / (along + np.hypot(along, room)))  # p·d >= 0 in CG: no cancellation
