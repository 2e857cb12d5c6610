"""The batch: a live picture of what a solver makes of a sample of the rows."""

import matplotlib.pyplot as plt
import numpy as np
import traitlets

from ..checks import as_count
from ..datasets import make_two_class
from ..losses import Batched, Logistic, Reshuffled, partition
from ..plots import BLUE, GREY, ORANGE, solver_color
from ..solvers import minimize
from .live import METHODS, Live, joined


class Batches(Live):
    """Logistic regression whose solver is shown batches, on the points of the book's chapters.

    Boundary and loss follow the batch size while the reader slides it. The state of the controls
    is a part of the page's address, so a link opens the same run.

    Parameters
    ----------
    method : str
        The first solver: "gradient", "newton", "nlcg", "bfgs", "lbfgs".
    batch_size, n_batches : int
        Rows in a batch, 1 to 800, and batches, 1 to 80; no more are shown than cover the rows.
    reshuffled : bool
        New batches at every evaluation; else a partition's first.

    Raises
    ------
    ValueError
        If an argument is none of these.
    """

    _esm = joined("batch")
    on_paper = (
        "six draws, the first in colour; left the boundaries where they end, right the full loss "
        "on the way there. Dashed: the minimum."
    )
    points = traitlets.List().tag(sync=True)
    first = traitlets.Dict().tag(sync=True)

    def __init__(self, method="lbfgs", batch_size=10, n_batches=50, reshuffled=True):
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
        data = make_two_class(seed=0)
        self.X, self.y = data.X_train.round(3), data.y_train
        as_count(batch_size, "batch_size", maximum=len(self.y))
        rows = "reshuffled" if reshuffled else "fixed"
        first = {
            "method": method,
            "batch_size": batch_size,
            "rows": rows,
            "n_batches": as_count(n_batches, "n_batches", maximum=80),
        }
        x1, x2 = self.X[:, 1:].T.tolist()
        super().__init__(points=[x1, x2, self.y.tolist()], first=first)
        count = min(n_batches, -(-len(self.y) // batch_size))
        batches = f"one {rows} batch" if count == 1 else f"{count} {rows} batches"
        seen = f"{batches} of {batch_size} of the {len(self.y)} rows"
        if batch_size == len(self.y):
            seen = f"all {batch_size} rows"
        self.caption = f"At first: {method}, with a strong Wolfe search, on {seen}."

    def still(self):
        """The caption's six runs, as a matplotlib figure."""
        full, x0, size = Logistic(self.X, self.y), np.zeros(3), self.first["batch_size"]
        count, method = self.first["n_batches"], self.first["method"]
        best = minimize(full, x0)
        figure, (plane, chart) = plt.subplots(1, 2, figsize=(7.2, 3.7), layout="constrained")
        for k, (color, mark) in enumerate(((BLUE, "o"), (ORANGE, "^"))):
            plane.scatter(*self.X[self.y == k, 1:].T, s=9, c=color, marker=mark, lw=0, alpha=0.6)
        height, look = np.geomspace(0.1, 160, 121), dict(color="black", lw=2.2)
        for seed in range(6)[::-1]:
            if self.first["rows"] == "reshuffled":
                shown = Reshuffled(full, size, min(count, -(-len(self.y) // size)), seed)
            else:
                shown = Batched(full, partition(len(self.y), size, seed)[:count])
            trace = minimize(shown, x0, method, maxiter=50, max_trials=10).trace
            b, w1, w2 = trace.x[-1]
            plane.plot(
                -(b + w2 * height) / (w1 or 1e-9),
                height,
                **(dict(color=GREY, lw=1) if seed else look),
            )
            chart.plot(
                [full.fun(x) for x in trace.x],
                lw=1 if seed else 2,
                color=GREY if seed else solver_color(method),
            )
        b, w1, w2 = best.x
        plane.plot(-(b + w2 * height) / w1, height, "k--", lw=1.2)
        chart.axhline(best.fun, color="black", ls="--", lw=1.2)
        plane.set(xlim=(-3.4, 5.4), ylim=(0.1, 160), yscale="log", xlabel="$x_1$", ylabel="$x_2$")
        chart.set(xlabel="iterations", ylabel="full loss")
        return figure
