"""Explorers: move a control and the mathematics moves, with a kernel or without one.

An explorer is a function, the choices for each of its arguments, and the panels that draw what it
returns. Every combination is computed beforehand and travels with the page as numbers, so a
published page needs no kernel. In a notebook the same widget computes any other choice.

What the function returns is a :class:`State`.
"""

import inspect
import itertools
from base64 import b64encode
from io import BytesIO
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from contourpy import contour_generator
from PIL import Image

from .. import plots
from .batch import Batches  # noqa: F401  the live pictures are found here beside Explorer
from .live import Live, Playground, Valley, joined  # noqa: F401
from .precompute import State, pack, precompute  # noqa: F401  and what compute returns
from .still import GRID, draw_panel


def lines(y, ylabel, x=plots.AXES, xlabel="", scale="log", ylim=None, dots=False):
    """A panel of columns against a column; ``x`` a list: the reader switches between them.

    ``scale`` is "linear", "log", or a number: logarithmic on both sides of 0, linear within it.
    """
    return {
        "kind": "lines",
        "y": y,
        "ylabel": ylabel,
        "x": [x] if isinstance(x, str) else list(x),
        "xlabel": xlabel,
        "scale": scale,
        "ylim": ylim,
        "dots": dots,
    }


def plane(xlabel, ylabel, xlim, ylim, path=None, cloud=None, boundary=None, classes=()):
    """A panel of the plane: contours, points, and of the columns named

    a ``path`` (x, y), a ``cloud`` (x, y), or a ``boundary`` (b, u, v): the line b + ux + vy = 0.
    ``classes`` name the state's ``points``.
    """
    return {
        "kind": "plane",
        "xlabel": xlabel,
        "ylabel": ylabel,
        "xlim": xlim,
        "ylim": ylim,
        "path": path,
        "cloud": cloud,
        "boundary": boundary,
        "classes": classes,
    }


def image(title, columns, rows="", scale="linear"):
    """A panel of the state's ``image``: what its columns and rows are in words.

    Without ``rows`` its entries are counted through, and ``columns`` says what each is.
    """
    return {"kind": "image", "title": title, "rows": rows, "columns": columns, "scale": scale}


def pictures(title, pixels, truth, names):
    """A panel of square pictures, pixels from 0 to 255 a row, beside the state's ``answers``."""
    side, sources = int(np.sqrt(pixels.shape[1])), []
    for row in pixels:
        Image.fromarray(row.reshape(side, side).astype(np.uint8)).save(file := BytesIO(), "png")
        sources.append("data:image/png;base64," + b64encode(file.getvalue()).decode())
    return {
        "kind": "pictures",
        "title": title,
        "sources": sources,
        "truth": list(map(int, truth)),
        "names": list(names),
    }


def columns(trace, label="", color=None, every=1, **more):
    """A run's columns: the three axes, the loss and what else is given, all one value a row.

    The seconds have two digits: a measurement of time repeats no better. ``every``: the rows kept
    of the trace, where what else is given has no more.
    """
    shown = {"label": label, "color": color or plots.solver_color(label) or plots.BLUE}
    rows = getattr(trace, "iterations", np.arange(len(trace.fun)))
    axes = {
        "iterations": rows,
        "evaluations": trace.evaluations,
        "seconds": [float(f"{t:.2g}") for t in trace.seconds],
        "loss": trace.fun,
    }
    return {**shown, **{name: column[::every] for name, column in axes.items()}, **more}


def thinned(trace, most=60):
    """The rows of a long run that a picture can show: the first half of ``most`` all, then ever
    sparser to the last. It serves :func:`columns` and :func:`landscape` as the trace does.
    """
    last, half = len(trace) - 1, most // 2
    spread = np.geomspace(half, last, most - half).astype(int) if last > half else []
    rows = np.unique([*range(min(half, last + 1)), *spread])
    few = {name: getattr(trace, name)[rows] for name in ("fun", "evaluations", "seconds")}
    return SimpleNamespace(
        **few,
        iterations=rows,
        x=[trace.x[k] for k in rows],
        trials=[[], *(trace.trials[k + 1] for k in rows[:-1])],
    )


def landscape(loss, trace, xlim, ylim, levels=10):
    """Contours of a loss of two variables, and what a line search tried, row by row."""
    xs, ys = np.linspace(*xlim, 61), np.linspace(*ylim, 61)
    F = np.array([[loss.fun(np.array([u, v])) for u in xs] for v in ys])
    drawn = contour_generator(xs, ys, F)
    heights = np.geomspace(max(F.min(), F.max() * 1e-5), F.max(), levels)
    curves = [curve for height in heights for curve in drawn.lines(height)]
    return {"contours": _deltas(curves, xlim, ylim), "trials": _rays(trace, [xlim, ylim])}


class Explorer(Live):
    """A widget over ``compute``: every combination of ``controls``, drawn in ``panels``.

    Parameters
    ----------
    name : str
        Of the explorer on its page; part of a copied link.
    compute : callable
        Takes one keyword argument a control and returns a state.
    controls : dict
        Name of an argument to the list of its choices, strings or numbers. Where all are numbers,
        a notebook offers a field for any other.
    panels : list
        From :func:`lines`, :func:`plane`, :func:`image`, :func:`pictures`.
    caption : str
        Stands below, also where there is no JavaScript.
    initial : dict, optional
        The first choice where it is not the first of each list.
    at : int, optional
        The first step to show; the last unless told.
    grid : list of dict, optional
        What to compute beforehand, where it is not every combination.
    """

    _esm = joined("explorer")
    spec = traitlets.Dict().tag(sync=True)
    states = traitlets.Dict().tag(sync=True)
    shared = traitlets.List().tag(sync=True)

    def __init__(self, name, compute, controls, panels, caption, initial=None, at=None, grid=None):
        unknown = set(controls) ^ set(inspect.signature(compute).parameters)
        if unknown or not all(isinstance(v, list | tuple) and v for v in controls.values()):
            raise ValueError(
                f"controls must give choices for each argument of {compute.__name__}, "
                f"and no others; got {controls!r}"
            )
        self.compute = compute
        self.first = {key: values[0] for key, values in controls.items()} | (initial or {})
        if self.first.keys() - controls.keys() or any(
            self.first[key] not in values for key, values in controls.items()
        ):
            raise ValueError(f"initial must name choices among the controls; got {initial!r}")
        if grid is None:
            grid = [dict(zip(controls, values)) for values in itertools.product(*controls.values())]
        states = precompute(compute, grid, name)
        given = [c for c in (states[0].get("runs") or [{}])[0] if c not in ("label", "color")]
        drawn = {
            c
            for panel in panels
            for key in ("y", "x", "path", "cloud", "boundary")
            for c in np.ravel(panel.get(key) or [])
        }
        if missing := sorted(drawn.difference(given)):
            raise ValueError(
                f"compute must return runs with every column that panels draw; among "
                f"{given} there is no {', '.join(missing)}"
            )
        # What many states have in common, such as contours, travels once.
        strings = [text for state in states for text in state.values() if isinstance(text, str)]
        shared = [t for t in dict.fromkeys(strings) if len(t) > 200 and strings.count(t) > 1]
        place = {text: f"@{i}" for i, text in enumerate(shared)}
        keys = [_key(choice, controls) for choice in grid]
        shown = ", ".join(f"{key.replace('_', ' ')} {self.first[key]}" for key in controls)
        self.caption, self.on_paper, self.panels = caption, f"{shown}.", panels
        super().__init__(
            spec={
                "name": name,
                "panels": panels,
                "initial": self.first,
                "controls": controls,
                "at": at,
                "order": list(controls),  # a stored page sorts what it holds by name
                "columns": given,
            },
            states={
                key: {k: place.get(v, v) if isinstance(v, str) else v for k, v in s.items()}
                for key, s in zip(keys, states)
            },
            shared=shared,
        )
        self.on_msg(self._answer)

    def _answer(self, _, message, buffers):
        """A page asks whether there is a kernel, or for a state it has not got."""
        if message["ask"] == "hello":
            return self.send({"tell": "live"})
        try:
            state = pack(self.compute(**message["choice"]))
            self.send({"tell": "state", "key": message["key"], "state": state})
        except Exception as error:
            self.send({"tell": "error", "key": message["key"], "error": str(error)})
            if not isinstance(error, ValueError):  # a ValueError is the reader's to mend
                raise

    def still(self):
        """The first choice as a matplotlib figure: what paper shows, and a page without scripts."""
        state = self.compute(**self.first)
        drawn = [panel for panel in self.panels if panel["kind"] != "pictures"]
        figure, axes = plt.subplots(1, len(drawn), figsize=(3.7 * len(drawn), 3.6), squeeze=False)
        for ax, panel in zip(axes.flat, drawn):
            draw_panel(panel, state, ax)
        return figure


def _key(choice, controls):
    return ".".join(str(values.index(choice[name])) for name, values in controls.items())


def _deltas(curves, xlim, ylim):
    """Polylines in whole steps from point to point: a fraction of the coordinates' digits."""
    low, size = np.array([xlim[0], ylim[0]]), np.ptp([xlim, ylim], axis=1)
    places = (np.rint(GRID * (curve - low) / size).astype(int) for curve in curves)
    return pack([np.diff(place, axis=0, prepend=0) for place in places])


def _rays(trace, box):
    """Trial points inside the box, one string: of each ray its first, and multiples of that step.

    A row of the trace may hold several rays, where a search failed and another one followed.
    """
    rows, (low, high) = [""], np.transpose(box)
    for x, points in zip(trace.x, trace.trials[1:]):
        rays = []
        for step in (u - x for u in points if np.all((low <= u) & (u <= high))):
            first = np.array(rays[-1][:2]) if rays else step
            share = round(step @ first / (first @ first or 1), 9)
            if rays and np.allclose(share * first, step, rtol=1e-5, atol=0):
                rays[-1].append(share)
            else:
                rays.append([*step])
        rows.append("/".join(map(pack, rays)))
    return "|".join(rows)
