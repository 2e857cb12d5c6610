"""Every explorer on the built pages: what it shows is what Python computes."""

import functools
import json
import re

import nbformat
import numpy as np
import pytest
from built import HTML, ROOT

from soo_lib.book.precompute import pack

BOOK = ROOT / "book"
# The chapters with an explorer, and the cells that its function needs.
NEEDS = {
    "trusting-a-model": ["setup", "explorer-compute"],
    "conjugate-directions": ["setup", "explorer-runs", "explorer-compute"],
    "sampling": ["plumbing", "setup", "data", "explorer-draws"],
    "fashion-mnist": ["setup", "explorer-record"],
    "hessian": ["plumbing", "setup", "explorer-blocks"],
    "spectrum": ["setup", "record", "explorer-runs"],
    "preconditioning": ["setup", "explorer-runs", "explorer-compute"],
    "approximating": ["setup", "record", "best", "looks", "explorer-runs"],
    "noise-and-rules": ["setup", "explorer-compute"],
    "when-curvature-pays": ["setup", "grid", "explorer-live", "explorer-record"],
    "norms": ["setup", "first-change", "explorer-gradients", "explorer-shares", "explorer-runs"],
    "many-machines": ["setup", "model", "explorer-compute"],
}
EXPLORER = ".soo-explorer:not(.soo-live)"  # the recorded one: a page may have a live one too
CONTROLS = f"{EXPLORER} .controls :is(select, input[type=range])"


def cells(page):
    notebook = nbformat.read(BOOK / f"{page}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


@functools.cache
def computing(page):
    """The function behind a page's explorer, from the chapter's own cells; each state once."""
    source, space = cells(page), {"__name__": "__main__"}
    for cell in NEEDS[page]:
        exec(compile(source[cell], cell, "exec"), space)
    name = re.search(r"explore\.Explorer\(\s*\"\w+\",\s*(\w+)", source["explorer"])[1]
    return functools.lru_cache(None, typed=True)(
        lambda *a, **choice: space[name](*a, **choice).shown()
    )


@pytest.fixture
def compute(request, monkeypatch):
    monkeypatch.chdir(BOOK)
    return request.param, computing(request.param)


def number(text):
    """What the page writes: −1.2·10⁻⁵; 10⁻⁵ beside an axis; – where there is no number."""
    if text == "–":
        return np.nan
    sign, digits, power = re.fullmatch(r"(−?)(?:([\d.]+?)·?)??(?:10([⁰¹²³⁴-⁹⁻]+))?", text).groups()
    power = (power or "⁰").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    return (-1 if sign else 1) * float(digits or 1) * 10 ** float(power)


def close(shown, known):
    """Equal to three digits, or beyond what the page can tell from nothing."""
    shown, known = np.asarray(shown, float), np.asarray(known, float)
    known = np.where(np.isfinite(known), known, np.nan)
    np.testing.assert_allclose(shown, known, rtol=6e-3, atol=1e-12)


# What the controls say: of each its type, its value, and that value in words.
SAID = """(all) => Object.fromEntries([...all].map((control) =>
    [control.name, [control.type, control.value, control.getAttribute("aria-valuetext")]]))"""


def chosen(said, spec):
    """What the controls say, as Python's values."""
    choice = {}
    for name, values in spec["controls"].items():
        kind, value, words = said[name]
        if kind == "range":
            choice[name] = values[int(value)]
            assert words == str(choice[name])
        else:
            choice[name] = next(v for v in values if str(v) == value)
    return choice


def told(page):
    return page.locator(f"{EXPLORER} .controls [name]").evaluate_all(SAID)


def ordered(values):
    """Three numbers or more, each larger: these the reader slides through."""
    numbers = [v for v in values if isinstance(v, int | float)]
    return (
        len(values) > 2
        and len(numbers) >= len(values) - 1
        and (numbers == sorted(numbers) and values[: len(numbers)] == numbers)
    )


def untimed(state):
    """What of a state is drawn or written in the table, apart from measured seconds."""
    runs = [
        {name: part for name, part in run.items() if name != "seconds"} for run in state["runs"]
    ]
    return json.dumps(pack({**state, "runs": runs, "note": ""}))


def frame(page):
    return int(page.locator(f"{EXPLORER} .steps input").input_value())


# A table's head and columns, as text.
ROWS = "({ rows }) => [...rows].map((row) => [...row.cells].map((cell) => cell.textContent))"


def table(page):
    return page.locator(f"{EXPLORER} table").first.evaluate(ROWS)


def runs_at(state, k):
    return [state["runs"][k]] if state.get("per_frame") else state["runs"]


def check_table(seen, state):
    head, *body = seen["table"]
    runs, columns = runs_at(state, seen["frame"]), list(zip(*body))
    names = [name for name in runs[0] if name not in ("label", "color")]
    assert [h for h in head if h != "run"] == [name.replace("_", " ") for name in names]
    for name in names:
        if name == "seconds":  # measured anew each time
            continue
        known = np.concatenate([np.asarray(run[name], float) for run in runs])
        close([number(t) for t in columns[head.index(name.replace("_", " "))]], known)


# Text beside an axis and where it stands; the dots of the runs, and where they are.
PICTURE = """(view) => {
    const at = (node, name) => Number(node.getAttribute(name));
    const all = (selector) => [...view.querySelectorAll(selector)];
    return {
        x: all('.tick.along').map((t) => [t.textContent, at(t, 'x')]),
        y: all('.tick.up').map((t) => [t.textContent, at(t, 'y') - 4]),
        dots: all('.run:not(.ghost) circle').map((d) => [at(d, 'cx'), at(d, 'cy')]),
        shades: all('.cell').map((c) => [c.classList.contains('below') ? -1 : 1,
            at(c, 'fill-opacity'), c.getAttribute('d')]),
        border: all('.border').map((b) => ['x', 'y', 'width'].map((name) => at(b, name)))[0],
    };
}"""


# All that is compared, in one look, and whether the panels are other ones than at the last.
LOOK = f"""(root) => {{
    const said = {SAID}, rows = {ROWS}, picture = {PICTURE};
    const panels = root.querySelector(".panels"), last = window.lastPanels;
    window.lastPanels = panels.innerHTML;
    return {{
        said: said(root.querySelectorAll(".controls [name]")),
        frame: Number(root.querySelector(".steps input").value),
        table: rows(root.querySelector("table")),
        panels: [...panels.querySelectorAll(".panel")].map((panel) => ({{
            wrong: [...panel.querySelectorAll("li")].map((item) => item.className === "wrong"),
            drawn: panel.querySelector("svg") && picture(panel.querySelector("svg")),
        }})),
        moved: window.lastPanels !== last,
    }};
}}"""


def scale(ticks, bend):
    """From a place on the page to bend(value), read off the axis."""
    values = [bend(number(text)) for text, _ in ticks]
    return np.poly1d(np.polyfit([place for _, place in ticks], values, 1))


def check_picture(seen, panel, state, axis):
    """Decode the drawing by its own axes; it must give Python's numbers back."""
    view, k = seen["panels"][panel["index"]], seen["frame"]
    if panel["kind"] == "pictures":
        assert view["wrong"] == (np.array(state["answers"])[k] != panel["truth"]).tolist()
        return
    drawn = view["drawn"]
    if panel["kind"] == "image":
        M = np.asarray(state["image"][k], float)
        limit, inner = np.abs(M).max() or 1, panel["scale"]
        share = np.abs(M) / limit
        if inner != "linear":
            share = np.log10(1 + share / inner) / np.log10(1 + 1 / inner)
        left, top, width = drawn["border"]
        painted = np.full(M.shape, np.nan)
        for sign, opacity, path in drawn["shades"]:
            for corner in re.findall(r"M([\d.]+) ([\d.]+)", path):
                places = (np.array(corner, float) - [left, top]) * M.shape[1] / width
                column, row = np.rint(places)
                painted[int(row), int(column)] = sign * opacity
        np.testing.assert_allclose(painted, np.sign(M) * share, atol=0.011)
        return
    if panel["kind"] == "lines":
        u, v = (axis if len(panel["x"]) > 1 else panel["x"][0]), panel["y"]
    elif names := panel["path"] or panel["cloud"]:
        u, v = names
    else:
        return  # a boundary is a line: its numbers are in the table
    bend = {"log": np.log10, "linear": float}.get(panel.get("scale", "linear"))
    if bend is None:
        bend = lambda t: np.sign(t) * np.log10(1 + abs(t) / panel["scale"])  # noqa: E731
    X, Y = scale(drawn["x"], float), scale(drawn["y"], bend)
    runs = runs_at(state, k)
    with np.errstate(all="ignore"):
        known = [(a, bend(b)) for run in runs for a, b in zip(run[u], run[v])]
    known = np.array([pair for pair in known if np.isfinite(pair).all()], float).reshape(-1, 2)
    if panel["kind"] == "lines" and max(len(run[v]) for run in runs) > 40:
        return  # a long line has no dots
    assert len(drawn["dots"]) == len(known)
    if len(known) and u != "seconds":
        dots = np.array(drawn["dots"])
        for axis_scale, place, value in zip((X, Y), dots.T, known.T):
            within = np.abs(place) < 1e5 - 1
            tolerance = 1.5 * abs(axis_scale.c[0]) + 6e-3 * np.abs(value[within])
            assert (np.abs(axis_scale(place[within]) - value[within]) <= tolerance).all()


def drag(page, slider, share):
    """The thumb taken by the mouse to its place: half a thumb's width from either end."""
    slider.scroll_into_view_if_needed()
    box, most = slider.bounding_box(), int(slider.get_attribute("max"))
    places = [
        box["x"] + 8 + s * (box["width"] - 16) for s in (int(slider.input_value()) / most, share)
    ]
    page.mouse.move(places[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(places[1], box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()


def spec_of(page_name):
    text = (HTML / "book" / f"{page_name}.html").read_text("utf-8")
    state = re.search(r'widget-state\+json">(.*?)</script>', text, re.DOTALL)[1]
    (spec,) = [
        model["state"]["spec"] for model in json.loads(state).values() if "spec" in model["state"]
    ]
    for index, panel in enumerate(spec["panels"]):
        panel["index"] = index
    return spec


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
@pytest.mark.parametrize("compute", NEEDS, indirect=True)
def test_every_control_moves_the_picture_and_the_table(visit, compute, hand):
    name, function = compute
    page, spec = visit(f"book/{name}.html", formulas=False), spec_of(name)
    page.locator(f"{EXPLORER} summary").click()
    page.wait_for_selector(f"{EXPLORER} table", state="attached")
    first = next((p["x"][0] for p in spec["panels"] if len(p.get("x", "")) > 1), "")
    axis = first

    def check():
        """The state, once the page has been compared with it; and whether the page has moved."""
        seen = page.locator(EXPLORER).evaluate(LOOK)
        state = function(**chosen(seen["said"], spec))
        check_table(seen, state)
        for panel in spec["panels"]:
            check_picture(seen, panel, state, axis)
        return untimed(state) + axis, seen["moved"]

    for control in page.locator(CONTROLS).all():
        before, _ = check()
        name, slider = control.get_attribute("name"), control.get_attribute("type") == "range"
        values = control.locator("option").all_text_contents()
        if slider:
            values = [str(i) for i in range(len(spec["controls"][name]))]
        assert slider == (name != "axis" and ordered(spec["controls"][name]))
        start = values.index(control.input_value())
        if hand == "keyboard":
            control.focus()
        for value in values[start + 1 :] + values[: start + 1]:
            if hand == "keyboard":
                step = "ArrowRight" if slider else "ArrowDown"
                page.keyboard.press("Home" if value == values[0] else step)
            elif slider:
                drag(page, control, int(value) / (len(values) - 1))
            else:
                control.select_option(value)
            assert control.input_value() == value
            axis = value if name == "axis" else axis
            state, moved = check()
            assert (state == before) or moved
            before = state
        page.locator(EXPLORER).get_by_role("button", name="Reset").click()
        axis = first


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_as_many_eigenvalues_are_blue_as_are_said_to_be_negative(visit, layer):
    page = visit("book/hessian.html", formulas=False)
    page.locator(CONTROLS).first.fill(str(layer - 1))
    blue = page.locator(f"{EXPLORER} circle.below").count()
    page.get_by_text(f"{blue} of {[16, 25, 18][layer - 1]} eigenvalues negative").wait_for()
