"""Live pictures: the page computes, with no kernel, what :mod:`soo_lib` computes elsewhere.

The engine in ``web/live`` is the ground floor once more, in JavaScript, and is tested against it
iterate by iterate. A notebook's widget is one text, so its modules are joined.
"""

import re
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

from ..network import Network
from ..plots import BLUE, ORANGE
from ..solvers import minimize

WEB = Path(__file__).parent / "web"
ENGINE = (
    "linalg losses sampling network gradient_test directions line_search trace solvers rules "
    "spectrum datasets draw controls"
)


LEFT_OUT = re.compile(r"^ *(import .*|//.*|/\*\*.*|\* .*)?\n|^ +|^export (?!default)", re.MULTILINE)


def joined(*names):
    """Modules as one text, each after those that it imports from; imports and comments dropped."""
    return LEFT_OUT.sub("", "\n".join((WEB / f"{name}.js").read_text("utf-8") for name in names))


class Live(anywidget.AnyWidget):
    """A widget after a still picture, for paper and for pages without scripts; a caption below."""

    _css = "\n".join((WEB / name).read_text("utf-8") for name in ("explorer.css", "live/live.css"))

    def _ipython_display_(self):
        """The still figure, which the widget hides once it stands; the widget; the caption."""
        figure = self.still()
        display(figure)
        plt.close(figure)
        display(super()._repr_mimebundle_()[0], raw=True)
        display(HTML(f'<p class="soo-explorer-caption">{self.caption}</p>'))


class Playground(Live):
    """Two solvers teach a network points in the plane, side by side from one start.

    The state of its controls is a part of the page's address, so a link opens the same run.
    """

    _esm = joined(*(f"live/{name}" for name in ENGINE.split()), "playground")
    caption = (
        "Two solvers from one start. On paper: what a net of 2-8-8-2 tanh units says of the plane "
        "after 30 iterations of L-BFGS (left) and of gradient descent (right), both with a strong "
        "Wolfe search."
    )

    def still(self):
        """The two nets of the caption, as a matplotlib figure."""
        X, y = _moons(150, noise=0.25, seed=1)
        net = Network([2, 8, 8, 2], activation="tanh")
        loss, x0 = net.loss(X, y, l2=1e-4), net.init(1)
        u = np.linspace(-3.2, 3.2, 90)
        plane = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)
        figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.7), sharey=True)
        for ax, method in zip(axes, ("lbfgs", "gradient")):
            found = minimize(loss, x0, method, maxiter=30)
            Z = net.forward(net.unpack(found.x), plane)[-1]
            ax.contourf(u, u, (Z[:, 1] - Z[:, 0]).reshape(90, 90), [-99, -2, 0, 2, 99], alpha=0.45,
                        colors=[BLUE, "#9CC4DE", "#EDB88F", ORANGE])  # fmt: skip
            for k, (color, mark) in enumerate(((BLUE, "o"), (ORANGE, "^"))):
                ax.scatter(*X[y == k].T, s=12, c=color, marker=mark, lw=0.4, ec="w")
            ax.set(title=f"{method}: loss {found.fun:.3f}", xlabel="x", aspect="equal")
            ax.grid(False)
        axes[0].set_ylabel("y")
        return figure


def _moons(m, noise, seed):
    """Two arcs that reach into each other, as the page draws them, from numpy's own seed."""
    rng = np.random.default_rng(seed)
    y, t = np.arange(m) % 2, np.pi * rng.random(m)
    side = np.where(y, 1, -1)
    X = side[:, None] * (np.c_[0.9 - 1.6 * np.cos(t), 0.7 - 1.7 * np.sin(t)])
    return X + noise * rng.normal(size=X.shape), y
