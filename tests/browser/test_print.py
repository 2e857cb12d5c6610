"""The book on paper: every figure has its slide, and a page prints whole, its explorer too."""

import importlib.util

from pypdf import PdfReader
from test_book import HTML, ROOT

spec = importlib.util.spec_from_file_location("print_book", ROOT / "tools" / "print_book.py")
print_book = importlib.util.module_from_spec(spec)
spec.loader.exec_module(print_book)


def test_every_figure_has_its_slide(tmp_path):
    print_book.main("slides", tmp_path / "slides.pdf")
    slides = PdfReader(tmp_path / "slides.pdf")
    figures = [len(page.select("article div.cell_output img")) for *_, page in print_book.pages()]
    assert len(slides.pages) == sum(count + 1 for count in figures if count)
    assert "Preconditioning" in [mark.title for mark in slides.outline]
    assert len(slides.outline) == sum(count > 0 for count in figures)


def test_a_page_prints_whole(tmp_path):
    printed = PdfReader(print_book.to_pdf(HTML / "book" / "rosenbrock.html", tmp_path / "page.pdf"))
    text = "\n".join(page.extract_text() for page in printed.pages)
    assert "Summary" in text, "the end of the page is missing"
    assert "Line search" in text or "line search" in text, "the explorer's controls are missing"
