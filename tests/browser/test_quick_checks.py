"""Quick checks: answered in the page, and remembered by the reader's own browser alone."""

PAGE = "book/saddles.html"


def opened(visit):
    page = visit(PAGE, ready=".quick-check", formulas=False)
    page.wait_for_selector(".quick-check-known", state="attached")  # folded, so not visible
    return page


def test_what_was_known_is_known_at_the_next_visit(visit):
    page = opened(visit)
    questions = page.locator(".quick-check details")
    assert questions.count() == 3
    answer = questions.first.locator("p").first
    assert not answer.is_visible()
    questions.first.locator("summary").click()
    assert answer.is_visible()
    page.get_by_label("I knew that").first.check()
    assert "1 of 3 known" in page.locator(".quick-check .admonition-title").inner_text()
    page.reload()
    page.wait_for_selector(".quick-check-known", state="attached")
    assert "1 of 3 known" in page.locator(".quick-check .admonition-title").inner_text()
    page.locator(".quick-check summary").first.click()
    page.get_by_label("I knew that").first.uncheck()
    assert "known" not in page.locator(".quick-check .admonition-title").inner_text()
    assert page.context.cookies() == []


def test_without_scripts_the_answers_unfold_all_the_same(visit):
    page = visit(PAGE, ready=".quick-check details", java_script_enabled=False)
    question = page.locator(".quick-check details").first
    assert not question.locator("p").first.is_visible()
    question.locator("summary").click()
    assert question.locator("p").first.is_visible()
    assert page.locator(".quick-check-known").count() == 0


def test_on_paper_the_answers_are_there(visit):
    page = opened(visit)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".quick-check details:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".quick-check details[open]").count() == 0
