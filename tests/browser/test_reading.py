"""What reading.js adds: meanings of terms, enlarged figures, a cue where something scrolls."""

import pytest
from conftest import violations

PAGE = "book/trusting-a-model.html"  # it has terms, figures, formulas, tables and no slow picture
TERM = '.bd-article a[href*="#term-trust-region"]'
NOTE = "#term-note"
SET = """[...document.querySelectorAll(".bd-article .math")]
    .every(formula => formula.querySelector("mjx-container"))"""


def read(visit, page=PAGE, **settings):
    opened = visit(page, ready=".bd-article .math", **settings)
    opened.wait_for_function(SET)
    opened.evaluate("document.fonts.ready")
    return opened


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_term_shows_its_meaning(visit, theme):
    asked = []
    page = read(visit, theme=theme)
    page.on("request", lambda request: asked.append(request.url))
    term, note = page.locator(TERM).first, page.locator(NOTE)
    assert note.is_hidden()
    term.scroll_into_view_if_needed()
    term.hover()
    note.wait_for(state="visible")
    assert "a quadratic model is believed" in note.text_content()
    assert not note.locator("a").count()  # nothing in it needs to be reached
    assert term.get_attribute("aria-describedby") == "term-note"
    box, link = note.bounding_box(), term.bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= 1280
    assert abs(box["y"] - link["y"]) < 200  # beside the word
    assert not violations(page, "#term-note")
    page.mouse.move(box["x"] + 9, box["y"] + 9)  # it may be read with the mouse on it
    page.wait_for_timeout(400)
    assert note.is_visible()
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")
    assert term.get_attribute("aria-describedby") is None
    assert sum("glossary.html" in url for url in asked) == 1
    page.mouse.move(0, 0)
    term.hover()
    note.wait_for(state="visible")
    assert sum("glossary.html" in url for url in asked) == 1  # fetched once


def test_the_keyboard_sees_a_meaning_too(visit):
    page = read(visit)
    page.keyboard.press("Tab")  # so that focus is the keyboard's
    page.locator(TERM).first.focus()
    page.locator(NOTE).wait_for(state="visible")
    page.keyboard.press("Escape")
    page.locator(NOTE).wait_for(state="hidden")
    assert page.evaluate(
        "document.activeElement.matches(arguments_)".replace("arguments_", repr(TERM))
    )


def test_a_formula_in_a_meaning_is_set(visit):
    page = read(visit, "book/learning-the-curvature.html")
    page.locator('.bd-article a[href*="#term-secant-equation"]').first.hover()
    page.locator(f"{NOTE} mjx-container").first.wait_for()


def test_a_tap_on_a_term_follows_its_link(visit):
    page = read(visit, width=390, has_touch=True, is_mobile=True)
    page.locator(TERM).first.tap()
    page.wait_for_url("**/glossary.html#term-trust-region")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_figure_is_enlarged_and_the_focus_comes_back(visit, theme):
    page = read(visit, theme=theme)
    dialog, button = page.locator("dialog.enlarged"), page.locator("figure .enlarge").first
    assert page.locator("figure .enlarge").count() == page.locator("figure").count() >= 2
    button.focus()
    page.keyboard.press("Enter")
    dialog.wait_for(state="visible")
    assert dialog.get_attribute("aria-label").startswith("Fig. ")
    image = dialog.locator("img")
    assert image.get_attribute("alt") == page.locator("figure img").first.get_attribute("alt")
    assert "lowest point" in dialog.text_content()
    assert not violations(page, "dialog.enlarged")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert button.evaluate("node => node === document.activeElement")
    page.locator("figure img").first.click()
    dialog.locator("button").click()
    dialog.wait_for(state="hidden")


def test_a_finger_enlarges_a_figure(visit):
    page = read(visit, width=390, has_touch=True, is_mobile=True, reduced_motion="reduce")
    figure = page.locator("figure img").first
    figure.scroll_into_view_if_needed()
    small = figure.bounding_box()["width"]
    figure.tap()
    dialog = page.locator("dialog.enlarged")
    dialog.wait_for(state="visible")
    assert dialog.locator("img").bounding_box()["width"] > 1.6 * small
    assert dialog.bounding_box()["width"] <= 390
    assert dialog.evaluate("node => getComputedStyle(node).animationName") == "none"


WIDE = [
    "six-criteria",
    "reproduction",
    "paper-errors",
    "which-solver",
    "fashion-mnist",
    "when-curvature-pays",
    "at-full-size",
    "notation",
    "bibliography",
    "reference/solvers",
]
BOXES = ".bd-article .pst-scrollable-table-container"


@pytest.mark.parametrize("name", WIDE)
def test_on_a_phone_tables_and_formulas_scroll_in_their_boxes(visit, name):
    page = visit(f"book/{name}.html", width=390, ready=".bd-article h1")
    if page.locator(".bd-article .math").count():
        page.wait_for_function(SET)
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function(f"""[...document.querySelectorAll("{BOXES}")].every(
        (box) => box.classList.contains("goes-on") === (box.scrollWidth - box.clientWidth > 2))""")
    found = page.locator(BOXES).evaluate_all("""boxes => boxes.map(box => {
        const first = box.querySelector("tbody :is(td, th)");
        const before = first.getBoundingClientRect().left;
        const rest = box.scrollWidth - box.clientWidth;
        const cue = box.classList.contains("goes-on"), reached = box.tabIndex === 0;
        box.scrollLeft = rest;
        const last = box.querySelector("tr > :last-child").getBoundingClientRect();
        const seen = last.right <= box.getBoundingClientRect().right + 1;
        const kept = Math.abs(first.getBoundingClientRect().left - before) < 1;
        return [rest > 2, cue, reached, seen, kept];
    })""")
    for goes_on, cue, reached, seen, kept in found:
        assert cue == goes_on and seen and kept and (reached or not goes_on), found
    formulas = page.locator(".bd-article div.math mjx-container").evaluate_all(
        "all => all.map(box => [box.scrollWidth - box.clientWidth > 2,"
        " box.classList.contains('goes-on')])"
    )
    assert all(cue == goes_on for goes_on, cue in formulas)
    # A formula of a few letters has nothing to scroll to: it neither fades nor stops the Tab key.
    page.wait_for_function("""() => ![...document.querySelectorAll("span.math.goes-on")].some(
        box => box.clientWidth < 100)""")


def test_the_cue_goes_where_the_end_is_reached(visit):
    page = visit("book/reproduction.html", width=390, ready=f"{BOXES}.goes-on")
    box = page.locator(f"{BOXES}.goes-on").first.element_handle()
    box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    page.wait_for_function("box => !box.classList.contains('goes-on')", arg=box)
