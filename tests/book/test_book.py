"""Looks at the built book, so it runs after `make book`: `make test` does both in order."""

import csv
import importlib
import inspect
import re
from functools import cache
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from built import CHAPTERS, CONFIG, HTML, NOTEBOOKS, PAGES, REFERENCE, ROOT, built_pages, soup
from jupyter_cache import get_cache

pytestmark = pytest.mark.built

RUNS = ROOT / "_build" / ".jupyter_cache"


@cache
def anchors(path):
    named = soup(path).find_all(lambda tag: tag.get("id") or tag.get("name"))
    return {tag.get("id") for tag in named} | {tag.get("name") for tag in named}


@cache
def executed(page):
    """The notebook with its outputs, from where the build takes them.

    Not from _build/jupyter_execute: a notebook that was not run again lies there without outputs.
    """
    notebook = nbformat.read(ROOT / f"{page}.ipynb", as_version=4)
    runs = get_cache(RUNS)
    try:
        return runs.merge_match_into_notebook(notebook)[1]
    except KeyError:
        pytest.fail(f"{page}: the build has not run this notebook as it now stands")
    finally:
        runs.db.dispose()


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def test_the_book_has_pages():
    assert (HTML / "index.html").exists(), f"no book in {HTML}: run `make book` first"
    assert PAGES and NOTEBOOKS, "_toc.yml names no notebook"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_was_built(page):
    path = HTML / f"{page}.html"
    assert path.exists(), f"_toc.yml names {page}, and the book has no such page"
    article = soup(path).find("article")
    assert article and article.find("h1"), f"{page}: no article with a heading"
    assert len(article.get_text(" ", strip=True)) > 200, f"{page}: hardly any text"


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_cell_ran_without_error_or_warning(page):
    for number, cell in enumerate(code_cells(executed(page)), 1):
        assert cell.execution_count, f"{page}: code cell {number} did not run"
        expected = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error":
                assert expected, f"{page}: code cell {number} failed with {output.ename}"
            # A warning, a progress bar: the page would show it, and no reader should meet it.
            to_stderr = output.output_type == "stream" and output.name == "stderr"
            assert not to_stderr, f"{page}: code cell {number} wrote to stderr: {output.text}"


def shows_output(cell):
    """Does this executed cell put something on the page?"""
    hidden = {"remove-cell", "remove-output", "remove_cell", "remove_output"}
    # glue(..., display=False) leaves a value for the prose and nothing under its cell.
    glued = [output.get("metadata", {}).get("scrapbook", {}) for output in cell.outputs]
    silent = [value for value in glued if value.get("mime_prefix")]
    return len(cell.outputs) > len(silent) and not hidden & set(cell.metadata.get("tags", []))


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_output_reached_its_page(page):
    expected = sum(map(shows_output, code_cells(executed(page))))
    assert expected, f"{page}: no cell of this notebook shows anything"
    boxes = soup(HTML / f"{page}.html").select("article div.cell div.cell_output")
    filled = [b for b in boxes if b.get_text(strip=True) or b.find(["img", "svg", "script"])]
    assert len(filled) == expected, (
        f"{page}: {expected} cells have an output to show, {len(filled)} show one"
    )


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_figure_cell_left_its_figure(page):
    """A cell that names an alternative text promises a figure; the page must show each, once."""
    promised = [
        cell.metadata["mystnb"]["image"]["alt"]
        for cell in code_cells(executed(page))
        if cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    ]
    shown = [image.get("alt") for image in soup(HTML / f"{page}.html").select("article img")]
    for alt in promised:
        assert alt in shown, f"{page}: the figure “{alt}” is not on the page"


@pytest.mark.parametrize("page", PAGES)
def test_every_image_says_what_it_shows(page):
    path = HTML / f"{page}.html"
    for image in soup(path).select("article img"):
        source = image["src"]
        alt = (image.get("alt") or "").strip()
        assert alt, f"{page}: {source} has no alternative text"
        # With no alternative text given, the builder puts the file's own name there.
        assert not re.search(r"\.(png|svg|jpe?g)$|[0-9a-f]{32}", alt), f"{page}: {source}: “{alt}”"
        if not source.startswith("data:"):
            assert (path.parent / unquote(source)).exists(), f"{page}: {source} does not exist"


def fetched_by(page_soup):
    """Whatever a browser asks for before a reader clicks anything."""
    for tag, attribute in [("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")]:
        yield from (t[attribute] for t in page_soup.find_all(tag) if t.get(attribute))
    loaded = {"stylesheet", "preload", "modulepreload", "icon"}
    for link in page_soup.find_all("link"):
        if loaded & set(link.get("rel", [])):
            yield link["href"]
    for style in page_soup.find_all("style"):
        yield from re.findall(r"url\([\"']?([^)\"']+)", style.string or "")


def is_external(address):
    return bool(re.match(r"(https?:)?//", address))


def test_a_lost_reader_finds_the_book_again():
    """A host shows the page at any depth, so it fetches nothing and its links are whole."""
    page, home = soup(HTML / "404.html"), CONFIG["html"]["baseurl"]
    assert not list(fetched_by(page))
    assert {a["href"] for a in page.select("a")} == {home, f"{home}search.html"}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_is_about_and_where_it_stands(page):
    head, home = soup(HTML / f"{page}.html").head, CONFIG["html"]["baseurl"]
    assert head.find("link", rel="canonical")["href"] == f"{home}{page}.html"
    about = head.find("meta", attrs={"name": "description"})["content"]
    assert len(about) > 40 and head.find("meta", property="og:description")["content"] == about
    assert head.find("meta", property="og:image")["content"] == f"{home}_static/landing.png"
    assert f"{home}{page}.html" in (HTML / "sitemap.xml").read_text("utf-8")


def test_no_page_asks_another_site_for_anything():
    found = {
        f"{path.relative_to(HTML)}: {address}"
        for path in built_pages()
        for address in fetched_by(soup(path))
        if is_external(address)
    }
    assert not found, found


def test_no_style_sheet_asks_another_site_for_anything():
    found = {
        f"{path.relative_to(HTML)}: {address}"
        for path in HTML.rglob("*.css")
        for address in re.findall(
            r"(?:url\(|@import\s*)[\"']?([^)\"';]+)", path.read_text(encoding="utf-8")
        )
        if is_external(address)
    }
    assert not found, found


def test_every_file_a_page_fetches_exists():
    missing = {
        f"{path.relative_to(HTML)}: {address}"
        for path in built_pages()
        for address in fetched_by(soup(path))
        if not is_external(address) and not address.startswith("data:")
        if not (path.parent / unquote(urlsplit(address).path)).exists()
    }
    assert not missing, missing


@cache
def led_to(folder, address):
    """The file that an address leads to from a page's folder; every page has the same hundred."""
    target = (folder / unquote(address)).resolve()
    return target, target.exists()


def test_every_internal_link_resolves():
    broken = set()
    for path in built_pages():
        for link in soup(path).find_all("a", href=True):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            target, exists = led_to(path.parent, parts.path) if parts.path else (path, True)
            fragment = unquote(parts.fragment)
            name = f"{path.relative_to(HTML)}: {link['href']}"
            # A page of source leads back by the package's name for what two pages document.
            if "_modules" in path.parts and fragment.startswith("soo_lib.stochastic."):
                continue
            if not exists:
                broken.add(name)
            elif fragment and target.suffix == ".html" and fragment not in anchors(target):
                broken.add(name)
    assert not broken, broken


def test_no_cell_shows_what_is_there_for_our_tools():
    shown = [cell.get_text() for path in built_pages() for cell in soup(path).select(".cell_input")]
    assert len(shown) > 200 and not [code for code in shown if re.search("NBVAL|# fmt", code)]


def test_the_concordance_leads_to_headings_and_slips():
    here = HTML / "book"
    with open(ROOT / "book/concordance.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = soup(here / "concordance.html").select(".concordance tbody tr")
    assert len(shown) == len(rows)
    for row, told in zip(rows, shown):
        item, where, outcome = told.find_all("td")
        assert item.strong.get_text() == row["item"]
        targets = [urlsplit(link["href"]) for link in where.find_all("a")]
        pages = [f"{place.partition('.')[0]}.html" for place in row["where"].split()]
        assert [target.path for target in targets[::2]] == pages and len(targets) == 2 * len(pages)
        for page, heading in zip(pages, targets[1::2]):
            assert heading.path == page
            section = soup(here / heading.path).find("section", id=heading.fragment)
            assert section and section.find(["h2", "h3"]), heading
        for link in outcome.find_all("a"):
            slip = re.search(r"\d+", link.get_text())[0]
            assert link["href"] == f"paper-errors.html#err-{slip}"


def test_the_readme_and_the_book_name_one_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    owner_and_name = config["repository"]["url"].removeprefix("https://github.com/")
    named = re.findall(r"mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/", (ROOT / "README.md").read_text())
    assert set(named) == {owner_and_name}


def test_the_site_is_small():
    """Apart from Python itself, which no page fetches before it is asked to."""
    files = [path for path in HTML.rglob("*") if path.is_file() and "pyodide" not in path.parts]
    size = sum(path.stat().st_size for path in files)
    assert size < 40e6, f"{size / 1e6:.0f} MB"


def test_every_reference_of_the_paper_is_in_the_bibliography():
    table = (ROOT / "book/bibliography.md").read_text()
    cells = re.findall(r"\| (\d+) \| \{cite:p\}`(\w+)`", table)
    assert sorted(int(number) for number, _ in cells) == list(range(1, 23))
    keys = re.findall(r"@\w+\{(\w+),", (ROOT / "book/references.bib").read_text())
    assert len({key for _, key in cells} & set(keys)) == 22


@pytest.mark.parametrize("page", [p for p in NOTEBOOKS if p.startswith("book/exercises/")])
def test_an_exercise_folds_its_solution_and_says_when_to_move_on(page):
    article = soup(HTML / f"{page}.html").find("article")
    assert "You may move on when" in article.get_text()
    folded = article.select_one("div.cell.tag_solution details")
    assert "Show a solution" in folded.get_text() and "Right. You may move on." in folded.get_text()
    assert "def solution" in folded.get_text()
    assert "mark_" not in article.get_text()


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_has_its_parts(page):
    article = soup(HTML / f"{page}.html").find("article")
    assert re.search(r"Goal[.:].*Time[.:]", article.get_text(), re.DOTALL)
    assert article.find(class_="admonition-title", string=re.compile("Predict"))
    headings = " ".join(heading.get_text() for heading in article.find_all("h2"))
    assert "Exercise" in headings and "Summary" in headings, headings
    questions = article.select(".quick-check details")
    assert 2 <= len(questions) <= 3, f"{page}: {len(questions)} questions in its quick check"
    for question in questions:
        asked = question.summary.get_text(strip=True)
        assert asked.endswith("?"), asked
        assert len(question.get_text(strip=True)) > len(asked) + 40, f"no reason given: {asked}"


def test_each_page_can_be_edited_and_reported():
    """The buttons carry the page: its source on the edit button, its name in a new issue."""
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    for page in PAGES:
        buttons = soup(HTML / f"{page}.html").select(".article-header-buttons a[href]")
        links = [a["href"] for a in buttons]
        assert any(link.startswith(f"{url}/edit/main/{page}.") for link in links), page
        assert any(link.startswith(f"{url}/issues/new") and page in unquote(link) for link in links)


SHOWN = sorted(
    name
    for page in REFERENCE
    for name in re.findall(r"automodule:: (soo_lib[\w.]*)", (ROOT / f"{page}.md").read_text())
)


def public_names(shown):
    """What a page of the reference shows: a package's ``__all__``, or what a module defines."""
    module = importlib.import_module(shown)
    names = getattr(module, "__all__", None)
    for name, thing in vars(module).items():
        own = inspect.isclass(thing) or inspect.isfunction(thing)
        if own and name[0] != "_" and (name in names if names else thing.__module__ == shown):
            yield f"{shown}.{name}", thing
            for key, method in vars(thing).items() if inspect.isclass(thing) else ():
                if inspect.isfunction(method) and key[0] != "_" and method.__doc__:
                    yield f"{shown}.{name}.{key}", method


def entries():
    """What the reference has: for each name its signature as text, and what is said of it."""
    for page in REFERENCE:
        for term in soup(HTML / f"{page}.html").select("dl.py > dt[id]"):
            yield term["id"], (page, term.get_text(), term.find_next_sibling("dd").get_text())


def test_the_reference_has_every_public_name_with_its_signature():
    there = dict(entries())
    expected = dict(pair for shown in SHOWN for pair in public_names(shown))
    assert len(expected) > 100 and not set(expected) - set(there)
    for name, thing in expected.items():
        _, signature, text = there[name]
        assert text.strip(), f"{name}: nothing is said of it"
        taken = list(inspect.signature(thing).parameters) if inspect.isfunction(thing) else []
        taken = [word for word in taken if word != "self"]
        assert all(re.search(rf"\b{word}\b", signature) for word in taken), (name, signature)


def test_the_reference_has_nothing_that_is_no_public_name():
    tops = {name for shown in SHOWN for name, _ in public_names(shown)}
    for name in dict(entries()):
        known = name in tops or name.rpartition(".")[0] in tops  # a field of a named tuple
        assert known or name.rpartition(".")[0] in SHOWN, f"{name}: nothing public"  # or a constant


def test_a_name_in_a_cell_leads_to_its_entry():
    code = soup(HTML / "book/rosenbrock.html").select("article div.cell_input a[href]")
    found = {link.get_text(): link["href"] for link in code}
    assert found["minimize"].endswith("reference/solvers.html#soo_lib.solvers.minimize")
    assert "soo_lib.solvers.minimize" in dict(entries())


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_code_of_a_chapter_leads_to_the_reference(page):
    code = soup(HTML / f"{page}.html").select("article div.cell_input a[href]")
    assert any("reference/" in link["href"] and "#soo_lib." in link["href"] for link in code)
