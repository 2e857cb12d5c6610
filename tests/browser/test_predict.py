"""Predictions: a guess, a veil until it is made, guess and truth together, and a memory."""

import json

import pytest
from conftest import in_each_theme, violations

CHOICE, NUMBER, CURVE = "book/saddles.html", "book/rosenbrock.html", "book/depth.html"


def block(page, kind):
    inside = {"choice": ".predict-choices", "number": ".predict-slider", "curve": ".predict-pad"}
    return page.locator(f".predict.admonition:has({inside[kind]})").first


def opened(visit, path, kind, formulas=False, **settings):
    page = visit(path, ready=".predict-look", formulas=formulas, **settings)
    return page, block(page, kind)


def veiled(page, found):
    """Of what follows a block: is the first part out of reach, and does it look it?"""
    return found.evaluate("""(node) => {
        let next = node.nextElementSibling;
        if (next.matches('.predict-lift')) next = next.nextElementSibling;
        return [next.inert, getComputedStyle(next).filter !== 'none'];
    }""")


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
def test_a_choice_unveils_and_is_remembered(visit, hand):
    page, found = opened(visit, CHOICE, "choice")
    assert veiled(page, found) == [True, True]
    button = found.locator(".predict-choices button").nth(1)
    said = button.text_content()
    if hand == "mouse":
        button.click()
    else:
        button.focus()
        page.keyboard.press("Enter")
    assert veiled(page, found)[0] is False
    assert said in found.locator(".predict-said").text_content()
    page.reload()
    page.wait_for_selector(".predict-look", state="attached")
    found = block(page, "choice")
    assert veiled(page, found) == [False, False]
    assert found.locator("button[aria-pressed=true]").text_content() == said
    found.get_by_role("button", name="Guess again").click()
    assert veiled(page, found)[0] is True and found.locator("button:focus").count() == 1
    assert page.context.cookies() == []


def test_a_number_is_set_on_the_slider_and_the_truth_stands_on_it_too(visit):
    page, found = opened(visit, NUMBER, "number")
    slider = found.locator("input[type=range]")
    assert not found.locator(".predict-truth").is_visible()
    assert not found.locator(".predict-answer").is_visible()
    slider.focus()
    page.keyboard.press("Home")
    assert "10⁻¹²" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext").startswith("1 ")
    found.get_by_role("button", name="That is my guess").click()
    assert veiled(page, found)[0] is False
    assert found.locator("button:focus").inner_text() == "Guess again"  # where a keyboard goes on
    text = found.locator(".predict-said").text_content()
    known = float(found.locator(".predict-answer").text_content().split(";")[0])
    assert f"Found: {known}" in text
    place = float(found.locator(".predict-truth").evaluate("n => n.style.getPropertyValue('--at')"))
    assert abs(10 ** (-12 + 12 * place) / known - 1) < 1e-6


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
def test_a_curve_is_drawn_by_hand_and_the_truth_beside_it(visit, hand):
    page, found = opened(visit, CURVE, "curve")
    pad = found.locator(".predict-pad")
    pad.scroll_into_view_if_needed()
    done = found.get_by_role("button", name="That is my guess")
    assert done.is_disabled()
    if hand == "mouse":
        box = pad.bounding_box()
        page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.99 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
        page.mouse.up()
    else:
        pad.focus()
        page.keyboard.press("ArrowUp")
        for _ in range(50):
            page.keyboard.press("ArrowRight")
        assert "layer 9" in pad.get_attribute("aria-valuetext")
    done.click()
    assert veiled(page, found)[0] is False
    mine = found.locator("path.mine").get_attribute("d")
    truth = found.locator("path.found").get_attribute("d")
    assert mine.count("L") > 40
    assert truth.count("L") == 8  # nine layers
    page.reload()
    page.wait_for_selector(".predict-look", state="attached")
    assert block(page, "curve").locator("path.mine").get_attribute("d") == mine


def test_who_only_looks_is_shown(visit):
    page, found = opened(visit, CHOICE, "choice")
    found.get_by_role("button", name="Just show me").click()
    assert veiled(page, found)[0] is False
    assert "Your guess" not in found.locator(".predict-said").text_content()


def test_a_link_into_what_is_veiled_unveils_it(visit):
    page, _ = opened(visit, CHOICE, "choice")
    inside = page.evaluate("""() => {
        const all = [...document.querySelectorAll('.predict-veiled')];
        return (all.find((node) => node.id) ?? all.flatMap((node) =>
            [...node.querySelectorAll('[id]')])[0])?.id;
    }""")
    if inside is None:  # give one of them an address
        inside = "there"
        page.evaluate("document.querySelector('.predict-veiled').id = 'there'")
    page.evaluate("id => { location.hash = id; }", inside)
    page.wait_for_function("id => !document.getElementById(id).closest('[inert]')", arg=inside)


def test_nonsense_in_the_store_is_forgotten(visit):
    page, found = opened(visit, CHOICE, "choice")
    found.locator(".predict-choices button").first.click()
    for text in ("nonsense", json.dumps({"guess": 99}), json.dumps({"guess": "x"}), "7"):
        page.evaluate(
            "text => Object.keys(localStorage).filter((key) => key.startsWith('predict'))"
            ".forEach((key) => localStorage.setItem(key, text))",
            text,
        )
        page.reload()
        page.wait_for_selector(".predict-look", state="attached")
        assert veiled(page, block(page, "choice")) == [True, True], text


def test_without_scripts_it_is_a_question_and_the_page_goes_on(visit):
    page = visit(CHOICE, ready=None, java_script_enabled=False)
    found = page.locator(".predict.admonition").first
    assert found.locator("ul li").first.is_visible() and found.locator("button").count() == 0
    assert not page.locator(".predict-veiled").count()
    page = visit(NUMBER, ready=None, java_script_enabled=False)
    assert not page.locator(".predict-answer").first.is_visible()


def test_on_paper_nothing_is_veiled(visit):
    page, found = opened(visit, CHOICE, "choice")
    page.emulate_media(media="print")
    assert veiled(page, found)[1] is False
    assert not found.get_by_role("button", name="Just show me").is_visible()


@pytest.mark.parametrize("path, kind", [(CHOICE, "choice"), (NUMBER, "number"), (CURVE, "curve")])
def test_axe_finds_nothing(visit, path, kind):
    page, found = opened(visit, path, kind, True, reduced_motion="reduce")
    for press in (None, "Just show me"):
        if press:
            found.get_by_role("button", name=press).click()
        for theme in in_each_theme(page):
            assert not violations(page, ".predict"), (press, theme)


@pytest.mark.parametrize("path, kind", [(CHOICE, "choice"), (NUMBER, "number"), (CURVE, "curve")])
def test_nothing_overflows_on_a_phone(visit, path, kind):
    page, found = opened(visit, path, kind, True, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    beyond = found.locator(":not(svg *)").evaluate_all(
        "all => all.filter(e => e.getBoundingClientRect().right > 390).map(e => e.outerHTML)"
    )
    assert not beyond


def test_code_behind_a_veil_says_so_and_one_click_lifts_it(visit):
    page, found = opened(visit, NUMBER, "number")
    cell = page.locator(".predict-lift + .cell:has(.soo-edit)").first
    assert cell.evaluate("node => node.inert")
    page.get_by_role("button", name="First your guess, or show").first.click()
    assert not cell.evaluate("node => node.inert") and cell.locator(".soo-edit").is_visible()
    assert page.locator(".predict-lift:visible + .cell:not([inert])").count() == 0
