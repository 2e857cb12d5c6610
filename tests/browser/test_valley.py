"""The valley as a reader meets it: what is drawn and written is what soo_lib's own runs give.

The widget's text in a bare page, so no book need be built, but for the last class.
"""

import functools
import json
import re
from urllib.parse import quote

import numpy as np
import pytest
from built import HTML
from conftest import in_each_theme, violations
from helpers import Saddle
from test_playground import number

from soo_lib.book.explore import Valley
from soo_lib.losses import Rosenbrock
from soo_lib.solvers import minimize

METHODS = "gradient", "newton", "nlcg", "bfgs", "lbfgs"
AT_REST = {"reduced_motion": "reduce"}


@pytest.fixture
def open_page(bare):
    """Opens the valley with a search part."""
    return functools.partial(bare, Valley)


def settle(page):
    """Two frames: every run of the last change has been made (they take some ms), and drawn."""
    page.wait_for_function("!document.querySelector('.outcome').textContent.includes('running')")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def tables(page):
    """The three tables behind the pictures: the watched run, who came how far, the search."""
    page.locator(".soo-live details").evaluate("node => { node.open = true; }")
    page.wait_for_selector(".tables tbody tr")
    settle(page)
    return page.evaluate("""() => [...document.querySelectorAll('.tables table')].map((table) =>
        [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)))""")


def numbers(rows):
    return np.array([[number(text) for text in row] for row in rows])


def start(page):
    """Where the run of the first table starts."""
    return numbers(tables(page)[0])[0, 1:3]


def to_pixels(page, x, y):
    """A point of Rosenbrock's picture on the screen."""
    box = page.locator(".valley-plane > svg").bounding_box()
    place = np.array([30 + 350 * (x + 2) / 4, 288 - 280 * (y + 1.1) / 3.2])
    return np.array([box["x"], box["y"]]) + place * box["width"] / 390


@pytest.mark.parametrize("line_search, step", [("wolfe", 1.0), ("backtracking", 1.0)])
def test_the_tables_are_the_runs_of_soo_lib(open_page, line_search, step):
    page = open_page(
        f"?valley.line_search={line_search}&valley.step={step}&valley.x=-0.6&valley.y"
        "=0.9&valley.b=20&valley.method=bfgs&valley.at=3",
        **AT_REST,
    )
    run, race, search = tables(page)
    known = {
        name: minimize(
            Rosenbrock(b=20), [-0.6, 0.9], name, line_search, step=step, maxiter=3000, gtol=1e-6
        )
        for name in METHODS
    }
    for name, row in zip(METHODS, race, strict=True):
        found = known[name]
        fork = 0.02 if found.nit > 100 else 0  # a long zigzag's rounding, see test_live.py
        assert row[0] == name and int(row[1]) == pytest.approx(found.nit, rel=fork)
        assert int(row[2]) == pytest.approx(found.trace.evaluations[-1], rel=fork)
        assert row[4].partition(" ")[0] == found.message.partition(" ")[0]
    trace, shown = known["bfgs"].trace, numbers(run)
    columns = [range(len(trace)), *np.transpose(trace.x), trace.fun, trace.gnorm, trace.step]
    for column, values in zip(shown.T, columns):
        large = np.abs(values) > 1e-9
        np.testing.assert_allclose(column[large], np.asarray(values)[large], rtol=6e-3)
    z, tried = trace.x[3], np.array(trace.trials[4])  # the search from iteration 3
    lengths = np.linalg.norm(tried - z, axis=1) / np.linalg.norm(trace.x[4] - z) * trace.step[4]
    assert numbers(search)[0] == pytest.approx([0, trace.fun[3]], rel=6e-3)
    np.testing.assert_allclose(sorted(numbers(search)[1:, 0]), sorted(lengths), rtol=6e-3)


def test_it_runs_when_the_page_opens_and_stops_at_a_word(open_page):
    page = open_page()
    where = "+document.querySelector('.where').textContent.match(/\\d+/)[0]"
    page.wait_for_function(f"{where} > 2 && {where} < 900")
    page.get_by_role("button", name=re.compile("^bfgs \\d")).click()  # while it runs
    page.wait_for_function("document.querySelector('.readout').textContent.startsWith('bfgs, ')")
    page.get_by_role("button", name="Play or pause").click()
    at = page.evaluate(where)
    page.wait_for_timeout(700)
    assert page.evaluate(where) == at
    still = open_page(**AT_REST)
    assert still.locator(".where").inner_text() == "iteration 998 of 998"


def test_the_start_is_dragged_and_nudged(open_page):
    page = open_page(**AT_REST)
    page.mouse.move(*to_pixels(page, -1.4, 1.8))
    page.mouse.down()
    page.mouse.move(*to_pixels(page, 0.5, -0.5), steps=3)
    page.mouse.up()
    np.testing.assert_allclose(start(page), [0.5, -0.5], atol=0.02)
    before = start(page)
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    np.testing.assert_allclose(start(page) - before, [0.02, 0.12], atol=6e-3)
    page.mouse.move(*to_pixels(page, 1, 1))
    settle(page)
    assert page.locator(".readout").inner_text().startswith("at (1, ")
    for place, words in ((0, "after "), (1, "φ(")):
        page.locator(".side svg[role=img]").nth(place).hover()
        settle(page)
        assert page.locator(".readout").inner_text().startswith(words)


def test_what_is_the_browsers_moves_nothing(open_page):
    """Alt and an arrow go back a page; the second button asks for a menu."""
    page = open_page(**AT_REST)
    plane, before = page.locator(".valley-plane"), start(page)
    plane.evaluate("""node => { node.focus(); window.kept = node.dispatchEvent(new KeyboardEvent(
        "keydown", { key: "ArrowLeft", altKey: true, cancelable: true })); }""")
    page.mouse.click(*to_pixels(page, 0.5, 0.5), button="right")
    assert page.evaluate("kept") and (start(page) == before).all()


def test_the_slider_keeps_its_length_as_the_digits_grow(open_page):
    page, slider = open_page(**AT_REST), ".steps input"
    lengths = [page.locator(slider).bounding_box()["width"]]
    page.locator(slider).press("Home")
    settle(page)
    assert page.locator(".where").inner_text() == "iteration 0 of 998"
    assert [page.locator(slider).bounding_box()["width"]] == lengths


def test_a_finger_drags_the_ring_and_taps_elsewhere(open_page):
    page = open_page(width=390, has_touch=True, **AT_REST)
    page.touchscreen.tap(*to_pixels(page, 0.4, 1.2))
    np.testing.assert_allclose(start(page), [0.4, 1.2], atol=0.03)
    page.evaluate("scrollTo(0, 0)")
    touch = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", (0.4, 1.2)), ("touchMove", (0.4, 0.6)), ("touchMove", (0, 0))):
        x, y = to_pixels(page, *at)
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.evaluate("scrollY") == 0  # the ring moved, not the page
    np.testing.assert_allclose(start(page), [0, 0], atol=0.03)


def test_step_by_step(open_page):
    page = open_page("?valley.at=4", **AT_REST)
    where = page.locator(".where")
    assert where.inner_text().startswith("iteration 4 of")
    page.get_by_role("button", name="One iteration back").click()
    settle(page)
    assert where.inner_text().startswith("iteration 3 of")
    page.get_by_label("iteration", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert where.inner_text().startswith("iteration 5 of")
    assert page.locator(".model").count() and page.locator(".trial").count()


def test_a_state_is_a_link_and_back(open_page):
    page = open_page("?valley.loss=quadratic&valley.kappa=55&other=1", **AT_REST)
    page.locator("[name=method]").select_option("nlcg")
    page.locator("[name=angle]").fill("12.5")
    page.locator("[name=angle]").press("Enter")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("document.querySelector('.address').value")
    search = "?" + page.locator(".address").input_value().partition("?")[2]
    assert "other=1" in search
    again = open_page(search, **AT_REST)
    known = {"loss": "quadratic", "kappa": "55", "method": "nlcg", "angle": "12.5"}
    for name, value in known.items():
        assert again.locator(f"[name={name}]").input_value() == value
    assert tables(again) == tables(page)


def test_nonsense_in_a_link_is_said_and_left_out(open_page):
    page = open_page(
        "?valley.step=1e400&valley.b=NaN&valley.method=dogs&valley.at=-3&valley.x=&"
        "valley.story=none",
        **AT_REST,
    )
    said = page.locator(".status").inner_text()
    for words in (
        "got “1e400”",
        "steepness b must be a number from 0.1 to 1000; got “NaN”",
        "solver must be one of gradient, newton",
        "at must be a whole number from 0",
        "x must be a number from −2 to 2; got “”",
        "story must be one of",
    ):
        assert words in said
    assert len(tables(page)[1]) == 5


@pytest.mark.parametrize("text", ["NaN", "1e400", "-1", "many", ""])
def test_nonsense_in_a_field_is_said_and_not_taken(open_page, text):
    page = open_page(**AT_REST)
    before = tables(page)
    page.locator("[name=step]").fill(text)
    page.locator("[name=step]").press("Enter")
    assert f"must be a number from 10⁻⁴ to 10; got “{text}”" in page.locator(".status").inner_text()
    assert tables(page) == before


def test_what_diverges_is_said_and_stays_in_bounds(open_page):
    page = open_page("?valley.line_search=fixed&valley.method=gradient&valley.b=1000", **AT_REST)
    settle(page)
    said = page.locator(".beyond").inner_text()
    assert "Out of the picture: gradient (it diverged), up to a loss of ∞; newton, up to" in said
    assert "diverged" in page.locator(".outcome").inner_text()
    ticks = page.locator(".side svg").first.locator("text").all_text_contents()
    assert np.nanmax([number(text) for text in ticks]) <= 1e4
    assert page.locator(".legend button").all_inner_texts()[0].endswith("✗")


class TestStories:
    """What a story's sentence says is what its run does."""

    def told(self, open_page, name, search=""):
        page = open_page(search, **AT_REST)
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
        return page

    def test_limit(self, open_page):
        page = self.told(open_page, "A step of 2/λ_max")
        loss = numbers(tables(page)[0])[:, 3]
        assert loss[-1] > 0.5 * loss[0]
        mark = page.locator(".mark:not([hidden])")
        assert mark.inner_text() == "2/λ_max" and mark.get_attribute("title").endswith(" 0.1")
        for step, settles in ((0.095, True), (0.105, False)):
            page.locator("[name=step]").fill(str(step))
            page.locator("[name=step]").press("Enter")
            loss = numbers(tables(page)[0])[:, 3]
            assert (loss[-1] < 0.1 * loss[0]) == settles

    def test_newton_goes_up(self, open_page):
        run = numbers(tables(self.told(open_page, "Newton goes up first"))[0])
        assert run[:, 3] == pytest.approx([1, 50, 0], abs=1e-9)

    def test_insurance(self, open_page):
        page = self.told(open_page, "The search as insurance")
        run, pure = numbers(tables(page)[0]), int(tables(page)[1][0][2])
        assert run[:, 3].max() > 1000
        assert "Out of the picture: newton" in page.locator(".beyond").inner_text()
        page.locator("[name=line_search]").select_option("backtracking")
        run, race, _ = tables(page)
        known = minimize(Saddle(), [-1.4, 0.415], "newton", "backtracking", gtol=1e-6)
        assert int(race[0][1]) == known.nit and (np.diff(numbers(run)[:, 3]) <= 0).all()
        assert int(race[0][2]) < pure and page.locator(".beyond").inner_text() == ""

    def test_bfgs(self, open_page):
        """Its ellipse comes to be Newton's, drawn over it."""
        page = self.told(open_page, "BFGS learns the floor")
        own, true = page.locator("path.model.own").first, page.locator("path.model.thin").first

        def sizes():
            boxes = "node => [node.getBBox().width, node.getBBox().height]"
            return np.array([path.evaluate(boxes) for path in (own, true)])

        early = sizes()
        for _ in range(20):
            page.get_by_role("button", name="One iteration on").click()
        settle(page)
        late = sizes()
        assert np.abs(np.log(early[0] / early[1])).max() > 0.5
        assert np.abs(np.log(late[0] / late[1])).max() < 0.12

    def test_ridge(self, open_page):
        page = self.told(open_page, "On the ridge")
        for row in tables(page)[1]:
            assert number(row[3]) == pytest.approx(0, abs=1e-9) and "converged" in row[4]
        ring = page.locator(".grip").bounding_box()
        x, y = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y - 3)
        page.mouse.up()
        assert all(number(row[3]) == pytest.approx(-0.25, rel=1e-2) for row in tables(page)[1])

    def test_a_link_in_the_text_tells_it(self, open_page):
        query = "?valley.story=" + quote("Newton goes up first")
        text = f'<p style="margin-top: 90rem"><a href="{query}">story</a></p>'
        page = open_page(below=text, **AT_REST)
        page.get_by_role("link", name="story").click()
        settle(page)
        assert page.locator("[aria-pressed=true]").first.inner_text() == "Newton goes up first"
        assert page.evaluate("scrollY") < 300 and len(tables(page)[0]) == 3
        again = open_page(page.evaluate("location.search"), **AT_REST)
        assert tables(again) == tables(page)
        assert "first step leads up" in again.locator(".said").inner_text()

    def test_back_and_forward_turn_to_the_state_of_the_address(self, open_page):
        links = {"one": "?valley.story=On+the+ridge", "two": "?valley.b=7", "up": "#up"}
        below = "".join(f'<a href="{link}">{name}</a> ' for name, link in links.items())
        page = open_page(below=below, **AT_REST)
        seen = [tables(page)]
        for name in ("one", "two"):
            page.get_by_role("link", name=name, exact=True).click()
            settle(page)
            seen.append(tables(page))
        for turn, known in ((page.go_back, 1), (page.go_back, 0), (page.go_forward, 1)):
            turn()
            settle(page)
            assert tables(page) == seen[known]
            assert page.locator("[data-story][aria-pressed=true]").count() == known
        page.locator("[name=method]").select_option("bfgs")
        mine = tables(page)
        page.get_by_role("link", name="up").click()  # another address, but no other state
        page.go_back()
        assert page.url.endswith("ridge") and tables(page) == mine


def test_a_links_story_is_seen_in_its_row(open_page):
    """On a phone the stories are a row that scrolls; the page stays where it is."""
    page = open_page("?valley.story=BFGS learns the floor", width=390, **AT_REST)
    settle(page)
    seen = """() => { const row = document.querySelector('.stories').getBoundingClientRect();
        const { left, right } = document.querySelector('[data-story][aria-pressed=true]')
            .getBoundingClientRect();
        return row.left <= left && right <= row.right && !scrollX && !scrollY; }"""
    assert page.evaluate(seen)
    page.locator("[data-story='A step of 2/λ_max']").evaluate("node => node.click()")
    assert page.evaluate(seen)


def test_python_says_what_comes_first(open_page):
    widget = Valley("lbfgs", "backtracking", 0.5, start=(0, 0), b=7, race=False)
    page = open_page(first=json.dumps(widget.first), **AT_REST)
    known = minimize(Rosenbrock(b=7), [0, 0], "lbfgs", "backtracking", step=0.5, gtol=1e-6)
    run, race, *_ = tables(page)
    assert [row[0] for row in race] == ["lbfgs"] and len(run) == known.nit + 1
    page.locator("[name=b]").fill("9")
    page.get_by_role("button", name="Reset").click()
    assert tables(page)[0] == run


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_no_overflow_and_valley_and_stepper_at_once(open_page, width):
    page = open_page("?valley.line_search=fixed", width=width, **AT_REST)
    tables(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plane, steps = (page.locator(name).bounding_box() for name in (".valley-plane", ".steps"))
    assert steps["y"] + steps["height"] - plane["y"] < 500


@pytest.mark.parametrize("width", [390, 700, 720, 1000])
def test_every_label_has_ten_pixels(open_page, width):
    page = open_page(width=width, **AT_REST)
    settle(page)
    sizes = page.locator(".soo-live svg text").evaluate_all("""all => all.map((text) =>
        parseFloat(getComputedStyle(text).fontSize)
            * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b))""")
    assert len(sizes) > 20 and min(sizes) >= 10


def test_the_widgets_text_can_be_a_file_of_the_site():
    assert not re.search(r"^import\b", Valley._esm, re.MULTILINE)
    assert Valley._esm.endswith("export default { render };\n")


@pytest.mark.parametrize("name", ["welcome", "rosenbrock"])
class TestBuiltPage:
    """Where the book shows it: first on its page, and as a figure where no script runs."""

    def test_it_stands_in_the_first_screen_and_runs(self, visit, name):
        for address in (f"book/{name}.html", (HTML / "book" / f"{name}.html").as_uri()):
            page = visit(address, ready=".soo-live svg text")
            assert page.locator(".soo-live .valley-plane").bounding_box()["y"] < 600
            assert not page.locator("div.cell_output:has(.soo-live) img").is_visible()
            assert page.locator(".soo-explorer-caption").is_visible()
            page.wait_for_function("document.querySelector('.where').textContent.match(/ [1-9]/)")

    def test_without_scripts_a_figure_and_its_caption_stand_there(self, visit, name):
        page = visit(f"book/{name}.html", ready=None, java_script_enabled=False)
        still = page.locator("div.cell_output:has(.soo-explorer-caption) img")
        assert still.is_visible() and len(still.get_attribute("alt")) > 40
        assert "Rosenbrock" in page.locator(".soo-explorer-caption").inner_text()

    def test_the_texts_links_name_stories(self, visit, name):
        page = visit(f"book/{name}.html", ready=".soo-live svg text", width=390, **AT_REST)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        links = page.locator("article a[href*='?valley.']").all()
        assert len(links) >= 5 or name == "welcome"
        for link in links:
            link.evaluate("node => node.click()")
            assert page.locator(".soo-live .status").inner_text() == ""
            if "story" in link.get_attribute("href"):
                assert page.locator(".soo-live [data-story][aria-pressed=true]").count() == 1

    def test_axe(self, visit, name):
        page = visit(
            f"book/{name}.html?valley.line_search=fixed&valley.at=1",
            ready=".soo-live svg text",
            formulas=False,
        )
        tables(page)
        for theme in in_each_theme(page):
            assert not violations(page, ".soo-live"), theme
