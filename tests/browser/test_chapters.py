"""Python in the page: the cells of chapters, edited and run where they stand by a real browser.

`make test` runs the quick half of the chapters, `make check-live` all of them and what they invite
a reader to change. Nothing runs where the book was built without its Python.
"""

import json
import re

import pytest
from built import HTML, ROOT

pytestmark = pytest.mark.skipif(
    not (HTML / "_static" / "pyodide" / "lock.json").exists(),
    reason="the book was built without its Python: tools/get_pyodide.py found no source of it",
)

LIVE = pytest.mark.live
# Seconds that a chapter's cells may take in the page, on a slow machine.
MOST = 600
CHAPTERS = {path.stem: path for path in sorted((ROOT / "book").glob("*.ipynb"))}
# These, with all that a page has to load, are done in half a minute or less; `make test` has them.
QUICK = {"rosenbrock"}
TRY = re.compile(r"\*\*Try:\*\* change `([^`]+)` to `([^`]+)`")
# What a cell gives, the published run's and the page's: without the buttons that copy it.
GIVEN = """cell => [...document.querySelectorAll(`#cell-${cell} .cell_output`)].map((place) => {
    const copy = place.cloneNode(true);
    copy.querySelectorAll('button').forEach((button) => button.remove());
    return copy.textContent.replaceAll('−', '-').replaceAll('’', "'").replace(/\\s+/g, '');
})"""
IDLE = "() => document.querySelector('.soo-main').textContent === 'Run'"


def cell_opened(page, place):
    place = page.locator(place)
    place.get_by_role("button", name="Edit and run").click()
    place.locator(".cm-content").wait_for()
    return place


def about(page):
    """What the page was told when it was built."""
    return json.loads(page.locator("#python-page").inner_text())


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=LIVE) for name in CHAPTERS]
)
def test_a_chapter_runs_in_its_page(visit, name):
    """No cell fails, and what a checked cell prints is what the published run printed."""
    page = visit(f"book/{name}.html", ready="article", formulas=False)
    page.set_default_timeout(1000 * MOST)
    # What is veiled until a reader has guessed is not to be clicked.
    cells = page.locator(".soo-edit:visible:not([inert] *)")
    if not cells.count():
        pytest.skip("no code of this chapter is shown")
    cells.first.click()
    if lacks := about(page)["runtime"]["lacks"]:
        cells.first.get_by_text(f"This chapter's code needs {' and '.join(lacks)}").wait_for()
        pytest.skip(f"no page has {' and '.join(lacks)}, which is said")
    page.get_by_role("button", name="Run all").click()
    page.wait_for_function(IDLE)
    assert page.locator(".soo-error").all_inner_texts() == []
    notebook = json.loads(CHAPTERS[name].read_text("utf-8"))
    kept = [c["id"] for c in notebook["cells"] if "keep_output" in c["metadata"].get("tags", [])]
    for cell in kept:
        published, given = page.evaluate(GIVEN, cell)
        assert given == published, cell


def invitations():
    """Each cell that a chapter's text asks its reader to change, and the change."""
    for name, path in CHAPTERS.items():
        cells = json.loads(path.read_text("utf-8"))["cells"]
        for above, cell in zip(cells, cells[1:]):
            if invited := TRY.search("".join(above["source"])):
                yield pytest.param(name, cell, invited.groups(), id=f"{name}-{cell['id']}")


@LIVE
@pytest.mark.parametrize("name, cell, change", list(invitations()))
def test_an_invitation_runs_and_shows_what_it_changes(visit, name, cell, change):
    page = visit(f"book/{name}.html", ready="article", formulas=False)
    page.set_default_timeout(1000 * MOST)
    for look in page.get_by_role("button", name="Just show me").all():  # what is veiled
        if look.is_visible():
            look.click()
    place = cell_opened(page, f"#cell-{cell['id']}")
    place.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("".join(cell["source"]).replace(*change))
    place.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function(IDLE)
    assert page.locator(".soo-error").all_inner_texts() == []
    ids = [c["id"] for c in json.loads(CHAPTERS[name].read_text("utf-8"))["cells"]]
    later = ", ".join(f"#cell-{one} .soo-given > *" for one in ids[ids.index(cell["id"]) :])
    assert page.locator(later).count()


@LIVE
def test_a_changed_cell_runs_what_is_before_it_and_marks_what_is_below(visit):
    page = visit("book/rosenbrock.html", ready="article", formulas=False)
    page.set_default_timeout(120_000)
    place = cell_opened(page, "#cell-curvature-at-the-minimum")
    place.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("loss = Rosenbrock(a=1, b=500)\nkappa = 1\nprint('b is', loss.b)")
    assert "Of the published run" in place.inner_text()
    below = page.locator("#cell-digits-of-gradient-descent")
    assert "Of the published run" in below.inner_text()
    place.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function(IDLE)
    assert place.locator(".soo-given").inner_text().strip() == "b is 500"
    assert "Of your run" in page.locator("#cell-the-loss").inner_text()
    assert "Of the published run" in below.inner_text()
    place.get_by_role("button", name="As published").click()
    assert "condition number" in place.inner_text()
    place.get_by_role("button", name="Start anew").click()
    assert page.locator(".soo-given").count() == 0
