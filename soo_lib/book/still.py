"""The panels of an explorer, standing still: what paper shows, and a page without scripts."""

import numpy as np

from ..plots import BLUE, GREY, ORANGE, PINK, solver_look

GRID = 500  # contours are rounded to this fraction of their box


def draw_panel(panel, state, ax):
    """A panel of an explorer and its state, standing still (:mod:`soo_lib.book.explore`)."""
    {"lines": _lines, "plane": _plane, "image": _image}[panel["kind"]](ax, panel, state)


def _lines(ax, panel, state):
    runs = state.runs[-1:] if state.per_frame else state.runs
    for run in runs:
        look = {"ls": "", "marker": "o"} if panel["dots"] else {"ls": solver_look(run["label"])[1]}
        ax.plot(
            run[panel["x"][0]],
            run[panel["y"]],
            **look,
            color=run["color"],
            ms=3.5,
            lw=1.4,
            label=run["label"],
        )
    if state.level is not None:
        ax.axhline(state.level, color=GREY, ls="--", lw=1)
    symmetric = {} if isinstance(panel["scale"], str) else {"linthresh": panel["scale"]}
    ax.set_yscale("symlog" if symmetric else panel["scale"], **symmetric)
    ax.set(xlabel=panel["xlabel"] or panel["x"][0], ylabel=panel["ylabel"], ylim=panel["ylim"])


def _plane(ax, panel, state):
    span = [np.ptp(panel["xlim"]), np.ptp(panel["ylim"])]
    for curve in filter(None, (state.contours or "").split("|")):
        points = np.cumsum(np.array(curve.split(), dtype=int).reshape(-1, 2), axis=0) / GRID
        ax.plot(*(points * span + [panel["xlim"][0], panel["ylim"][0]]).T, color="#9A9A9A", lw=0.5)
    if state.points is not None:
        x, y, kind = np.asarray(state.points)
        ax.scatter(x, y, s=10, c=[(BLUE, ORANGE, PINK)[int(k)] for k in kind], lw=0)
    for run in state.runs:
        names = panel["path"] or panel["cloud"]
        if names:
            dash = solver_look(run["label"])[1] if panel["path"] else ""
            ax.plot(run[names[0]], run[names[1]], "o", ls=dash, color=run["color"], ms=3, lw=1)
        if panel["boundary"]:
            b, u, v = (run[name][-1] for name in panel["boundary"])
            ends = np.array(panel["xlim"])
            ax.plot(ends, -(b + u * ends) / v, color=run["color"], lw=1)
    ax.set(xlim=panel["xlim"], ylim=panel["ylim"], xlabel=panel["xlabel"], ylabel=panel["ylabel"])


def _image(ax, panel, state):
    M = state.image[-1]
    limit = np.abs(M).max()
    look = ("RdBu_r", -limit) if M.min() < 0 else ("Blues", 0)
    ax.imshow(M, cmap=look[0], vmin=look[1], vmax=limit)
    ax.set(title=panel["title"], xlabel=panel["columns"], ylabel=panel["rows"])
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
