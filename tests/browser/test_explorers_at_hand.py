"""Every explorer on the built pages, in a reader's hands: read, stepped, linked, on a phone."""

import gzip
import re

import pytest
from built import HTML
from conftest import in_each_theme, violations
from test_explorers import CONTROLS, EXPLORER, NEEDS, chosen, frame, number, spec_of, told


def stands_alone(page):
    """The explorer fills its column, and the figure that it replaces is away."""
    still = page.locator(f"div.cell_output:has({EXPLORER}) img:not(.photo)")
    assert not still.is_visible()
    assert page.locator(".soo-explorer-caption").last.is_visible()
    own = page.locator(EXPLORER).bounding_box()
    panels = [panel.bounding_box() for panel in page.locator(f"{EXPLORER} .panel").all()]
    assert min(p["x"] for p in panels) - own["x"] < 8
    assert own["x"] + own["width"] - max(p["x"] + p["width"] for p in panels) < 8


def test_a_place_on_a_path_has_the_name_of_its_step(visit):
    """A path of 130 steps shows a few of them: their numbers in the run, not in the picture."""
    page = visit("book/conjugate-directions.html", formulas=False)
    page.locator(f"{EXPLORER} .steps input").press("End")
    plot = page.locator(f"{EXPLORER} .plot").first
    plot.press("End")
    step = page.locator(f"{EXPLORER} .where").text_content()
    assert plot.get_attribute("aria-valuetext").startswith(f"{step}: x = ")


def are_read(page):
    """Its values, by pointer and by keyboard."""
    for plot in page.locator(f"{EXPLORER} .plot").all():
        plot.focus()
        texts = []
        for key in ("Home", "ArrowRight", "ArrowRight", "End"):
            page.keyboard.press(key)
            texts.append(plot.get_attribute("aria-valuetext"))
        assert len(set(texts)) >= 3, texts
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        shown = plot.locator("xpath=../p[@class='readout']").text_content()
        assert re.search(r"\d", shown)
        page.mouse.move(0, 0)


@pytest.mark.parametrize("name", NEEDS)
def test_it_stands_alone_steps_plays_keeps_resets_and_is_read(visit, name):
    page = visit(f"book/{name}.html", formulas=False, reduced_motion="reduce")
    stands_alone(page)
    last = int(page.locator(f"{EXPLORER} .steps input").get_attribute("max"))
    start = frame(page)
    page.locator(f"{EXPLORER} .steps input").focus()
    page.keyboard.press("Home")
    assert frame(page) == 0
    page.locator(EXPLORER).get_by_role("button", name="One step on").click()
    assert frame(page) == 1
    page.locator(EXPLORER).get_by_role("button", name="One step back").click()
    page.locator(EXPLORER).get_by_role("button", name="Play").click()
    page.wait_for_function(
        f"n => +document.querySelector('{EXPLORER} .steps input').value === n",
        arg=last,
        polling=100,
    )
    page.locator(EXPLORER).get_by_role("button", name="Keep to compare").click()
    assert "kept:" in page.locator(f"{EXPLORER} .legend").text_content()
    page.locator(CONTROLS).first.press("End")
    ghosts = page.locator(f"{EXPLORER} .run.ghost").count()
    assert ghosts or name == "hessian"
    page.locator(EXPLORER).get_by_role("button", name="Reset").click()
    assert frame(page) == start and not page.locator(f"{EXPLORER} .run.ghost").count()
    are_read(page)


@pytest.mark.parametrize("name", NEEDS)
def test_a_copied_link_restores_the_choice(visit, name):
    page = visit(
        f"book/{name}.html", formulas=False, permissions=["clipboard-read", "clipboard-write"]
    )
    spec, first = spec_of(name), page.locator(CONTROLS).first
    control = first.get_attribute("name")
    first.press("Home" if spec["initial"][control] == spec["controls"][control][-1] else "End")
    page.locator(EXPLORER).get_by_role("button", name="One step back").click()
    page.locator(EXPLORER).get_by_role("button", name="Copy link").click()
    page.wait_for_function(
        f"document.querySelector('{EXPLORER} .status').textContent === 'Link copied.'"
    )
    again = visit(page.evaluate("navigator.clipboard.readText()"))
    assert chosen(told(again), spec) == chosen(told(page), spec) != spec["initial"]
    assert frame(again) == frame(page)


@pytest.mark.parametrize("name", NEEDS)
def test_axe_finds_nothing(visit, name):
    """Of a table's rows, which are all made alike, the first: each cell's contrast is measured."""
    page = visit(f"book/{name}.html", formulas=False)
    page.evaluate(
        "for (const fold of document.querySelectorAll('.soo-explorer details')) fold.open = true"
    )  # those of a live picture on the same page too
    rest = ".soo-explorer tbody tr:nth-child(n + 5)"
    for theme in in_each_theme(page):
        assert not violations(page, {"include": ".soo-explorer", "exclude": rest}), theme


@pytest.mark.parametrize("name", NEEDS)
def test_a_phone_shows_a_panel_and_the_steps_at_once_and_nothing_overflows(visit, name):
    page = visit(f"book/{name}.html", width=390)
    steps = page.locator(f"{EXPLORER} .steps")
    steps.evaluate("node => node.scrollIntoView({block: 'end'})")
    page.wait_for_timeout(100)
    assert page.locator(f"{EXPLORER} .panel").last.bounding_box()["y"] > 60  # below the header
    box = steps.bounding_box()
    assert box["y"] + box["height"] <= 902
    page.locator(f"{EXPLORER} summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    beyond = page.locator(f"{EXPLORER} :not(svg *, .tables *)").evaluate_all(
        "all => all.filter(e => e.getBoundingClientRect().right > 390).map(e => e.outerHTML)"
    )
    assert not beyond


def test_nonsense_in_a_link_is_said_and_what_is_shown_instead(visit):
    page = visit("book/sampling.html?sampling.batches=dogs&sampling.batch_size=40", formulas=False)
    said = page.locator(f"{EXPLORER} .status").text_content()
    assert "not all that the link asks for: now batches drawn, batch size 40" in said


def test_a_value_that_is_missing_has_no_ring_and_a_value_its_axis_name(visit):
    """The last step has no direction, and so no angle."""
    page = visit("book/conjugate-directions.html", formulas=False)
    plot = page.locator(f"{EXPLORER} .plot").last
    plot.press("Home")
    assert plot.get_attribute("aria-valuetext").startswith("step 0: ")
    assert plot.locator(".cursor").count() == 1
    plot.press("End")
    assert plot.get_attribute("aria-valuetext").endswith("–")
    assert plot.locator(".cursor").count() == 0


def test_what_diverges_stays_in_bounds_and_is_said(visit):
    page = visit("book/when-curvature-pays.html?rules.rule=sgd", formulas=False)
    page.locator(f"{EXPLORER} [name=batch_size]").press("End")
    said = page.locator(f"{EXPLORER} .beyond")
    assert re.search(r"Out of the picture above: up to \d", said.text_content())
    ticks = page.locator(f"{EXPLORER} .tick.up").all_text_contents()
    assert max(map(number, ticks)) <= 20
    assert page.locator(f"{EXPLORER} .run path").count() >= 1
    page.locator(f"{EXPLORER} [name=rule]").select_option("kronecker")
    assert said.text_content() == ""


@pytest.mark.parametrize("name", NEEDS)
def test_without_scripts_a_figure_and_its_caption_stand_there(visit, name):
    page = visit(f"book/{name}.html", ready=None, java_script_enabled=False)
    caption = page.locator(".soo-explorer-caption").last
    still = page.locator("div.cell_output:has(.soo-explorer-caption) img").last
    assert caption.is_visible() and len(caption.text_content()) > 20
    assert still.is_visible() and still.bounding_box()["width"] > 200
    assert len(still.get_attribute("alt")) > 40


@pytest.mark.parametrize("name", NEEDS)
def test_it_stands_alone_in_a_file_too(visit, name):
    page = visit(
        (HTML / "book" / f"{name}.html").as_uri(), formulas=False, ready=f"{EXPLORER} svg text"
    )
    stands_alone(page)


@pytest.mark.parametrize("name", NEEDS)
def test_the_page_stays_small(name):
    text = (HTML / "book" / f"{name}.html").read_text("utf-8")
    without = re.sub(r'(widget-state\+json">).*?(</script>)', r"\1\2", text, flags=re.DOTALL)
    raw, packed = (len(f(text.encode())) - len(f(without.encode())) for f in (bytes, gzip.compress))
    assert raw <= 250_000 and packed <= 60_000, (raw, packed)
