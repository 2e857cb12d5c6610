"""Plots: what is drawn is what was measured."""

import matplotlib
import numpy as np
import pytest
from helpers import complains, overlapping

from soo_lib.gradient_test import gradient_test
from soo_lib.losses import Rosenbrock
from soo_lib.solvers import minimize

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgba  # noqa: E402

from soo_lib import plots  # noqa: E402


@pytest.fixture
def ax():
    """An empty pair of axes; no function may open a figure of its own beside it."""
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # a fault may show only here
    assert plt.get_fignums() == [figure.number]
    plt.close(figure)


@pytest.fixture(scope="module")
def runs():
    loss = Rosenbrock()
    return {name: minimize(loss, [0, 0], name) for name in ("newton", "nlcg", "lbfgs", "L-BFGS-B")}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- convergence


@pytest.mark.parametrize("x", ["iterations", "evaluations", "seconds"])
@pytest.mark.parametrize("y, label", [("fun", "loss"), ("gnorm", "gradient norm")])
def test_convergence_draws_each_trace_on_each_axis(ax, runs, x, y, label):
    assert plots.convergence(runs, x=x, y=y, ax=ax) is ax
    assert len(ax.lines) == len(runs)
    for line, (name, run) in zip(ax.lines, runs.items()):
        xs = np.arange(run.nit + 1) if x == "iterations" else getattr(run.trace, x)
        np.testing.assert_array_equal(line.get_xdata(), xs)
        np.testing.assert_array_equal(line.get_ydata(), getattr(run.trace, y))
        assert line.get_label() == name
    assert ax.get_yscale() == "log" and ax.get_xscale() == "linear"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (x, label)
    assert legend(ax) == list(runs)


def test_convergence_takes_a_trace_or_a_result(ax, runs):
    plots.convergence({"newton": runs["newton"], "nlcg": runs["nlcg"].trace}, ax=ax)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), runs["nlcg"].trace.fun)


def test_a_floor_is_taken_off(ax):
    loss = overlapping()
    run = minimize(loss, np.zeros(3), "gradient", maxiter=20)
    floor = minimize(loss, np.zeros(3), gtol=1e-12).fun
    plots.convergence({"gradient": run}, floor=floor, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), run.trace.fun - floor)
    assert ax.get_ylabel() == "loss − minimum"


def test_solvers_keep_their_colours(ax, runs):
    plots.convergence({**runs, "lbfgs, memory 3": runs["lbfgs"]}, ax=ax)
    colours = dict(zip([*runs, "lbfgs, memory 3"], ax.lines))
    assert to_rgba(colours["newton"].get_color()) == to_rgba(plots.BLUE)
    assert to_rgba(colours["nlcg"].get_color()) == to_rgba(plots.ORANGE)
    same = [colours[name] for name in ("lbfgs", "L-BFGS-B", "lbfgs, memory 3")]
    assert {to_rgba(line.get_color()) for line in same} == {to_rgba(plots.GREEN)}
    assert len({line.get_linestyle() for line in same}) == 3  # told apart by their dashes
    assert (colours["newton"].get_linestyle(), colours["nlcg"].get_linestyle()) == ("-", "--")


@pytest.mark.parametrize(
    "label, colour",
    [
        ("gradient", plots.GREY),
        ("Newton", plots.BLUE),
        ("newton, step 0.01", plots.BLUE),
        ("NLCG 1L", plots.ORANGE),
        ("CG", plots.ORANGE),
        ("bfgs: dense", plots.PINK),
        ("BFGS", plots.PINK),
        ("L-BFGS-B 2L", plots.GREEN),
        ("Adagrad", None),
        ("", None),
    ],
)
def test_a_labels_first_word_gives_the_colour(label, colour):
    assert plots.solver_color(label) == colour


@pytest.fixture(scope="module")
def seeds():
    loss = overlapping()
    starts = np.random.default_rng(0).normal(size=(5, 3))
    return [minimize(loss, x0, "lbfgs", gtol=1e-4) for x0 in starts]


def band(ax):
    """Lower and upper edge of the only band, by abscissa."""
    (vertices,) = [path.vertices for path in ax.collections[0].get_paths()]
    return {
        u: (vertices[vertices[:, 0] == u, 1].min(), vertices[vertices[:, 0] == u, 1].max())
        for u in np.unique(vertices[:, 0])
    }


def test_seeds_are_drawn_as_median_and_range(ax, seeds):
    plots.convergence({"lbfgs": seeds}, ax=ax)
    longest = max(run.nit for run in seeds)
    assert min(run.nit for run in seeds) < longest  # some stop earlier, and stay where they are
    table = np.array(
        [[run.trace.fun[min(k, run.nit)] for k in range(longest + 1)] for run in seeds]
    )
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(longest + 1))
    np.testing.assert_allclose(line.get_ydata(), np.median(table, axis=0))
    edges = band(ax)
    for k in range(longest + 1):
        assert edges[k] == pytest.approx((table[:, k].min(), table[:, k].max()))
    colour = ax.collections[0].get_facecolor()[0]
    assert tuple(colour[:3]) == to_rgba(line.get_color())[:3] and 0 < colour[3] < 1
    assert legend(ax) == ["lbfgs"]


@pytest.mark.parametrize("x", ["evaluations", "seconds"])
def test_seeds_share_a_grid_on_the_other_axes(ax, seeds, x):
    plots.convergence({"lbfgs": seeds}, x=x, ax=ax)
    (line,) = ax.lines
    grid = line.get_xdata()
    assert grid[-1] == max(getattr(run.trace, x)[-1] for run in seeds)
    table = [np.interp(grid, getattr(run.trace, x), run.trace.fun) for run in seeds]
    np.testing.assert_allclose(line.get_ydata(), np.median(table, axis=0))
    assert line.get_ydata()[-1] == pytest.approx(np.median([run.fun for run in seeds]))


def test_unknown_axes_are_named(ax, runs):
    axes = ("iterations", "evaluations", "seconds")
    complains(lambda: plots.convergence(runs, x="epochs", ax=ax), "x", "epochs", *axes)
    complains(lambda: plots.convergence(runs, y="accuracy", ax=ax), "y", "accuracy", "fun", "gnorm")
    assert not ax.lines


# ---- the plane


def test_contours_of_a_loss_below_zero(ax):
    loss = Rosenbrock()
    plots.contours(loss, (-0.5, 1.5), (-0.4, 1.6), ax=ax, levels=9)
    heights = ax.collections[-1].levels
    loss.fun = lambda x: Rosenbrock().fun(x) - 1e4
    plots.contours(loss, (-0.5, 1.5), (-0.4, 1.6), ax=ax, levels=9)
    lowest = 1e4 + ax.collections[-1].levels
    np.testing.assert_allclose(np.diff(lowest), np.diff(heights), rtol=0.3)


def test_contours_lie_at_the_losss_heights(ax):
    loss = Rosenbrock()
    assert plots.contours(loss, (-0.5, 1.5), (-0.4, 1.6), ax=ax, levels=9) is ax
    assert ax.get_xlim() == (-0.5, 1.5) and ax.get_ylim() == (-0.4, 1.6)
    (drawn,) = ax.collections
    steps = np.diff(np.log(drawn.levels))
    assert len(steps) == 8 and steps == pytest.approx(steps.mean()) and steps.mean() > 0
    middle = len(drawn.levels) // 2
    points = drawn.get_paths()[middle].vertices
    heights = [loss.fun(point) for point in points]
    assert np.median(heights) == pytest.approx(drawn.levels[middle], rel=0.02)


def test_a_path_goes_through_the_iterates(ax, runs):
    for run in (runs["newton"], runs["newton"].trace):
        assert plots.path(run, "newton", ax=ax) is ax
    for line in ax.lines:
        np.testing.assert_array_equal(line.get_xydata(), runs["newton"].trace.x)
        assert to_rgba(line.get_color()) == to_rgba(plots.BLUE) and line.get_label() == "newton"
    plots.path(runs["newton"], "newton", ax=ax, color="black", lw=3)
    assert ax.lines[-1].get_color() == "black" and ax.lines[-1].get_linewidth() == 3


@pytest.mark.parametrize("x", [[0.5, 1.0, -2.0], [-1.0, 0.3, 0.7], [0.2, 0.0, 1.0]])
def test_the_boundary_is_where_the_logit_is_0(ax, x):
    loss = overlapping(80)
    assert plots.decision_boundary(np.array(x), loss.X, loss.y, ax=ax) is ax
    (line,) = ax.lines
    u, v = line.get_data()
    np.testing.assert_allclose(x[0] + x[1] * u + x[2] * v, 0, atol=1e-12)
    np.testing.assert_allclose([u.min(), u.max()], ax.get_xlim())
    for label, points in enumerate(ax.collections):
        np.testing.assert_array_equal(points.get_offsets(), loss.X[loss.y == label, 1:])
    low, high = ax.get_ylim()  # the line may leave the picture, the points do not
    assert low <= loss.X[:, 2].min() and loss.X[:, 2].max() <= high
    assert legend(ax) == ["class 0", "class 1", "boundary"]


def test_a_vertical_boundary(ax):
    loss = overlapping(80)
    plots.decision_boundary(np.array([-0.5, 2.0, 0.0]), loss.X, loss.y, ax=ax)
    u, v = ax.lines[0].get_data()
    np.testing.assert_allclose(u, 0.25)
    assert np.min(v) <= ax.get_ylim()[0] and np.max(v) >= ax.get_ylim()[1]


# ---- the rest


def test_gradient_errors_are_drawn_on_logarithmic_axes(ax):
    result = gradient_test(Rosenbrock(), np.array([-1.2, 1.0]))
    assert plots.gradient_errors(result, "rosenbrock", ax=ax) is ax
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), result.eps)
    np.testing.assert_array_equal(line.get_ydata(), result.errors)
    assert ax.get_xscale() == ax.get_yscale() == "log" and legend(ax) == ["rosenbrock"]


@pytest.mark.parametrize("count, columns, rows", [(7, 3, 3), (6, 3, 2), (1, 10, 1)])
def test_images_are_the_rows_of_pixels(count, columns, rows):
    X = np.random.default_rng(0).normal(size=(count, 16))
    figure = plots.images(X, [f"label {k}" for k in range(count)], columns=columns)
    figure.canvas.draw()
    assert plt.get_fignums() == [figure.number] and len(figure.axes) == rows * columns
    for k, ax in enumerate(figure.axes):
        assert not ax.axison
        if k < count:
            np.testing.assert_array_equal(ax.images[0].get_array(), X[k].reshape(4, 4))
            assert ax.get_title() == f"label {k}"
        else:
            assert not ax.images
    plt.close(figure)


def test_without_axes_the_current_ones_are_used(runs):
    figure = plt.figure()
    assert plots.convergence(runs) is plt.gca()
    assert plots.path(runs["newton"], "newton") is plt.gca()
    assert plt.get_fignums() == [figure.number] and len(figure.axes) == 1
    plt.close(figure)


def test_the_style_applies_to_the_figures_that_follow():
    with matplotlib.rc_context():
        plots.use_style()
        assert plt.rcParams["axes.spines.top"] is False
        colours = [entry["color"] for entry in plt.rcParams["axes.prop_cycle"]]
        assert len(set(colours)) == 6 and plots.BLUE in colours
        figure, ax = plt.subplots()
        ax.plot([1, 2])
        figure.canvas.draw()
        plt.close(figure)
