"""The picture of what BFGS learns: its numbers are the library's, its steps the reader's.

The widget's text in a bare page, so no book need be built.
"""

import re

import numpy as np
import pytest
from conftest import violations
from helpers import Saddle
from test_live import Quadratic

from soo_lib.book.learning import Learning
from soo_lib.losses import Rosenbrock
from soo_lib.solvers import BFGS, LBFGS

LOSSES = {
    "quadratic": lambda: Quadratic(12, np.pi / 6),
    "valley": lambda: Rosenbrock(1, 5),
    "saddle": Saddle,
}


@pytest.fixture
def open_page(bare):
    """Opens the picture with a search part."""

    def opened(*args, **settings):
        page = bare(Learning, *args, **settings)
        page.wait_for_selector(".soo-live .told p")
        return page

    return opened


def told(page):
    """The curvatures as they are, those learnt, and what is said of the last pair."""
    text = page.locator(".told").inner_text().replace("−", "-")
    number = r"(-?[\d.]+)(?:·10([⁰¹²³⁴-⁹⁻]+))?"
    found = re.search(rf"point: {number} and {number}\. Learnt: {number} and {number}\.", text)
    raised = [
        (p or "⁰").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
        for p in found.groups()[1::2]
    ]
    values = [float(d) * 10 ** float(p) for d, p in zip(found.groups()[::2], raised)]
    return values[:2], values[2:], text


def known(loss, points, rule):
    """The same from the library."""
    notes = []
    for x, new in zip(points, points[1:]):
        rule.update(new - x, loss.jac(x), loss.jac(new))
        notes.append(rule.note)
    H = np.column_stack([-rule(loss, None, e) for e in np.eye(2)])
    return np.linalg.eigvalsh(loss.hess(points[-1])), 1 / np.linalg.eigvalsh(H)[::-1], notes


PATH = np.array([[-1.5, 0.4], [-0.9, 1.0], [-0.2, 0.3], [0.4, 0.9], [0.9, -0.2], [0.1, 0.1]])


@pytest.mark.parametrize("memory", ["all", "1", "2", "5"])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_learnt_is_what_the_library_learns(open_page, name, memory):
    path = ";".join(f"{x},{y}" for x, y in PATH)
    page = open_page(f"?learning.loss={name}&learning.memory={memory}&learning.path={path}")
    rule = BFGS() if memory == "all" else LBFGS(int(memory))
    truth, learnt, notes = known(LOSSES[name](), PATH, rule)
    shown_truth, shown_learnt, text = told(page)
    np.testing.assert_allclose(shown_truth, truth, rtol=6e-3)
    np.testing.assert_allclose(shown_learnt, learnt, rtol=6e-3)
    assert ("left out" in text) == bool(notes[-1])
    assert page.locator(".step.refused").count() == sum(map(bool, notes))


def test_a_click_is_a_step_and_the_keys_move_it(open_page):
    page = open_page()
    plane = page.locator(".regions")
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.25})
    page.wait_for_function("document.querySelectorAll('.visit').length === 2")
    _, learnt, text = told(page)
    points = np.array([[-1.3, 0.4], [1.0, 1.0]])
    np.testing.assert_allclose(learnt, known(LOSSES["quadratic"](), points, BFGS())[1], rtol=0.03)
    plane.press("ArrowLeft")
    page.wait_for_function("(old) => document.querySelector('.told').innerText !== old", arg=text)
    page.get_by_role("button", name="Take back").click()
    page.wait_for_function("document.querySelectorAll('.visit').length === 1")
    assert told(page)[1] == [1, 1]


def test_a_finger_scrolls_past_and_makes_no_step(open_page):
    page = open_page(width=390, has_touch=True, below="<p style='height: 90rem'>")
    box, touch = page.locator(".regions").bounding_box(), page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + 0.8 * box["height"]
    for kind, up in [("touchStart", 0), *(("touchMove", up) for up in range(15, 200, 15))]:
        at = [{"x": x, "y": y - up}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("scrollY > 100", timeout=5000)
    page.wait_for_function("document.querySelectorAll('.visit').length === 1", timeout=5000)


def test_its_own_steps_arrive(open_page):
    page = open_page()
    arrived = "document.querySelector('.status').textContent.includes('arrived')"
    for n in range(1, 21):
        page.get_by_role("button", name="Its own step", exact=True).click()
        page.wait_for_function(
            f"(n) => document.querySelectorAll('.visit').length > n || {arrived}", arg=n
        )
    page.wait_for_function(arrived)
    truth, learnt, _ = told(page)
    np.testing.assert_allclose(learnt, truth, rtol=0.3)


def test_each_story_opens_and_a_bad_link_is_named(open_page):
    page = open_page("?learning.memory=7&learning.path=1,2;nonsense")
    status = page.locator(".status").inner_text()
    assert "pairs kept must be one of" in status and "must be 1 to 24 points" in status
    for story in page.locator(".stories button").all():
        story.click()
        page.wait_for_function(
            "(name) => document.querySelector(`[data-story='${name}']`)"
            ".getAttribute('aria-pressed') === 'true'",
            arg=story.get_attribute("data-story"),
        )
        assert told(page)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelectorAll('.visit').length === 1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_is_accessible(open_page, theme, width):
    page = open_page(theme=theme, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not violations(page, ".soo-live")


def test_the_text_of_the_widget_is_one_file():
    assert not re.search(r"^import\b", Learning._esm, re.MULTILINE)
    assert Learning._esm.endswith("export default { render };\n")


def test_the_still_figure():
    figure = Learning().still()
    assert len(figure.axes) == 4
    assert all(len(ax.lines) == 3 for ax in figure.axes)  # the steps, the truth, what is learnt
