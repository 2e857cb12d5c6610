"""Tables on a phone: the three columns of the concordance, none of them beyond the edge; and those
of the first chapters.
"""

import pytest

SET = """[...document.querySelectorAll(".concordance .math")]
    .every(formula => formula.querySelector("mjx-container"))"""


def test_the_concordance_fits_a_phone(visit):
    page = visit("book/concordance.html", width=390, ready=".concordance table")
    page.wait_for_function(SET)
    page.evaluate("document.fonts.ready")
    beyond = page.locator(".concordance :is(th, td)").evaluate_all(
        "cells => cells.filter(cell => cell.getBoundingClientRect().right > innerWidth"
        " || cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"
    )
    assert not beyond
    boxes = page.locator(".concordance .pst-scrollable-table-container")
    assert boxes.count() == 7
    assert boxes.evaluate_all("all => all.every(box => box.scrollWidth <= box.clientWidth)")


@pytest.mark.parametrize(
    "name",
    [
        "welcome",
        "rosenbrock",
        "conjugate-directions",
        "learning-the-curvature",
        "trusting-a-model",
        "gradient-test",
        "logistic-regression",
        "sampling",
        "neural-networks",
        "fashion-mnist",
        "hessian",
    ],
)
def test_no_table_of_the_first_chapters_scrolls(visit, name):
    page = visit(f"book/{name}.html", width=390, ready=".bd-article table")
    page.wait_for_function(SET.replace(".concordance", "table"))
    page.evaluate("document.fonts.ready")
    rest = page.locator(".bd-article .pst-scrollable-table-container").evaluate_all(
        "boxes => boxes.map(box => box.scrollWidth - box.clientWidth)"
    )
    assert rest and max(rest) <= 2
