"""The form of the built pages: figures, equations, folds, summaries, terms in reading order, and
the scripts, sheets and icons that they ask for.

Like test_book.py it looks at the built book, so it runs after `make book`.
"""

import json
import re
import sys
from functools import cache

import nbformat
import pytest
from built import (
    CHAPTERS,
    HTML,
    NOTEBOOKS,
    PAGES,
    ROOT,
    built_pages,
    soup,
)
from fontTools.ttLib import TTFont

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import terms  # noqa: E402

pytestmark = pytest.mark.built

# Where the paper's own equation numbers may stand.
OF_THE_PAPER = {
    "reproduction",
    "is-there-a-bug",
    "paper-errors",
    "concordance",
    "bibliography",
    "glossary",
    "notation",
    "changelog",
}
WIDGET = 'script[type*="widget-view"]'
# "eq. 5.36" is a textbook's; of "equation (5)" the number is the book's own, in a link.
NUMBERED = re.compile(r"\b[Ee]q(?:s|uations?)?\.?\s+\(?\d+(?!\.?\d)(?!\))")


def article(page):
    return soup(HTML / f"{page}.html").find("article")


def explorers(page):
    """The cells that hold a live or a recorded picture, which brings its own caption."""
    return [cell for cell in article(page).select("div.cell") if cell.select_one(WIDGET)]


def short(page):
    return page.removeprefix("book/")


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_figure_has_number_caption_alternative_and_a_reference(page):
    whole = article(page)
    live = [image for cell in explorers(page) for image in cell.select("img")]
    loose = [
        image
        for image in whole.select("img")
        if not image.find_parent("figure") and not any(image is other for other in live)
    ]
    assert not loose, f"{page}: {[image['alt'][:60] for image in loose]}"
    named = [
        link["href"].rpartition("#")[2]
        for link in whole.select('a.reference[href*="#"]')
        if not link.find_parent("figcaption")
    ]
    for figure in whole.select("figure"):
        told = figure.select_one("figcaption .caption-text")
        assert figure.select_one("figcaption .caption-number"), f"{page}: a figure has no number"
        assert len(told.get_text()) > 40, f"{page}: a caption that says nothing: {told}"
        assert len(figure.img["alt"]) > 40 and figure.img["alt"] != told.get_text()
        assert figure["id"] in named, f"{page}: the text never refers to {figure['id']}"


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if page.startswith("book/")
        and short(page) not in OF_THE_PAPER
        and not page.startswith("book/reference/")
    ],
)
def test_the_papers_equation_numbers_stay_in_the_margin(page):
    found = [
        text
        for text in article(page).find_all(string=NUMBERED)
        if not text.find_parent(["aside", "script"]) and not text.find_parent(class_="math")
    ]
    assert not found, [NUMBERED.search(text)[0] + ": " + text.strip()[:60] for text in found]


@pytest.mark.parametrize("page", ["book/welcome", *CHAPTERS])
def test_a_page_folds_hardly_more_than_the_code_of_its_figures(page):
    folds = len(article(page).select("div.cell > details"))
    figures = len(article(page).select("figure")) + len(explorers(page))
    assert folds <= figures + 2, f"{page}: {folds} folds, {figures} figures"


@pytest.mark.parametrize("page", ["book/welcome", *CHAPTERS])
def test_a_fold_with_a_figure_stands_below_it(page):
    for figure in article(page).select("div.cell.tag_hide-input figure"):
        cell = figure.find_parent(class_="cell")
        assert [part.name for part in cell.find_all(recursive=False)] == ["div", "details"]


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_no_plumbing_is_visible(page):
    for cell in article(page).select(".cell > .cell_input"):
        code = cell.get_text()
        found = re.search(r"^\s*(keep|put|glue)\(.*|^def (keep|put)\(|.*myst_nb", code, re.M)
        assert not found, found[0]


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_summary_has_three_lines(page):
    (heading,) = [head for head in article(page).find_all("h2") if "Summary" in head.get_text()]
    assert len(heading.find_parent("section").select("li")) == 3


# ---- Terms in reading order

FIRST = terms.firsts((ROOT / "book/glossary.md").read_text("utf-8"))
READ = [page for page in PAGES if page == "book/welcome" or page in CHAPTERS]


@cache
def running_text(page):
    """The pieces of a page's text in order, without code, formulas, tables, headings, pictures."""
    apart = {
        "pre",
        "code",
        "script",
        "style",
        "table",
        "figcaption",
        "summary",
        "h1",
        "h2",
        "h3",
        "aside",
    }
    pieces = ((text, list(text.parents)) for text in article(page).find_all(string=True))
    return [
        (text, above)
        for text, above in pieces
        if not apart & {tag.name for tag in above}
        and not any(
            {"math", "predict", "margin", "soo-explorer-caption"} & set(tag.get("class", ()))
            for tag in above
        )
    ]


def test_every_term_names_its_chapter():
    shown = soup(HTML / "book/glossary.html").select("dl.glossary > dt")
    assert [term.get_text().rstrip("#").replace("’", "'") for term in shown] == list(FIRST)
    assert {f"book/{chapter}" for chapter in FIRST.values()} <= set(READ)


@pytest.mark.parametrize("term, chapter", FIRST.items())
def test_a_term_is_explained_at_or_before_its_first_use(term, chapter):
    """Up to its chapter a page that uses a term links its first use to the glossary or defines it.

    And the chapter does use it.
    """
    pattern, entry = terms.used(term), "#term-" + re.sub(r"\W+", "-", term)
    for page in READ[: READ.index(f"book/{chapter}") + 1]:
        uses = (pair for pair in running_text(page) if pattern.search(pair[0]))
        text, above = next(uses, (None, None))
        told = text is None or any(tag.name in ("em", "strong", "a") for tag in above)
        assert told, f"{page} uses “{term}” untold: {text.strip()[:80]}"
    whole = article(f"book/{chapter}")
    assert pattern.search(whole.get_text(" ")) or whole.select(f'a[href$="{entry}"]'), chapter


@pytest.mark.parametrize("page", READ)
def test_a_link_to_a_term_leads_to_the_glossary(page):
    for link in article(page).select("a:has(> .std-term)"):
        assert link["href"].startswith("glossary.html#term-"), link


@pytest.mark.parametrize("page", READ)
def test_no_link_stands_within_a_link(page):
    assert not article(page).select("a a"), page


# ---- Predictions: that they work, tests/browser/test_predict.py sees


def test_two_thirds_of_the_predictions_take_a_guess():
    sources = [
        cell.source
        for page in CHAPTERS
        for cell in nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
        if cell.cell_type == "markdown"
    ]
    asked = sum(source.count("```{predict}") for source in sources)
    plain = sum(source.count("```{admonition} Predict") for source in sources)
    assert asked >= 2 * plain and asked > 20, (asked, plain)


@pytest.mark.parametrize("name", CHAPTERS)
def test_an_answer_holds_what_the_question_needs(name):
    """A number on a slider's scale, or a curve's pairs: else truth would not be drawn."""
    for found in soup(HTML / f"{name}.html").select(".predict"):
        asked = json.loads(found.select_one(".predict-asked").string)
        answer = found.select_one(".predict-answer")
        if answer and "x" in asked:
            pairs = answer.get_text().strip(" '\n‘’").split(",")
            assert len(pairs) > 1 and all(len(pair.split()) == 2 for pair in pairs), pairs
        elif answer and "low" in asked:
            number = float(answer.get_text().split()[0].strip(",;").replace(",", ""))
            assert asked["low"] <= number <= asked["high"], (number, asked)


# ---- What a page asks for

BUILT = [path.relative_to(HTML).as_posix() for path in built_pages()]


@pytest.mark.parametrize("name", BUILT)
def test_nothing_holds_up_the_first_paint(name):
    """No script is waited for, and of style sheets one, with a widget's own beside it."""
    page = soup(HTML / name)
    if page.select("meta[http-equiv=refresh]"):
        return  # it shows nothing
    waited = [
        tag["src"]
        for tag in page.select("script[src]")
        if not (tag.has_attr("defer") or tag.has_attr("async"))
    ]
    assert not waited
    sheets = [link["href"] for link in page.select("link[rel=stylesheet]")]
    assert re.match(r"(\.\./)*_static/page\.css\?v=", sheets[0])
    assert all("_static/widgets/" in sheet for sheet in sheets[1:])
    scripts = " ".join(tag.get("src", "") for tag in page.select("script"))
    assert not re.search("require|embed-amd|thebe|fontawesome|searchindex", scripts) or (
        name == "search.html"
    )
    assert bool(page.select("script[src*=mount]")) == bool(page.select("script[type*=widget-view]"))
    assert ("mathjax" in str(page.head)) <= bool(page.select(".math"))


@pytest.mark.parametrize("name", BUILT)
def test_no_widget_repeats_its_program_in_the_page(name):
    text = (HTML / name).read_text("utf-8")
    assert "_esm" not in text and "_css" not in text
    assert len(re.findall(r"widget-view\+json", text)) == text.count('"widget":"')


def test_no_widget_repeats_the_style_of_another():
    """What several widgets share is one file, which a reader fetches once."""
    texts = [path.read_bytes() for path in (HTML / "_static" / "widgets").iterdir()]
    assert len(texts) == len(set(texts)) > 5


def test_every_icon_of_the_theme_is_in_its_small_font():
    """Else a reader sees an empty box: the style sheet knows two thousand, the fonts thirty."""
    vendor = ROOT / "book" / "_static" / "vendor"
    have = {
        code
        for name in ("icons.woff", "icons-brands.woff")
        for code in TTFont(vendor / name).getBestCmap()
    }
    sheet = (HTML / "_static" / "page.css").read_text("utf-8")
    pages = {
        icon
        for path in built_pages()
        for tag in soup(path).select("i[class*=fa-]")
        for icon in tag["class"]
    }
    sizes = {"fa-solid", "fa-brands", "fa-lg", "fas", "fab", "theme-switch"}
    for icon in pages - sizes:
        rule = re.search(rf"\.{icon}:before[^{{]*\{{content:\"(\\?[^\"]+)\"", sheet)
        assert rule, f"no rule of the style sheet says what {icon} looks like"
        code = int(rule[1][1:], 16) if rule[1][0] == "\\" else ord(rule[1])
        assert code in have, f"{icon} is not among ICONS of tools/fetch_vendor.py"
    shown = {ord(c) for c in re.findall(r"--pst-icon-[\w-]+:\s*\"(.)\"", sheet)}
    unused = {0xF296, 0xF010}  # gitlab, search-minus: defined, and asked for by no rule
    assert shown - have <= unused
