"""The batch as a reader meets it; its table against soo_lib, draw by draw.

The widget's text in a bare page, so only the last tests need the built book.
"""

import functools
import json
import re

import numpy as np
import pytest
from built import ROOT
from conftest import violations
from test_live import Dealt
from test_playground import number, status

from soo_lib.book.explore import Batches
from soo_lib.losses import Batched, Logistic
from soo_lib.solvers import minimize

BATCH = Batches()
FULL = Logistic(BATCH.X, BATCH.y)
LOWEST = minimize(FULL, np.zeros(3)).fun
CLOSE = dict(rel=2e-4, abs=1e-9)  # the table has five digits


@pytest.fixture
def open_page(bare):
    """Opens the batch with a search part."""
    traits = dict(first=json.dumps(BATCH.first), more=json.dumps({"points": BATCH.points}))
    return functools.partial(bare, Batches, **traits)


def ended(page):
    """The last word of the run of the present state: what was set is drawn in the next frame."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
    page.wait_for_function("document.querySelector('.outcome').textContent.includes('last word')")
    return page.locator(".outcome").inner_text()


def put(page, **fields):
    for name, value in fields.items():
        control = page.locator(f"[name={name}]")
        if control.evaluate("node => node.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(str(value))
            control.press("Enter")
    return ended(page)


def run(page):
    """The table's columns of numbers, by name, once the run has ended."""
    page.locator("details").evaluate("node => { node.open = true; }")
    ended(page)
    page.wait_for_selector(".tables tbody tr")
    head, *body = page.evaluate("""() => [...document.querySelectorAll('.tables tr')].map(
        (row) => [...row.cells].map((cell) => cell.textContent))""")
    return {
        name: np.array([number(text) for text in column])
        for name, column in zip(head[:-1], zip(*body))
    }


def boundary(page):
    return page.locator(".boundary:not(.best, .other)").get_attribute("d")


# ---- the numbers


def uniform(seed):
    """The page's own random numbers: 32 bits of a counter, mixed."""
    counter = (seed + 1) * 0x9E3779B1
    while True:
        h = counter = (counter + 0x9E3779B9) % 2**32
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            h = (h ^ h >> shift) * factor % 2**32
        yield (h ^ h >> 16) / 2**32


def dealt(random, count, m=800):
    """The first rows of a shuffled pack (Fisher and Yates)."""
    rows = list(range(m))
    for i in range(count):
        j = i + int(next(random) * (m - i))
        rows[i], rows[j] = rows[j], rows[i]
    return np.array(rows[:count])


def shown(rows, batch_size, n_batches, weights="alike", seed=1):
    """The loss that the page shows its solver, and the rows of one look at it."""
    random, count = uniform(seed), min(n_batches, -(-800 // batch_size))
    if rows == "fixed":
        pack = dealt(random, 800)
        batches = [pack[i : i + batch_size] for i in range(0, 800, batch_size)][:count]
        loss = Batched(FULL, batches, None if weights == "alike" else weights)
        return loss, sum(map(len, batches))
    looks = (np.concatenate([dealt(random, batch_size) for _ in range(count)]) for _ in range(400))
    return Dealt(FULL, looks), count * batch_size


@pytest.mark.parametrize(
    "method, line_search, step, rows, batch_size, n_batches, weights",
    [
        ("lbfgs", "wolfe", 1, "reshuffled", 10, 50, "alike"),
        ("newton", "fixed", 0.5, "reshuffled", 100, 3, "alike"),
        ("nlcg", "backtracking", 1, "reshuffled", 40, 80, "alike"),
        ("newton", "wolfe", 1, "fixed", 300, 80, "alike"),
        ("bfgs", "backtracking", 1, "fixed", 790, 2, "rows"),
        ("gradient", "wolfe", 1, "fixed", 20, 5, "alike"),
    ],
)
def test_the_table_is_soo_libs_run(
    open_page, method, line_search, step, rows, batch_size, n_batches, weights
):
    fields = dict(
        method=method,
        line_search=line_search,
        step=step,
        rows=rows,
        batch_size=batch_size,
        n_batches=n_batches,
        weights=weights,
    )
    page = open_page("?" + "&".join(f"batch.{name}={v}" for name, v in fields.items()))
    loss, visited = shown(rows, batch_size, n_batches, weights)
    most = {} if line_search == "fixed" else {"max_trials": 10}
    known = minimize(loss, np.zeros(3), method, line_search, step=step, maxiter=50, **most)
    found, full = run(page), np.array([FULL.fun(x) for x in known.trace.x])
    assert found["loss told"] == pytest.approx(known.trace.fun, **CLOSE)
    assert found["full loss"] == pytest.approx(full, **CLOSE)
    assert (found["evaluations"] == known.trace.evaluations).all()
    assert (found["rows visited"] == visited * known.trace.evaluations).all()
    assert known.message.partition("gradient norm")[0] in page.locator(".outcome").inner_text()


def test_no_line_separates_the_rows():
    """The page takes it for known: to ask again at each end would cost ten frames."""
    assert FULL.why_no_minimum(np.zeros(3)) == ""


# ---- the hand


def test_the_slider_moves_boundary_and_loss(open_page):
    page = open_page()
    seen = [(boundary(page), ended(page))]
    track = page.get_by_role("slider", name="rows in a batch")
    box = track.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.4, 0.7, 1):
        page.mouse.move(box["x"] + share * box["width"] - 1, box["y"] + box["height"] / 2)
        seen.append((ended(page), boundary(page)))
    page.mouse.up()
    assert len(set(seen)) == 4
    assert page.locator("[name=batch_size]").input_value() == "800"
    assert "converged" in seen[-1][0] and run(page)["full loss"][-1] == pytest.approx(LOWEST)


def test_a_drag_finds_long_work_at_any_frame(open_page):
    """Also where the picture still waits for a frame of its own: the runs begin anew there."""
    page = open_page()
    track = page.get_by_role("slider", name="rows in a batch")
    track.evaluate("""(slider) => new Promise((done) => {
        let now = performance.now(), frames = 0;
        performance.now = () => (now += 20); // whatever is done takes longer than a frame
        requestAnimationFrame(function drag() {
            slider.value = 400 + 100 * frames;
            slider.dispatchEvent(new Event("input"));
            // one frame's pause, then two: the runs' frames work and draw by turns
            const pause = (k) => requestAnimationFrame(k ? () => pause(k - 1) : drag);
            if (frames++ < 6) pause(frames % 2 + 1); else done();
        }); })""")
    ended(page)
    assert page.locator("[name=batch_size]").input_value() == "800"


def test_by_keys(open_page):
    page = open_page()
    page.get_by_role("slider", name="rows in a batch").press("ArrowRight")
    ended(page)
    assert page.locator("[name=batch_size]").input_value() == "11"
    page.get_by_role("button", name="One iteration back").press("Enter")
    steps = page.get_by_role("slider", name="iteration")
    steps.press("Home")
    page.wait_for_selector(".where:has-text('iteration 0 of')")
    assert "0.6931" in page.locator(".outcome").inner_text() and not boundary(page)
    page.get_by_role("button", name="Play").press("Enter")
    ended(page)  # it plays to the end
    page.locator(".sampled").press("ArrowUp")
    page.wait_for_selector(".readout:has-text('at (1, 6): class 1 with')")


def test_by_touch(open_page):
    page = open_page(width=390, has_touch=True)
    page.locator(".sampled").tap()
    page.wait_for_selector(".readout:has-text('at (0.2')")  # no longer (1, 5)
    chart = page.locator(".chart")
    chart.tap(position={"x": chart.bounding_box()["width"] * 0.2, "y": 90})
    page.wait_for_selector(".where:has-text('iteration 0 of')")


def test_a_choice_is_a_link(open_page):
    page = open_page("?batch.method=newton&batch.batch_size=100&batch.at=1&batch.axis=rows&other=1")
    known = {"method": "newton", "batch_size": "100", "axis": "rows", "n_batches": "50"}
    for name, value in known.items():
        assert page.locator(f"[name={name}]").input_value() == value
    assert "iteration 1 of" in page.locator(".where").inner_text()
    page.get_by_role("slider", name="iteration").press("End")
    put(page, rows="fixed")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("document.querySelector('.address').value")
    link = page.locator(".address").input_value()
    assert "other=1" in link
    again = open_page(link.removeprefix("http://localhost/"))
    assert (boundary(again), ended(again)) == (boundary(page), ended(page))


def test_nonsense_is_said_and_nothing_breaks(open_page):
    page = open_page(
        "?batch.method=sgd&batch.batch_size=1e400&batch.n_batches=0.5&batch.seed=NaN"
        "&batch.at=-1&batch.rows="
    )
    said = status(page)
    for words in (
        "solver must be one of gradient, newton, nlcg, bfgs, lbfgs; got “sgd”",
        "rows in a batch must be a whole number from 1 to 800; got “1e400”",
        "batches must be a whole number from 1 to 80; got “0.5”",
        "got “NaN”",
        "got “-1”",
        "sampling must be one of fixed, reshuffled; got “”",
    ):
        assert words in said
    before = ended(page)
    page.locator("[name=batch_size]").fill("801")
    page.locator("[name=batch_size]").press("Enter")
    assert "rows in a batch must be" in status(page) and ended(page) == before


def test_what_diverges_is_said_and_stays_in_bounds(open_page):
    page = open_page("?batch.rows=fixed&batch.line_search=fixed&batch.step=1")
    assert re.search(r"the loss rose to \S*10[⁰¹²³⁴-⁹]{2}, out of the picture", ended(page))
    ticks = page.locator(".chart text[text-anchor=end]").all_text_contents()
    assert max(map(number, ticks)) <= 1.5
    assert "learns them by heart" in put(page, line_search="wolfe", batch_size=5, n_batches=1)
    # at the minimum, where rounding may come out below it, on a logarithmic scale
    put(
        page,
        method="lbfgs",
        line_search="backtracking",
        batch_size=790,
        n_batches=5,
        weights="rows",
        seed=8,
        height="gap",
    )
    assert page.locator(".chart circle").count() == 1


@pytest.mark.parametrize("width", [390, 700])
def test_nothing_overflows_and_plane_and_stepper_are_seen_together(open_page, width):
    page = open_page("?batch.rows=fixed&batch.line_search=fixed", width=width)
    run(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    top, steps = (page.locator(s).bounding_box() for s in (".sampled", ".batch .steps"))
    assert steps["y"] + steps["height"] - top["y"] < 800


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe(open_page, theme):
    page = open_page("?batch.rows=fixed", theme=theme)
    run(page)
    assert not violations(page, ".soo-live")


# ---- what a story's sentence says is what its run does


def told(open_page, name):
    page = open_page()
    page.get_by_role("button", name=name, exact=True).click()
    return page, ended(page), run(page)


def above(page, **fields):
    put(page, **fields)
    return run(page)["full loss − minimum"][-1]


def test_fixed(open_page):
    page, said, table = told(open_page, "Fixed is the full loss")
    assert table["loss told"] == pytest.approx(table["full loss"], rel=1e-9)
    assert "converged" in said and table["full loss"][-1] == pytest.approx(LOWEST, rel=1e-4)


def test_short(open_page):
    page, said, table = told(open_page, "Short batches count too much")
    assert "converged" in said and table["full loss − minimum"][-1] > 0.05
    assert above(page, weights="rows") < 1e-12


def test_search(open_page):
    page, said, table = told(open_page, "Reshuffled breaks the search")
    assert "found no decrease" in said and len(table["step"]) < 8
    ends = [above(page, seed=seed) for seed in range(1, 7)]
    assert sum(end < 0.01 for end in ends) == 1 and ends[0] > 0.15


def test_mends(open_page):
    page, said, table = told(open_page, "Large enough a batch mends it")
    near = {
        size: sum(above(page, batch_size=size, seed=seed) < 0.01 for seed in range(1, 7))
        for size in (200, 400, 700)
    }
    assert near[200] < near[400] < near[700] == 6
    assert "found no decrease" in ended(page)
    assert "converged" in put(page, batch_size=800)


def test_pairs(open_page):
    page, said, table = told(open_page, "Pairs from two losses")
    assert table["full loss"].max() > 5 and table["full loss"][-1] > 5
    assert above(page, rows="fixed") < 0.01
    assert above(page, rows="reshuffled", method="newton") < 0.01


# ---- in the chapters


@pytest.mark.parametrize("name", ["sampling", "logistic-regression"])
def test_the_chapters_links_lead_to_states(open_page, name):
    text = (ROOT / "book" / f"{name}.ipynb").read_text("utf-8").replace('\\"', '"')
    links = re.findall(r'<a href="\?batch\..*?</a>', text)
    page = open_page(below="".join(f"<p>{link}</p>" for link in links))
    assert len(links) >= 4
    for link in page.locator("p > a").all():
        link.click()
        ended(page)
        assert status(page) == ""
        story = page.locator(".stories [aria-pressed=true]")
        told = re.search(r"story=([\w+]+)", link.get_attribute("href"))
        assert story.all_inner_texts() == ([told[1].replace("+", " ")] if told else [])


@pytest.mark.parametrize("name", ["sampling", "logistic-regression"])
def test_the_picture_comes_first_and_a_figure_without_scripts(visit, name):
    page = visit(f"book/{name}.html", ready=".soo-live .chart text")
    assert page.locator(".soo-live").bounding_box()["y"] < 400
    bare = visit(f"book/{name}.html", ready=None, java_script_enabled=False)
    told = page.locator(".soo-explorer-caption").first.inner_text()
    assert told and "On paper" not in told  # of the figure, where the figure is
    assert "On paper: six draws" in bare.locator(".soo-explorer-caption").first.inner_text()
    still = bare.locator("div.cell_output:has(.soo-explorer-caption) img").first
    assert still.is_visible() and len(still.get_attribute("alt")) > 40
