"""Pictures of losses and traces: one style, and one colour for each solver, in the whole book."""

import numpy as np

from .checks import from_extra

with from_extra("plots"):
    import matplotlib.pyplot as plt
    from matplotlib_inline.backend_inline import set_matplotlib_formats

# Okabe and Ito's palette, which readers with any colour vision can tell apart, on paper too
BLUE, ORANGE, GREEN, PINK, SKY, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#6E6E6E",
)
GOLD = "#B8860B"  # their yellow orange, darkened to stand on white
# Each solver has this colour and dash in every figure, and in the live pictures (draw.js)
LOOKS = {
    "gradient": (GREY, "-"),
    "newton": (BLUE, "-"),
    "nlcg": (ORANGE, "--"),
    "cg": (ORANGE, "--"),
    "bfgs": (PINK, ":"),
    "lbfgs": (GREEN, "-."),
    "l-bfgs": (GREEN, "-."),
    "l-bfgs-b": (GREEN, "-."),
    "sgd": (GREY, "-"),
    "momentum": (SKY, "--"),
    "adam": (ORANGE, "-"),
    "kronecker": (BLUE, "-"),
}
DASHES = ("-", "--", ":", "-.")
AXES = ("iterations", "evaluations", "seconds")


def solver_look(label):
    """Return the colour and the dash of the solver that a ``label`` starts with.

    For any other label they are (None, "-"): None leaves the colour to matplotlib's cycle.
    """
    return LOOKS.get(label.lower().partition(" ")[0].rstrip(",:"), (None, "-"))


def solver_color(label):
    """Return the colour of the solver that a ``label`` starts with; None leaves it to the cycle."""
    return solver_look(label)[0]


def use_style():
    """Give every figure that follows the book's look, as crisp SVG in a notebook."""
    set_matplotlib_formats("svg")
    plt.rcParams.update(
        {
            "figure.figsize": (7.2, 4.0),
            "figure.constrained_layout.use": True,
            "figure.dpi": 96,
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, PINK, SKY, GREY]),
            "axes.grid": True,
            "grid.color": "#E4E4E4",
            "grid.linewidth": 0.7,
            "axes.axisbelow": True,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "svg.hashsalt": "soo",  # the same figure gives the same file
        }
    )


def convergence(runs, x="iterations", y="fun", floor=None, ax=None):
    """Draw the loss against iterations, evaluations or seconds.

    Parameters
    ----------
    runs : dict
        Maps a label to a trace, to anything with a ``.trace``, or to a run on record
        (``load_record`` of the book). A list of those, one for each seed, is drawn as their
        median, with their range as a band. A label that starts with a solver's name gets the
        solver's colour and dash; a second one of the same look gets another dash.
    x : {"iterations", "evaluations", "seconds"}
    y : {"fun", "gnorm"}
    floor : float, optional
        Draw ``y - floor``: the distance to the minimum.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    if x not in AXES:
        raise ValueError(f"x must be one of {', '.join(AXES)}; got {x!r}")
    if y not in ("fun", "gnorm"):
        raise ValueError(f"y must be 'fun' or 'gnorm'; got {y!r}")
    ax = ax or plt.gca()
    seen = []
    for label, group in runs.items():
        traces = [getattr(t, "trace", t) for t in (group if isinstance(group, list) else [group])]
        xs = [np.arange(len(t.fun)) if x == "iterations" else getattr(t, x) for t in traces]
        ys = [getattr(t, y) - (floor or 0.0) for t in traces]
        color, dashes = solver_look(label)
        if color and (color, dashes) in seen:
            free = [dash for dash in DASHES if (color, dash) not in seen]
            dashes = (*free, dashes)[0]
        seen.append((color, dashes))
        # All seeds are drawn on one grid; a run that has stopped stays at its last value.
        grid = xs[0]
        if len(traces) > 1:
            end = max(t[-1] for t in xs)
            grid = np.arange(end + 1) if x == "iterations" else np.linspace(0, end, 301)
        table = [np.interp(grid, t, v) for t, v in zip(xs, ys, strict=True)]
        marker = "o" if len(grid) <= 30 else None
        (line,) = ax.plot(
            grid, np.median(table, axis=0), dashes, color=color, marker=marker, ms=3.5, label=label
        )
        if len(traces) > 1:
            band = np.min(table, axis=0), np.max(table, axis=0)
            ax.fill_between(grid, *band, color=line.get_color(), alpha=0.15, lw=0)
    ax.set(yscale="log", xlabel=x)
    ax.set_ylabel({"fun": "loss", "gnorm": "gradient norm"}[y] + (" − minimum" if floor else ""))
    ax.legend()
    return ax


def contours(loss, xlim, ylim, ax=None, levels=24):
    """Draw level curves of a loss of two variables, at ``levels`` heights in equal ratios.

    ``xlim`` and ``ylim``, each (low, high), are the box; the axes are ``ax`` or the present ones.
    """
    ax = ax or plt.gca()
    xs, ys = np.linspace(*xlim, 201), np.linspace(*ylim, 201)
    F = np.array([[loss.fun(np.array([u, v])) for u in xs] for v in ys])
    base = min(F.min(), 0)  # a loss below 0 has no ratios: its heights are above its lowest value
    top = F.max() - base
    heights = base + np.geomspace(max(F.min() - base, 1e-6 * top), top, levels)
    ax.contour(xs, ys, F, levels=heights, colors="#9A9A9A", linewidths=0.6)
    ax.set(xlim=xlim, ylim=ylim, xlabel="x", ylabel="y")
    ax.grid(False)
    return ax


def path(trace, label, ax=None, **look):
    """Draw the iterates of a ``trace``, or of a result that has one, in the plane.

    ``label`` gives the colour and the dash, and ``look`` goes to matplotlib's ``plot``. The axes
    are ``ax`` or the present ones.
    """
    ax = ax or plt.gca()
    points = np.array(getattr(trace, "trace", trace).x)
    color, dash = solver_look(label)
    look = {"color": color, "ls": dash, "marker": "o", "ms": 3.5, "lw": 1.2, **look}
    ax.plot(*points.T, label=label, **look)
    return ax


def decision_boundary(x, X, y, ax=None):
    """Draw two classes of points, and the line where a logistic model is undecided.

    ``x`` is (b, w1, w2); ``X``, (m, 3), has a first column of ones; ``y``, (m,), is 0 or 1. The
    axes are ``ax`` or the present ones.
    """
    ax = ax or plt.gca()
    for label, color, marker in ((0, BLUE, "o"), (1, ORANGE, "^")):
        rows = y == label
        ax.scatter(
            X[rows, 1],
            X[rows, 2],
            s=16,
            c=color,
            marker=marker,
            lw=0,
            alpha=0.75,
            label=f"class {label}",
        )
    box = ax.get_xlim(), ax.get_ylim()
    if x[2]:
        ends = box[0], [-(x[0] + x[1] * u) / x[2] for u in box[0]]
    else:
        ends = [-x[0] / x[1]] * 2, box[1]
    ax.plot(*ends, color="black", lw=1.5, label="boundary")
    ax.set(xlim=box[0], ylim=box[1], xlabel="$x_1$", ylabel="$x_2$")
    ax.legend()
    return ax


def gradient_errors(result, label, ax=None):
    """Draw the errors of a gradient test against ε: their slope is 2 where the gradient is right.

    ``result`` comes from :func:`soo_lib.gradient_test.gradient_test`, and ``label`` goes to the
    legend. The axes are ``ax`` or the present ones.
    """
    ax = ax or plt.gca()
    ax.loglog(result.eps, result.errors, "o-", ms=3.5, label=label)
    ax.set(xlabel="ε", ylabel="error of the central difference")
    ax.legend()
    return ax


def images(X, labels, columns=10):
    """Show the rows of ``X``, (m, side²) pixels, in ``columns``, with their ``labels`` above."""
    side = int(np.sqrt(X.shape[1]))
    rows = -(-len(X) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.95 * columns, 1.2 * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, pixels, label in zip(axes.flat, X, labels, strict=False):
        ax.imshow(pixels.reshape(side, side), cmap="gray_r", interpolation="nearest")
        ax.set_title(label, fontsize=8, loc="center")
    return figure
