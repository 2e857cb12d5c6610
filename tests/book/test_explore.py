"""Explorers, the Python side: what travels with a page is what the library computes."""

import json
import re
import textwrap

import matplotlib
import numpy as np
import pytest
from helpers import complains

from soo_lib.book import explore, precompute
from soo_lib.book.live import WEB
from soo_lib.losses import Rosenbrock
from soo_lib.plots import DASHES, LOOKS
from soo_lib.solvers import minimize

matplotlib.use("agg")
BOX = (-1.5, 1.5), (-0.7, 1.7)
FACTOR = 2


def descend(solver, step):
    loss = Rosenbrock()
    trace = minimize(loss, [0, 0], solver, "backtracking", step=step, maxiter=8).trace
    x, y = np.transpose(trace.x)
    return explore.State(
        runs=[explore.columns(trace, solver, x=x, y=y)],
        note=solver,
        **explore.landscape(loss, trace, *BOX),
    )


def doubled(x):
    return explore.State([{"label": "", "color": "", "y": FACTOR * np.array([x])}])


CONTROLS = {"solver": ["newton", "gradient"], "step": [1, 0.1]}
PANELS = [explore.plane("x", "y", *BOX, path=["x", "y"]), explore.lines("loss", "loss")]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SOO_LIB_EXPLORERS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(**other):
    return explore.Explorer("test", descend, CONTROLS, PANELS, "A caption.", **other)


def numbers(text):
    if text.startswith("0:"):
        return np.arange(int(text[2:]))
    return np.array(text.split(), float)


def resolve(widget, text):
    return widget.shared[int(text[1:])] if text.startswith("@") else text


def test_every_combination_is_what_minimize_gives():
    widget = make()
    assert set(widget.states) == {"0.0", "0.1", "1.0", "1.1"}
    for i, solver in enumerate(CONTROLS["solver"]):
        for j, step in enumerate(CONTROLS["step"]):
            (run,) = widget.states[f"{i}.{j}"]["runs"]
            known = minimize(Rosenbrock(), [0, 0], solver, "backtracking", step=step, maxiter=8)
            x, y = np.transpose(known.trace.x)
            columns = {
                "loss": known.trace.fun,
                "evaluations": known.trace.evaluations,
                "iterations": np.arange(known.nit + 1),
                "x": x,
                "y": y,
            }
            for name, column in columns.items():
                np.testing.assert_allclose(numbers(run[name]), column, rtol=5.1e-3, err_msg=name)


def test_three_digits_are_kept_and_whole_numbers_are_kept_whole():
    packed = precompute.pack([0.123456, -0.00098765, 12345, 1e-20, 0, -1.0, 2.5e7])
    assert packed == ".123 -.000988 12345 1e-20 0 -1 2.5e7"
    assert precompute.pack(np.arange(40)) == "0:40"
    assert precompute.pack([np.array([1, 0.5]), [], [2]]) == "1 .5||2"
    assert precompute.pack({"note": "as it is", "level": 0.5}) == {"note": "as it is", "level": 0.5}


@pytest.mark.parametrize("symmetric", [False, True])
def test_matrices_come_back(symmetric):
    M = np.random.default_rng(0).normal(size=(2, 4, 4))
    M = M + M.transpose(0, 2, 1) if symmetric else M
    packed = precompute.pack(M)
    assert packed["shape"] == [4, 4] and packed["symmetric"] == symmetric
    rows, columns = np.tril_indices(4) if symmetric else np.indices((4, 4)).reshape(2, -1)
    for text, matrix in zip(packed["data"], M):
        np.testing.assert_allclose(numbers(text), matrix[rows, columns], rtol=5.1e-3)
    assert precompute.pack(np.array([[[0, 1, 9], [2, 3, 4]]]))["data"] == ["019234"]


def test_trial_points_are_those_of_the_search():
    """The shared multiples, times the ray's first step, give back each point that was tried."""
    loss, box = Rosenbrock(), ((-1e3, 1e3),) * 2
    for solver, search in [("gradient", "backtracking"), ("nlcg", "wolfe")]:
        trace = minimize(loss, [-1.2, 1], solver, search, maxiter=12).trace
        rows = explore.landscape(loss, trace, *box)["trials"].split("|")
        assert len(rows) == len(trace) and rows[0] == ""
        for x, tried, row in zip(trace.x, trace.trials[1:], rows[1:]):
            rays = [numbers(ray) for ray in row.split("/")]
            found = [share * ray[:2] for ray in rays for share in [1, *ray[2:]]]
            known = np.array(tried) - x
            size = np.abs(known).max(axis=1, keepdims=True)
            np.testing.assert_allclose(found / size, known / size, atol=0.02)


def test_a_thinned_run_keeps_its_beginning_its_end_and_whole_rows():
    loss, box = Rosenbrock(), ((-2, 2),) * 2
    trace = minimize(loss, [-1.2, 1], "gradient", "backtracking", maxiter=900).trace
    few = explore.thinned(trace, 40)
    assert list(few.iterations[:20]) == list(range(20)) and few.iterations[-1] == 900
    assert 30 <= len(few.iterations) <= 40 and (np.diff(np.diff(few.iterations)) >= -1).all()
    assert (few.fun == trace.fun[few.iterations]).all()
    run = explore.columns(few, "gradient")
    assert (run["iterations"] == few.iterations).all()
    assert (run["evaluations"] == trace.evaluations[few.iterations]).all()
    # From a row that was kept, what the search tried next, though its own iterate was not.
    whole = explore.landscape(loss, trace, *box)["trials"].split("|")
    kept = explore.landscape(loss, few, *box)["trials"].split("|")
    assert kept[1:] == [whole[k + 1] for k in few.iterations[:-1]]
    short = minimize(loss, [0, 0], maxiter=5).trace
    assert list(explore.thinned(short).iterations) == [0, 1, 2, 3, 4, 5]


def test_contours_lie_where_the_loss_has_one_height():
    loss = Rosenbrock()
    trace = minimize(loss, [0, 0], maxiter=1).trace
    curves = explore.landscape(loss, trace, *BOX)["contours"].split("|")
    assert len(curves) >= 8
    for curve in curves:
        places = np.cumsum(numbers(curve).reshape(-1, 2), axis=0) / 500
        points = places * np.ptp(BOX, axis=1) + np.transpose(BOX)[0]
        heights = np.array([loss.fun(p) for p in points])
        # A step of the grid is the most that a linear interpolation can be off.
        slopes = np.array([np.linalg.norm(loss.jac(p)) for p in points])
        assert np.abs(heights - np.median(heights)).max() <= 0.06 * slopes.max() + 0.1


def test_a_second_time_nothing_is_computed(cache, monkeypatch):
    first = precompute.precompute(doubled, [{"x": 1}, {"x": 2}])
    (kept,) = cache.iterdir()
    monkeypatch.setattr(precompute, "pack", lambda state: pytest.fail("it is in the cache"))
    assert precompute.precompute(doubled, [{"x": 1}, {"x": 2}]) == first
    assert list(cache.iterdir()) == [kept]


def test_what_a_state_depends_on_is_in_the_key(tmp_path, monkeypatch):
    grid = [{"x": 1}]
    keys = [precompute._digest(doubled, grid), precompute._digest(doubled, [{"x": 2}])]
    monkeypatch.setitem(globals(), "FACTOR", 3)  # what the function refers to
    keys.append(precompute._digest(doubled, grid))
    for path in precompute.LIBRARY.rglob("*.py"):
        copy = tmp_path / path.relative_to(precompute.LIBRARY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(precompute, "LIBRARY", tmp_path)
    assert precompute._digest(doubled, grid) == keys[-1]  # the content counts, not the place
    (tmp_path / "solvers.py").write_text("# changed")
    keys.append(precompute._digest(doubled, grid))
    assert len(set(keys)) == 4


def test_a_helper_inside_the_function_is_in_the_key(tmp_path, monkeypatch):
    keys = []
    monkeypatch.syspath_prepend(tmp_path)
    for shift in (1, 2):
        (tmp_path / f"chapter{shift}.py").write_text(
            textwrap.dedent(f"""
            def helper(x):
                return x + {shift}

            def outer(x):
                return [helper(u) for u in range(x)] or [outer(1)]
        """)
        )
        keys.append(precompute._digest(__import__(f"chapter{shift}").outer, [{"x": 1}]))
    assert keys[0] != keys[1]


def test_a_failure_leaves_nothing_half_written(cache):
    def fails(x):
        if x == 2:
            raise RuntimeError("in the middle")
        return doubled(x)

    with pytest.raises(RuntimeError):
        precompute.precompute(fails, [{"x": 1}, {"x": 2}])
    assert not cache.exists()


def test_no_progress_bar_where_nobody_watches(capfd, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    precompute.precompute(doubled, [{"x": 1}])
    assert capfd.readouterr().err == ""


def test_bad_controls_are_refused():
    complains(
        lambda: explore.Explorer("e", descend, {"solver": ["newton"]}, PANELS, ""), "controls"
    )
    empty = {"solver": [], "step": [1]}
    complains(lambda: explore.Explorer("e", descend, empty, PANELS, ""), "controls")
    complains(
        lambda: explore.Explorer("e", descend, {"solver": 1, "step": 1}, PANELS, ""), "controls"
    )
    complains(lambda: make(initial={"step": 5}), "initial", 5)
    complains(lambda: make(initial={"b": 5}), "initial", "b")


def test_what_compute_does_not_return_is_named():
    panels = [explore.lines("y", "y", x="time")]
    for compute in (doubled, lambda x: {"points": [x]}):
        complains(
            lambda c=compute: explore.Explorer("e", c, {"x": [1]}, panels, ""),
            "compute",
            "no time" if compute is doubled else "no time, y",
        )


def heard(widget, message):
    said = []
    widget.send = said.append
    widget._answer(widget, message, [])
    return said


def test_a_kernel_answers_with_what_minimize_gives():
    widget = make()
    assert heard(widget, {"ask": "hello"}) == [{"tell": "live"}]
    choice = {"solver": "newton", "step": 0.37}
    (answer,) = heard(widget, {"ask": "state", "key": "0.=0.37", "choice": choice})
    known = minimize(Rosenbrock(), [0, 0], "newton", "backtracking", step=0.37, maxiter=8)
    assert answer["tell"] == "state" and answer["key"] == "0.=0.37"
    np.testing.assert_allclose(
        numbers(answer["state"]["runs"][0]["loss"]), known.trace.fun, rtol=5.1e-3
    )


def test_a_kernel_says_what_is_wrong_with_a_choice():
    question = {"ask": "state", "key": "k", "choice": {"solver": "newton", "step": -1}}
    (answer,) = heard(make(), question)
    assert answer["tell"] == "error" and "step must be" in answer["error"]
    panels = [explore.lines("y", "y", "y")]
    said, broken = [], explore.Explorer("e", doubled, {"x": [1]}, panels, "")
    broken.send = said.append
    with pytest.raises(TypeError):  # not the reader's to mend: the notebook shows it too
        broken._answer(broken, {"ask": "state", "key": "k", "choice": {"x": None}}, [])
    assert said[0]["tell"] == "error"


def test_a_stored_page_may_sort_its_keys():
    widget = make()
    stored = json.loads(json.dumps(widget.get_state(["spec"]), sort_keys=True))["spec"]
    assert stored["order"] == list(CONTROLS)
    assert stored["columns"] == ["iterations", "evaluations", "seconds", "loss", "x", "y"]


def test_what_is_shared_travels_once():
    widget = make()
    assert widget.shared  # the contours do not depend on the solver
    assert len({state["contours"] for state in widget.states.values()}) == 1
    whole = json.dumps(widget.get_state(["states", "shared", "spec"]))
    assert len(whole) < 12_000


def test_the_still_figure_draws_every_panel():
    figure = make().still()
    left, right = figure.axes
    assert left.get_xlim() == BOX[0] and len(left.lines) > 8
    np.testing.assert_allclose(
        right.lines[0].get_ydata(),
        minimize(Rosenbrock(), [0, 0], "newton", "backtracking", maxiter=8).trace.fun,
    )
    matplotlib.pyplot.close(figure)


def test_the_live_pictures_have_the_looks_of_the_figures():
    drawn = (WEB / "draw" / "draw.js").read_text("utf-8")
    (colors,) = re.findall(r"COLORS = \{(.*?)\}", drawn, re.DOTALL)
    (dashes,) = re.findall(r"DASH = \{(.*?)\}", drawn, re.DOTALL)
    colors, dashes = (dict(re.findall(r'(\w+): "?([#\w]+)', text)) for text in (colors, dashes))
    assert colors.keys() == dashes.keys() and len(colors) == 9
    for name, color in colors.items():
        assert (color, DASHES[int(dashes[name])]) == (LOOKS[name][0].lower(), LOOKS[name][1])


class TestValley:
    def test_its_still_figure_is_the_runs_that_it_names(self):
        valley = explore.Valley("bfgs", "wolfe", start=(0, 0), b=20)
        left, right = valley.still().axes
        paths = {line.get_label(): line for line in left.lines}
        for method in ("gradient", "newton", "nlcg", "bfgs", "lbfgs"):
            known = minimize(Rosenbrock(b=20), [0, 0], method, maxiter=3000, gtol=1e-6)
            np.testing.assert_array_equal(paths[method].get_xydata(), known.trace.x)
        assert valley.first == {
            "method": "bfgs",
            "line_search": "wolfe",
            "step": 1,
            "a": 1,
            "b": 20,
            "x": 0,
            "y": 0,
            "race": "all five",
        }
        assert "(0, 0)" in valley.caption and "b = 20" in valley.caption
        assert len(explore.Valley(race=False).still().axes[1].lines) == 1

    @pytest.mark.parametrize(
        "bad",
        [
            {"method": "dogs"},
            {"line_search": "trust"},
            {"step": np.nan},
            {"step": 1e400},
            {"start": (0, 3)},
            {"start": (np.inf, 0)},
            {"start": 1},
            {"a": 2},
            {"b": 0},
            {"b": "x"},
        ],
        ids=str,
    )
    def test_bad_input_is_said(self, bad):
        (name,) = bad if bad != {"start": (0, 3)} else "y"
        complains(lambda: explore.Valley(**bad), name)


@pytest.mark.parametrize("reshuffled", [True, False])
def test_the_batchs_still_figure_runs_what_its_caption_says(reshuffled):
    batch = explore.Batches("newton", 300, 2, reshuffled)
    assert "newton" in batch.caption and "2 " in batch.caption and "of 300" in batch.caption
    plane, chart = batch.still().axes
    ends = [line.get_ydata()[-1] for line in chart.lines]
    lowest = ends.pop()  # the dashed line
    assert len(ends) == 6 and lowest < min(ends) < lowest + 0.05
    matplotlib.pyplot.close("all")


def test_a_bad_batch_is_refused():
    complains(lambda: explore.Batches("sgd"), "method", "sgd")
    complains(lambda: explore.Batches(batch_size=801), "batch_size", 801)
    complains(lambda: explore.Batches(n_batches=0.5), "n_batches", 0.5)
