"""The search, which needs no server of its own: what a page is about leads to the page."""

import pytest

PAGES = {
    "strong Wolfe": "book/rosenbrock.html",
    "Kronecker": "book/preconditioning.html",
    "Armijo": "book/glossary.html",
    "saddle": "book/saddles.html",
}


@pytest.mark.parametrize("words, page", PAGES.items())
def test_what_a_page_is_about_leads_to_it(visit, words, page):
    found = visit(f"search.html?q={words.replace(' ', '+')}", ready="ul.search li a")
    found.wait_for_function(
        "() => document.querySelector('#search-results p.search-summary')"
        "?.textContent.includes('found')"
    )
    links = found.eval_on_selector_all("ul.search li a", "links => links.map(a => a.href)")
    assert any(page in link for link in links), links
    found.wait_for_selector("ul.search li p.context")
    for excerpt in found.locator("ul.search li p.context").all_inner_texts():
        assert "Open issue" not in excerpt and "\\(" not in excerpt  # of the text alone


FIRST = {
    "line search": "book/rosenbrock.html",
    "trust region": "book/trusting-a-model.html",
    "L-BFGS": "book/learning-the-curvature.html",
    "preconditioner": "book/preconditioning.html",
}


@pytest.mark.parametrize("words, page", FIRST.items())
def test_a_term_leads_to_the_chapter_that_explains_it_first(visit, words, page):
    found = visit("book/glossary.html", ready=".math", formulas=False)
    found.locator("button.search-button-field:visible, button.search-button:visible").first.click()
    found.keyboard.type(words)
    found.keyboard.press("Enter")
    first = found.locator("ul.search li a").first
    first.wait_for()
    assert page in first.get_attribute("href")


def test_nonsense_finds_nothing_and_says_so(visit):
    found = visit("search.html?q=qwertyuiop", ready="#search-results p.search-summary")
    icon, field = (found.locator(f"form.bd-search:visible {node}") for node in ("i", "input"))
    lies = icon.evaluate("node => node.getBoundingClientRect().right")
    assert lies <= field.evaluate("node => node.getBoundingClientRect().left")  # not on the words
    found.wait_for_selector("text=did not match any documents")
    assert found.locator("ul.search li").count() == 0
