"""Live pictures: the page computes, with no kernel, what :mod:`soo_lib` computes elsewhere.

The engine in ``web/live`` is the ground floor once more, in JavaScript, with its files and names,
and is tested against it iterate by iterate; ``web/draw`` draws; ``web/explorers`` holds the
pictures. A notebook's widget is one text, so its modules are joined.
"""

import re
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from IPython.display import HTML, display

from .. import plots
from ..checks import as_number, as_vector
from ..losses import Network, Rosenbrock
from ..plots import BLUE, ORANGE
from ..solvers import minimize

WEB = Path(__file__).resolve().parent / "web"
METHODS = "gradient", "newton", "nlcg", "bfgs", "lbfgs"
STEP_RULES = "fixed", "backtracking", "wolfe"
RANGES = {"step": (1e-4, 10), "a": (-1.4, 1.4), "b": (0.1, 1000), "x": (-2, 2), "y": (-1.1, 2.1)}

IMPORTS = re.compile(r'^import [^;]* from "(.*)";$', re.MULTILINE)
LEFT_OUT = re.compile(
    r"^import [^;]*;\n|^ *(//.*|/\*\*.*|\*[ /].*)?\n|^ +|^export (?!default)", re.MULTILINE
)


def joined(name):
    """A module of explorers/ and all that it imports from as one text, without its comments."""
    texts = {}

    def visit(path):
        text = path.read_text("utf-8")
        for other in IMPORTS.findall(text):
            if (path.parent / other).resolve() not in texts:
                visit((path.parent / other).resolve())
        texts[path] = text  # after those that it imports from

    visit(WEB / "explorers" / f"{name}.js")
    return LEFT_OUT.sub("", "\n".join(texts.values()))


class Live(anywidget.AnyWidget):
    """A widget after a still picture, for paper and for pages without scripts; a caption below.

    What ``on_paper`` says of the still picture is seen where that is.
    """

    _css = "\n".join(
        (WEB / name).read_text("utf-8") for name in ("explorers/explorer.css", "draw/live.css")
    )

    def _ipython_display_(self):
        """The still figure, which the widget hides once it stands; the widget; the caption."""
        figure = self.still()
        display(figure)
        plt.close(figure)
        display(super()._repr_mimebundle_()[0], raw=True)
        told = f'{self.caption} <span class="on-paper">On paper: {self.on_paper}</span>'
        display(HTML(f'<p class="soo-explorer-caption">{told}</p>'))


class Valley(Live):
    """Solvers on a loss of two variables, run to the end at every move of the reader's hand.

    Level curves, paths, Newton's model, the line search and the descent, all at once; the state of
    its controls is a part of the page's address. The arguments say what comes first.

    Parameters
    ----------
    method : {"newton", "gradient", "nlcg", "bfgs", "lbfgs"}
        The solver that is watched.
    line_search : {"wolfe", "backtracking", "fixed"}
    step : float
        From 1e-4 to 10: the fixed step, or a search's first trial.
    start : sequence of 2 floats
        From -2 to 2, and from -1.1 to 2.1.
    a, b : float
        Of :class:`soo_lib.losses.Rosenbrock`: from -1.4 to 1.4, from 0.1 to 1000.
    race : bool
        All five solvers, or the watched one alone.

    Raises
    ------
    ValueError
        If an argument is none of these.
    """

    _esm = joined("valley")
    on_paper = "their paths over its level curves, and their losses against iterations."
    first = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        method="newton",
        line_search="wolfe",
        step=1.0,
        start=(-1.4, 1.8),
        a=1.0,
        b=50.0,
        race=True,
    ):
        for name, value, known in (
            ("method", method, METHODS),
            ("line_search", line_search, STEP_RULES),
        ):
            if str(value) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
        x, y = as_vector(start, 2, "start", finite=True)
        first = {"step": step, "a": a, "b": b, "x": x, "y": y}
        for name, (low, high) in RANGES.items():
            first[name] = as_number(first[name], name)
            if not low <= first[name] <= high:
                raise ValueError(f"{name} must be from {low:g} to {high:g}; got {first[name]!r}")
        self.loss, self.start = Rosenbrock(a, b), [x, y]
        self.methods = METHODS if race else [method]
        self.rule = {"line_search": line_search, "step": step, "gtol": 1e-6}
        who = "all five" if race else "this one alone"
        super().__init__(first={**first, "method": method, "line_search": line_search, "race": who})
        self.caption = (
            f"At first: {'five solvers leave' if race else f'{method} leaves'} ({x:g}, {y:g}) on "
            f"Rosenbrock's function with a = {a:g} and b = {b:g}; step rule: {line_search}."
        )

    def still(self):
        """The first state, as a matplotlib figure."""
        runs = {
            name: minimize(self.loss, self.start, name, **self.rule, maxiter=3000)
            for name in self.methods
        }
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.7), layout="constrained")
        plots.contours(self.loss, (-2, 2), (-1.1, 2.1), ax=left)
        for name, run in runs.items():
            plots.path(run, name, ax=left, ms=2)
        left.plot(*self.start, "o", color="black", mfc="white", ms=8)
        left.plot(self.loss.a, self.loss.a**2, "*", color="black", ms=10)
        plots.convergence(runs, ax=right)
        ends = sorted(run.nit for run in runs.values())
        right.set(xlim=(0, 3 * ends[len(ends) // 2 + len(ends) // 4]), ylim=(1e-14, 1e4))
        return figure


class Playground(Live):
    """Two solvers teach a network points in the plane, side by side from one start.

    The state of its controls is a part of the page's address, so a link opens the same run.
    """

    _esm = joined("playground")
    caption = "Two solvers teach one network the same points, from one start."
    on_paper = (
        "what a net of 2-8-8-2 tanh units says of the plane after 30 iterations of L-BFGS (left) "
        "and of gradient descent (right), both with a strong Wolfe search."
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
            ax.contourf(
                u,
                u,
                (Z[:, 1] - Z[:, 0]).reshape(90, 90),
                [-99, -2, 0, 2, 99],
                alpha=0.45,
                colors=[BLUE, "#9CC4DE", "#EDB88F", ORANGE],
            )
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
