"""The book on paper: every figure has its slide, and a page prints whole, its explorer too."""

import importlib.util
import re
from itertools import chain

import pytest
from built import HTML, ROOT
from pypdf import PdfReader

spec = importlib.util.spec_from_file_location("print_book", ROOT / "tools" / "print_book.py")
print_book = importlib.util.module_from_spec(spec)
spec.loader.exec_module(print_book)


@pytest.fixture(scope="module")
def pages():
    return [*print_book.pages()]


def test_every_figure_has_its_slide(tmp_path, monkeypatch, pages):
    monkeypatch.setattr(print_book, "pages", lambda: pages)
    print_book.main("slides", tmp_path / "slides.pdf")
    slides = PdfReader(tmp_path / "slides.pdf")
    figures = [len(page.select("article div.cell_output img")) for *_, page in pages]
    assert len(slides.pages) == sum(count + 1 for count in figures if count)
    assert "Preconditioning" in [mark.title for mark in slides.outline]
    assert len(slides.outline) == sum(count > 0 for count in figures)


def test_an_exercise_prints_its_solution_and_no_empty_page(tmp_path):
    page = HTML / "book" / "exercises" / "armijo.html"
    printed = PdfReader(print_book.to_pdf(page, tmp_path / "page.pdf"))
    texts = [page.extract_text().strip() for page in printed.pages]
    assert all(texts) and "Why it is so" in texts[-1]
    assert any("Solution" in text for text in texts), "a solution without its heading"


def test_the_pdf_is_a_book(tmp_path, monkeypatch, pages):
    """On two of its chapters: one list of contents, page numbers, bookmarks, links kept inside,
    and all that a page has, its explorer's controls too.
    """
    names = ("rosenbrock", "conjugate-directions")
    some = [page for page in pages if page[1].stem in names]
    monkeypatch.setattr(print_book, "pages", lambda: some)
    print_book.main("book", tmp_path / "book.pdf")
    pdf = PdfReader(tmp_path / "book.pdf")
    texts = [page.extract_text() for page in pdf.pages]
    assert "Contents" in texts[1] and not any("Contents\n" in text for text in texts[2:])
    starts = [pdf.get_destination_page_number(mark) for mark in chapters(pdf)]
    assert [mark.title for mark in chapters(pdf)] == [title for title, *_ in some]
    for (title, *_), start in zip(some, starts):
        assert texts[start].lstrip().startswith(title)  # and with nothing before it
        assert f"{title} {start + 1}" in " ".join(texts[1].split())
    assert all(str(number) in text[-8:] + text[:8] for number, text in enumerate(texts[2:], 3))
    assert not any("Show the code" in text for text in texts)
    rosenbrock = "\n".join(texts[starts[0] : starts[1]])
    assert "Summary" in rosenbrock, "the end of the page is missing"
    assert "line search" in rosenbrock.lower(), "the explorer's controls are missing"
    assert len(set(re.findall(r"\bFig\. \d+", "".join(texts[starts[1] :])))) >= 5
    uris = [link["/A"]["/URI"] for link in print_book.links(pdf) if "/URI" in link.get("/A", {})]
    assert uris and not [uri for uri in uris if uri.startswith("file:")]


def chapters(pdf):
    """The bookmarks below the parts, without those of their sections."""
    parts = [below for below in pdf.outline if isinstance(below, list)]
    return [mark for mark in chain(*parts) if not isinstance(mark, list)]
