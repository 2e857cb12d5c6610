"""The live picture of what BFGS learns of the curvature, step by step."""

import matplotlib.pyplot as plt
import numpy as np

from ..plots import BLUE, contours, solver_color
from ..solvers import BFGS
from .live import WEB, Live, joined
from .quadratic import Quadratic

VISITS = np.array([[-1.5, 0.4], [-0.9, 1.0], [-0.2, 0.3], [0.4, 0.9], [0.9, 0.2]])


class Turned(Quadratic):
    """½ xᵀAx with the eigenvalues 1 and ``steepness``, the first 30 degrees above the axis."""

    def __init__(self, steepness=12.0):
        c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
        Q = np.array([[c, -s], [s, c]])
        super().__init__(Q @ np.diag([1.0, steepness]) @ Q.T)


class Learning(Live):
    """Steps in the plane, chosen by hand or by the method; the ellipse that BFGS learns from them.

    The state of its controls, the steps among them, is a part of the page's address.
    """

    _esm = joined("learning")
    _css = Live._css + (WEB / "explorers" / "learning.css").read_text("utf-8")
    caption = "Each step teaches BFGS one product with the Hessian."
    on_paper = (
        "the curvature of a quadratic (blue ellipse) and what BFGS believes of it (pink) before a "
        "step and after one, two and four steps that somebody chose."
    )

    def still(self):
        """The pictures of the caption, as a matplotlib figure."""
        loss, rule = Turned(), BFGS()
        figure, axes = plt.subplots(
            2, 2, figsize=(5.6, 5.6), sharex=True, sharey=True, layout="constrained"
        )
        for k, ax in enumerate(axes.flat):
            seen = VISITS[: [1, 2, 3, 5][k]]
            while rule.pairs < len(seen) - 1:
                x, new = VISITS[rule.pairs : rule.pairs + 2]
                rule.update(new - x, loss.jac(x), loss.jac(new))
            H = np.eye(2) if rule.fresh else rule.H
            contours(loss, (-2, 2), (-2, 2), ax=ax, levels=10)
            ax.plot(*seen.T, "o-", color="black", ms=3, lw=1)
            for inverse, color in ((np.linalg.inv(loss.A), BLUE), (H, solver_color("bfgs"))):
                ax.plot(*ellipse(seen[-1], inverse), color=color, lw=1.8)
            ax.set(title=("no step", "1 step", "2 steps", "4 steps")[k], aspect="equal")
        return figure


def ellipse(centre, inverse, size=0.9):
    """The points v around ``centre`` with vᵀBv = size², B the inverse of ``inverse``: (2, 90)."""
    t = np.linspace(0, 2 * np.pi, 90)
    return centre[:, None] + size * np.linalg.cholesky(inverse) @ np.array([np.cos(t), np.sin(t)])
