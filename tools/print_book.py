"""The built book on paper: all pages as one PDF, or a slide for each of its figures.

    python tools/print_book.py book _build/book.pdf
    python tools/print_book.py slides _build/slides.pdf

Run after `make book`. Chromium prints what a reader sees, explorers in their default state.
"""

import html
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from pypdf import PdfReader, PdfWriter

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
SECONDS = 20  # that a page's scripts get, in the page's own time
STYLE = """\
@page { size: 1280px 720px; margin: 0 }
body { margin: 0; font-family: sans-serif; color: #222 }
section { height: 720px; padding: 36px 60px; box-sizing: border-box; break-after: page;
          display: flex; flex-direction: column }
h1 { font-size: 54px; margin: auto 0 } h2 { font-size: 34px; margin: 0 0 18px }
img { flex: 1; min-height: 0; object-fit: contain; align-self: center; max-width: 100% }
p { font-size: 17px; line-height: 1.35; margin: 18px 0 0; color: #555 }
"""


def pages():
    """The built pages in the order of the table of contents, each as (title, path, soup)."""
    if not (HTML / "search.html").exists():
        sys.exit(f"there is no book in {HTML}: run `make book` first")
    contents = BeautifulSoup((HTML / "search.html").read_text("utf-8"), "html.parser")
    links = [a["href"].partition("#")[0] for a in contents.select("nav.bd-links a.internal")]
    for path in (HTML / unquote(link) for link in dict.fromkeys(links)):
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        heading = soup.select_one("article h1")
        for mark in heading.select("a.headerlink"):
            mark.decompose()
        yield heading.get_text().strip(), path, soup


def book(folder):
    for number, (title, path, _) in enumerate(pages()):
        yield title, to_pdf(path, folder / f"{number}.pdf")


def slides(folder):
    """A chapter at a time: its title, then its figures with their section and caption."""
    for number, (title, path, soup) in enumerate(pages()):
        figures = soup.select("article div.cell_output img")
        if not figures:
            continue
        sheets = [f"<section><h1>{html.escape(title)}</h1></section>"]
        for image in figures:
            section = image.find_previous(["h1", "h2", "h3"]).get_text().strip("#\n ")
            inline = image["src"].startswith("data:")
            source = image["src"] if inline else (path.parent / unquote(image["src"])).as_uri()
            sheets.append(
                f"<section><h2>{html.escape(section)}</h2><img src='{source}'>"
                f"<p>{html.escape(image.get('alt', ''))}</p></section>"
            )
        deck = folder / f"{number}.html"
        head = f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style>"
        deck.write_text(head + "".join(sheets), "utf-8")
        yield title, to_pdf(deck, folder / f"{number}.pdf")


def to_pdf(page, out):
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if not browser:
        sys.exit("Chromium is needed to print; on Debian: apt-get install chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, "--headless", "--disable-gpu", "--disable-background-networking", *root,
             f"--user-data-dir={profile}", f"--virtual-time-budget={1000 * SECONDS}",
             "--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri()],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip
    return out


def main(what, out):
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    joined = PdfWriter()
    with tempfile.TemporaryDirectory() as folder:
        for title, part in {"book": book, "slides": slides}[what](Path(folder)):
            start = len(joined.pages)
            joined.append(PdfReader(part), import_outline=False)
            joined.add_outline_item(title=title, page_number=start)
            print(f"{title}: {len(joined.pages) - start}")
        joined.write(out)
    print(f"{len(joined.pages)} pages: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("book", "slides"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
