"""The API reference on a desk and on a phone, in light and in dark: it fits, and is legible."""

import pytest
from built import REFERENCE


@pytest.mark.parametrize("width, theme", [(1200, "light"), (390, "dark")])
def test_an_entry_fits_its_window(visit, width, theme):
    for name in REFERENCE:
        page = visit(f"{name}.html", theme=theme, width=width, ready="article h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        beyond = page.locator("article :is(dt, dd, p)").evaluate_all(
            "all => all.filter(e => e.getBoundingClientRect().right > innerWidth"
            " || (e.matches('dt') && e.scrollWidth > e.clientWidth)).map(e => e.textContent)"
        )
        assert not beyond, (name, beyond)


def test_a_click_on_a_name_in_a_cell_opens_its_entry(visit):
    page = visit("book/rosenbrock.html", ready="article h1", formulas=False)
    shown = "div.cell_input:visible:not([inert] *)"  # not below a veiled prediction
    page.locator(f"{shown} a[href*='#soo_lib.']", has_text="minimize").first.click()
    page.wait_for_url("**/reference/solvers.html#soo_lib.solvers.minimize")
    assert page.locator("dt:target").inner_text().startswith("minimize(")
