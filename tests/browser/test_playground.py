"""The playground as a reader meets it: by mouse and keys, through links, with nonsense in a field.

The widget's text in a bare page, so no book need be built.
"""

import functools
import itertools
import re

import pytest
from conftest import violations

from soo_lib.book.live import Playground


@pytest.fixture
def open_page(bare):
    """Opens the playground with a search part."""
    return functools.partial(bare, Playground)


def status(page):
    return page.locator(".soo-live .status").inner_text()


def iteration(page):
    return int(re.search(r"iteration (\d+)", page.locator(".clock").inner_text())[1])


def steps(page, n, looks=False):
    """n times the button Step; with ``looks`` each waits for its row's eigenvalues."""
    page.locator("details").evaluate("node => { node.open = true; }")
    page.evaluate(
        """async ([n, looks]) => {
        await new Promise(requestAnimationFrame);  // in which the runs just asked for are built
        const last = () => document.querySelector('.tables tr:last-child');
        const known = () => last()?.cells[6].textContent ?? '–';
        while (looks && known() === '–') await new Promise(requestAnimationFrame);
        for (let i = 0; i < n; i++) {
            [...document.querySelectorAll('button')].find((b) => b.textContent === 'Step').click();
            do await new Promise(requestAnimationFrame); while (looks && known() === '–');
        }
    }""",
        [n, looks],
    )
    page.wait_for_function(f"document.querySelector('.clock').textContent.includes(' {n} ')")


def table(page):
    """The run's table as numbers, NaN where there is none; column 0 is the iteration."""
    page.wait_for_selector(".tables tbody tr")
    rows = page.evaluate("""() => [...document.querySelectorAll('.tables tbody tr')].map(
        (row) => [...row.cells].map((cell) => cell.textContent))""")
    return [[number(text) for text in row] for row in rows]


def number(text):
    found = re.fullmatch(r"(−?[\d.]*)(?:·?10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+))?", text)
    if not found or not text:
        return float("nan")
    power = (found[2] or "⁰").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    front = {"": "1", "−": "-1"}.get(found[1], found[1].replace("−", "-"))
    return float(front) * 10 ** int(power)


def test_the_widgets_text_can_be_a_file_of_the_site():
    assert not re.search(r"^import\b", Playground._esm, re.MULTILINE)
    assert Playground._esm.endswith("export default { render };\n")


def test_runs_pauses_steps_and_starts_again(open_page):
    page = open_page()
    assert iteration(page) == 0
    page.locator("button.primary").click()
    page.wait_for_function("+document.querySelector('.clock').textContent.match(/\\d+/)[0] > 3")
    page.locator("button.primary").click()
    page.wait_for_selector("button.primary:has-text('Run')")
    at = iteration(page)
    page.get_by_role("button", name="Step").click()
    page.wait_for_function(f"document.querySelector('.clock').textContent.includes(' {at + 1} ')")
    page.get_by_role("button", name="Start again").click()
    page.wait_for_function("document.querySelector('.clock').textContent.includes(' 0 ')")


def test_reset_starts_again_and_takes_back_what_was_typed(open_page):
    """Also where no field has another value than at first; so does a story that is told again."""
    page = open_page(reduced_motion="reduce")  # a story does not run by itself
    page.locator("[name=noise]").fill("many")
    page.locator("[name=noise]").press("Enter")
    steps(page, 2)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelector('.clock').textContent.includes(' 0 ')")
    assert page.locator("[name=noise]").input_value() == "0.25"
    for _ in range(2):
        page.locator("[data-story='A saddle at zero']").click()
        page.wait_for_function("document.querySelector('.clock').textContent.includes(' 0 ')")
        page.get_by_role("button", name="Step").click()
        page.wait_for_function("document.querySelector('.clock').textContent.includes(' 1 ')")


def test_what_is_being_typed_stays_while_runs_go_on(open_page):
    page = open_page()
    page.locator("button.primary").click()
    page.locator("[name=hidden]").fill("5 5")
    at = iteration(page)
    page.wait_for_function(
        "(at) => document.querySelector('.clock').textContent.match(/\\d+/)[0] > at + 2", arg=at
    )
    assert page.locator("[name=hidden]").input_value() == "5 5"
    page.locator("[name=hidden]").press("Tab")
    page.wait_for_function("document.querySelector('.clock').textContent.includes('57 param')")


def test_a_choice_is_a_link(open_page):
    page = open_page(
        "?playground.data=spirals&playground.a_method=bfgs&playground.a_step=0.5"
        "&playground.hidden=3+4&other=1"
    )
    assert status(page) == ""
    known = {"data": "spirals", "a_method": "bfgs", "a_step": "0.5", "hidden": "3 4"}
    for name, value in known.items():
        assert page.locator(f"[name={name}]").input_value() == value
    page.locator("[name=activation]").select_option("relu")
    page.get_by_role("button", name="a unit more in layer 2").click()
    page.get_by_role("button", name="Copy link").click()
    address = page.locator(".address")
    page.wait_for_function("document.querySelector('.address').value")
    again = open_page(address.input_value().partition("/")[2].partition("/")[2].partition("/")[2])
    assert again.locator("[name=activation]").input_value() == "relu"
    assert again.locator("[name=hidden]").input_value() == "3 5"
    assert "other=1" in address.input_value()


def test_nonsense_in_a_link_is_said_and_left_out(open_page):
    page = open_page(
        "?playground.noise=NaN&playground.a_step=1e400&playground.data=dogs"
        "&playground.hidden=999&playground.seed=1.5&playground.b_batch="
    )
    said = status(page)
    for words in (
        "noise must be a number from 0 to 0.6; got “NaN”",
        "got “1e400”",
        "points must be one of moons, circles, spirals, blobs; got “dogs”",
        "hidden layers must be up to six widths",
        "got “999”",
        "seed of the points must be a whole number from 0 to 99; got “1.5”",
        "must be a whole number from 1 to 150; got “”",
    ):
        assert words in said
    steps(page, 1)


@pytest.mark.parametrize("text", ["NaN", "1e400", "-1", "many", ""])
def test_nonsense_in_a_field_is_said_and_not_taken(open_page, text):
    page = open_page()
    page.locator("[name=a_step]").fill(text)
    page.locator("[name=a_step]").press("Enter")
    assert f"step must be a number from 0.001 to 100; got “{text}”" in status(page)
    steps(page, 1)
    assert page.locator("[name=a_step]").input_value() in ("1", text)


def test_a_net_too_large_for_newton_is_said(open_page):
    page = open_page("?playground.hidden=16+16&playground.a_method=newton")
    steps(page, 2)
    outcomes = page.locator(".outcome").all_inner_texts()
    assert "Newton needs all 354² second derivatives" in outcomes[0]
    assert "recognised" in outcomes[1]


def test_a_run_that_diverges_says_so(open_page):
    page = open_page(
        "?playground.a_method=gradient&playground.a_search=fixed"
        "&playground.a_step=100&playground.activation=linear&playground.b_method=none"
        "&playground.scale=3"
    )
    page.locator("button.primary").click()
    page.wait_for_function("document.querySelector('.status').textContent.includes('end')")
    assert "diverged" in page.locator(".outcome").first.inner_text()


@pytest.mark.parametrize(
    "methods, limits", [("gradient momentum", 2), ("adam momentum", 1), ("lbfgs adam", 0)]
)
def test_the_curvature_is_held_against_each_solvers_own_limit(open_page, methods, limits):
    a, b = methods.split()
    page = open_page(f"?playground.a_method={a}&playground.b_method={b}")
    assert page.locator("svg.chart").nth(1).locator("line.level").count() == limits


def test_by_keys(open_page):
    page = open_page()
    page.locator(".regions").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    said = page.locator(".readout").first.inner_text()
    assert said.startswith("at (0.2, 0.2): blue") and "%" in said
    page.locator("button.primary").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("+document.querySelector('.clock').textContent.match(/\\d+/)[0] >= 2")


def test_the_focus_stays_where_a_layer_grows(open_page):
    page = open_page()
    page.get_by_label("a unit more in layer 2").focus()
    for n in (9, 10):
        page.keyboard.press("Enter")
        page.wait_for_function(
            f"document.querySelector('[name=hidden]').value === '8 {n}'", timeout=5000
        )
    page.get_by_label("a layer less").press("Enter")  # and beside it where it is of no more use
    page.wait_for_function("document.activeElement.title === 'a layer more'", timeout=5000)


def test_clicks_faster_than_a_frame_find_the_story(open_page):
    page = open_page(reduced_motion="reduce")
    page.evaluate("""() => { for (const text of ["A saddle at zero", "Step"])
        [...document.querySelectorAll("button")].find((b) => b.textContent === text).click(); }""")
    page.wait_for_function("document.querySelector('.clock').textContent.includes('32 param')")
    assert iteration(page) == 1


def test_a_pass_of_many_batches_is_sliced_and_no_click_is_lost(open_page):
    both = "".join(f"&playground.{side}_batch=1&playground.{side}_step=0.01" for side in "ab")
    page = open_page(
        "?playground.a_method=kronecker&playground.b_method=sgd"
        "&playground.hidden=16 16 16 16 16 16" + both
    )
    page.locator("details").evaluate("node => { node.open = true; }")
    page.wait_for_selector(".tables tbody tr")
    frames = page.evaluate("""async () => {
        const step = [...document.querySelectorAll('button')].find((b) => b.textContent === 'Step');
        const shown = () => +document.querySelector('.clock').textContent.match(/[0-9]+/)[0];
        step.click();
        let frames = 0;
        for (; shown() < 1; frames++) await new Promise(requestAnimationFrame);
        step.click(), step.click(), step.click();
        return frames;
    }""")
    assert frames > 5  # some hundred milliseconds, of which a frame gives eight
    page.wait_for_function("document.querySelector('.clock').textContent.includes(' 4 ')")
    page.wait_for_function("document.querySelectorAll('.tables tbody tr').length === 5")
    assert all(row[1] == row[1] and row[7] == row[7] for row in table(page))  # none is NaN


def test_a_new_start_takes_the_last_word_back(open_page):
    page = open_page(
        "?playground.hidden=1&playground.b_method=none&playground.data=blobs"
        "&playground.l2=1&playground.pace=240"
    )
    page.locator("button.primary").click()
    page.wait_for_function("document.querySelector('.status').textContent.includes('end')")
    page.get_by_role("button", name="Start again").click()
    assert status(page) == ""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_complaint_is_seen_from_the_field(open_page, width):
    page = open_page(width=width)
    page.locator("[name=noise]").focus()
    page.keyboard.type("NaN")
    page.keyboard.press("Enter")
    said, field = (
        page.locator(f".soo-live {one}").bounding_box() for one in (".status", "[name=noise]")
    )
    assert field["y"] > 0 and field["y"] + field["height"] <= said["y"]
    assert said["y"] + said["height"] <= 900


def test_a_finger_reads_the_plane(open_page):
    page = open_page(width=390, has_touch=True)
    page.locator(".regions").first.tap()
    assert "blue" in page.locator(".readout").first.inner_text()


def test_nothing_moves_by_itself_where_motion_is_unwelcome(open_page):
    page = open_page(reduced_motion="reduce")
    page.locator(".stories button").first.click()
    page.wait_for_timeout(500)
    assert iteration(page) == 0


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_no_overflow(open_page, width):
    page = open_page(width=width)
    steps(page, 2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_number_of_a_gauge_lies_on_another(open_page):
    page = open_page("?playground.story=Four+sigmoid+layers", width=390, reduced_motion="reduce")
    steps(page, 60)
    page.wait_for_function("document.querySelectorAll('.gauge b').length > 1")
    boxes = page.evaluate("""() => [...document.querySelectorAll(".bar :is(em, b)")].map((one) => {
        const text = document.createRange();
        text.selectNodeContents(one);
        const { left, right, top, bottom } = text.getBoundingClientRect();
        return [left, right, top, bottom]; })""")  # at once: every look makes them anew
    assert len(boxes) >= 10
    for a, b in itertools.combinations(boxes, 2):
        beside, below = (max(a[i], b[i]) >= min(a[i + 1], b[i + 1]) - 1 for i in (0, 2))
        assert beside or below


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe(open_page, theme):
    page = open_page(theme=theme)
    steps(page, 1)
    assert not violations(page, ".soo-live")


class TestStories:
    """What a story's sentence says is what its run does."""

    def told(self, open_page, name, n, looks=False):
        page = open_page(reduced_motion="reduce")
        page.get_by_role("button", name=name, exact=True).click()
        steps(page, n, looks)
        return table(page)

    def test_each_shows_a_curvature(self, open_page):
        """No story leads to empty axes: alpha times lambda_max is a number along -g alone."""
        page = open_page(reduced_motion="reduce")
        for story in page.locator("[data-story]").all():
            story.click()
            page.get_by_role("button", name="Step").click()
            page.wait_for_function("document.querySelector('.charts > :last-child circle')")

    def test_saddle(self, open_page):
        rows = self.told(open_page, "A saddle at zero", 40, looks=True)
        low, high = rows[0][5:7]
        assert high == pytest.approx(-low, rel=0.01) and low < -0.5
        assert rows[-1][1] < 0.5 * rows[-1][7]  # Newton's loss and gradient descent's

    def test_sigmoids(self, open_page):
        rows = self.told(open_page, "Four sigmoid layers", 120)
        assert rows[-1][1] < 0.01 and rows[-1][7] > 0.69

    def test_edge(self, open_page):
        rows = self.told(open_page, "The edge of stability", 25, looks=True)
        products = [row[4] * row[6] for row in rows[8:] if row[6] == row[6]]
        assert products and 1.5 < min(products) and max(products) < 2.7
        assert rows[-1][10] == 4

    def test_batch(self, open_page):
        rows = self.told(open_page, "A batch too small for curvature", 20)
        assert max(row[1] for row in rows[10:]) > 2 * max(row[7] for row in rows[10:])
        page = open_page(
            "?playground.a_search=fixed&playground.b_search=fixed"
            "&playground.a_batch=100&playground.b_batch=100&playground.a_rows=reshuffled"
            "&playground.b_rows=reshuffled"
        )
        steps(page, 40)
        assert table(page)[-1][1] < table(page)[-1][7]

    def test_spiral(self, open_page):
        rows = self.told(open_page, "A spiral in twelve iterations", 12)
        assert rows[-1][3] > 0.94 and rows[-1][9] < 0.8
