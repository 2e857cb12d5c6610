"""Print the built book: one PDF with contents and page numbers, or a slide for each figure.

    python tools/print_book.py book _build/book.pdf
    python tools/print_book.py slides _build/slides.pdf

Run after `make book`. Chromium prints what a reader sees, explorers in their default state.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject, TextStringObject

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
SECONDS = 20  # how long a page's scripts may run, in the page's own time
SLIDES = """\
@page { size: 1280px 720px; margin: 0 }
body { margin: 0; font-family: sans-serif; color: #222 }
section { height: 720px; padding: 36px 60px; box-sizing: border-box; break-after: page;
          display: flex; flex-direction: column }
h1 { font-size: 54px; margin: auto 0 } h2 { font-size: 34px; margin: 0 0 18px }
img { flex: 1; min-height: 0; object-fit: contain; align-self: center; max-width: 100% }
p { font-size: 17px; line-height: 1.35; margin: 18px 0 0; color: #555 }
"""
FRONT = """\
@page { size: A4; margin: 24mm 22mm } body { margin: 0; font: 11pt/1.5 Georgia, serif }
header { height: 240mm; break-after: page; display: flex; flex-direction: column }
h1 { font-size: 30pt; line-height: 1.2; margin: auto 0 6mm } header p { margin: 0 0 auto }
h2, h3 { break-after: avoid } h2 { font-size: 20pt } h3 { font-size: 11pt; margin: 5mm 0 1mm }
p.line { display: flex; gap: 3mm; margin: 0 } p.below { padding-left: 6mm }
p.line::before { content: ""; order: 1; flex: 1; border-bottom: 1px dotted #888;
                 margin-bottom: 1.5mm }
p.line span:last-child { order: 2 }
"""
NUMBERS = """\
@page { size: A4; margin: 0 } body { margin: 0; font: 9pt Georgia, serif; color: #555 }
section { height: 296mm; break-after: page; display: flex; align-items: flex-end;
          justify-content: center; padding-bottom: 9mm; box-sizing: border-box }
"""


def pages():
    """Yield the built pages in the order of the contents: title, path, part, depth, soup."""
    if not (HTML / "search.html").exists():
        sys.exit(f"there is no book in {HTML}: run `make book` first")
    contents = BeautifulSoup((HTML / "search.html").read_text("utf-8"), "html.parser")
    seen = set()
    for link in contents.select("nav.bd-links a.internal"):
        path = HTML / unquote(link["href"].partition("#")[0])
        if path in seen:
            continue
        seen.add(path)
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        heading = soup.select_one("article h1")
        for mark in heading.select("a.headerlink"):
            mark.decompose()
        part = link.find_previous("p", class_="caption")
        yield (
            heading.get_text().strip(),
            path,
            part.get_text().strip() if part else "",
            len(link.find_parents("li")),
            soup,
        )


def document(style, body):
    return f"<!doctype html><meta charset='utf-8'><style>{style}</style>{body}"


def book(folder):
    """Make the book: title, contents and numbered pages, with bookmarks and links kept inside."""
    found = list(pages())
    printed = [whole(page[1], folder / f"{number}.pdf") for number, page in enumerate(found)]
    opening = front(folder, found, printed, 2)
    if len(opening.pages) != 2:
        opening = front(folder, found, printed, len(opening.pages))
    joined, starts, parts = PdfWriter(), {}, {}
    joined.append(opening, import_outline=False)
    joined.add_outline_item(title="Contents", page_number=1)
    for (title, path, part, _, soup), reader in zip(found, printed):
        starts[path] = len(joined.pages)
        settle(reader)
        joined.append(reader, import_outline=False)
        if part and part not in parts:
            parts[part] = joined.add_outline_item(
                title=part, page_number=starts[path], is_open=False
            )
        chapter = joined.add_outline_item(
            title=title, page_number=starts[path], parent=parts.get(part), is_open=False
        )
        for section, page in sections(soup, reader):
            joined.add_outline_item(title=section, page_number=starts[path] + page, parent=chapter)
        print(f"{title}: {len(reader.pages)}")
    keep_inside(joined, starts, soup.select_one('link[rel="canonical"]')["href"], path)
    number(folder, joined, len(opening.pages))
    return joined


def whole(page, out):
    """Print a page, and print it again where a busy machine did not set its formulas in time."""
    for _ in range(3):
        reader = PdfReader(to_pdf(page, out))
        if not any("\\(" in sheet.extract_text() for sheet in reader.pages):
            return reader
    sys.exit(f"the formulas of {page} were not set in {SECONDS} s: print on a quieter machine")


def front(folder, found, printed, length):
    """Print the title and the contents, taken to be ``length`` pages long."""
    lines, at, last = [], length + 1, ""
    for (title, _, part, depth, _), reader in zip(found, printed):
        if part != last:
            lines.append(f"<h3>{html.escape(part)}</h3>")
            last = part
        lines.append(
            f"<p class='line{' below' * (depth > 1)}'><span>{html.escape(title)}</span>"
            f"<span>{at}</span></p>"
        )
        at += len(reader.pages)
    first = found[0][-1]
    name, about = (
        first.select_one(f"meta[{key}]")["content"]
        for key in ('property="og:site_name"', 'name="description"')
    )
    head = f"<header><h1>{html.escape(name)}</h1><p>{html.escape(about)}</p></header>"
    sheet = folder / "front.html"
    sheet.write_text(document(FRONT, f"{head}<h2>Contents</h2>{''.join(lines)}"), "utf-8")
    return PdfReader(to_pdf(sheet, folder / "front.pdf"))


def settle(reader):
    """Let links within a page lead to a place, and not to a name that another page has too."""
    named = reader.named_destinations
    for link in links(reader):
        if (name := link.get("/Dest")) in named:
            link[NameObject("/Dest")] = named[name].dest_array


def links(pdf):
    for page in pdf.pages:
        for link in page.get("/Annots") or []:
            yield link.get_object()


def sections(soup, reader):
    """Yield the headings of a page and where they are printed."""
    (_, below, *_) = [*reader.outline, [], []]
    marks = [mark for mark in below if not isinstance(mark, list)]
    heads = [head.get_text().rstrip("#") for head in soup.select("article h2")]
    names = heads if len(heads) == len(marks) else [mark.title for mark in marks]
    for name, mark in zip(names, marks):
        yield re.sub(r"\\\((.*?)\\\)", r"\1", name), reader.get_destination_page_number(mark)


def keep_inside(joined, starts, address, path):
    """Let a link to a page of the book lead to where that is printed, or else to the site."""
    site = address.removesuffix(path.relative_to(HTML).as_posix())
    for link in links(joined):
        to = urlsplit(link.get("/A", {}).get("/URI", ""))
        if to.scheme != "file":
            continue
        target = Path(unquote(to.path))
        if target in starts:
            del link["/A"]
            page = joined.pages[starts[target]].indirect_reference
            link[NameObject("/Dest")] = ArrayObject([page, NameObject("/Fit")])
        elif target.is_relative_to(HTML):
            whole = f"{site}{target.relative_to(HTML).as_posix()}#{to.fragment}".rstrip("#")
            link["/A"][NameObject("/URI")] = TextStringObject(whole)


def number(folder, joined, first):
    """Print page numbers on all pages but the first ones."""
    sheet, count = folder / "numbers.html", len(joined.pages)
    rows = "".join(f"<section>{page + 1}</section>" for page in range(first, count))
    sheet.write_text(document(NUMBERS, rows), "utf-8")
    for page, mark in zip(joined.pages[first:], PdfReader(to_pdf(sheet, folder / "n.pdf")).pages):
        page.merge_page(mark)


def slides(folder):
    """Make the slides: for each chapter its title, then its figures with section and caption."""
    sheets, starts = [], {}
    for title, path, *_, soup in pages():
        figures = soup.select("article div.cell_output img")
        if not figures:
            continue
        starts[title] = len(sheets)
        sheets.append(f"<section><h1>{html.escape(title)}</h1></section>")
        for image in figures:
            section = image.find_previous(["h1", "h2", "h3"]).get_text().strip("#\n ")
            inline = image["src"].startswith("data:")
            source = image["src"] if inline else (path.parent / unquote(image["src"])).as_uri()
            told = image.find_next_sibling("figcaption")
            words = told.get_text(" ", strip=True).rstrip("#") if told else image.get("alt", "")
            sheets.append(
                f"<section><h2>{html.escape(section)}</h2><img src='{source}'>"
                f"<p>{html.escape(words)}</p></section>"
            )
        print(f"{title}: {len(sheets) - starts[title]}")
    deck, joined = folder / "slides.html", PdfWriter()
    deck.write_text(document(SLIDES, "".join(sheets)), "utf-8")
    joined.append(PdfReader(to_pdf(deck, folder / "slides.pdf")), import_outline=False)
    for title, start in starts.items():
        joined.add_outline_item(title=title, page_number=start)
    return joined


def to_pdf(page, out):
    names = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if not browser:
        sys.exit("Chromium is needed to print; on Debian: apt-get install chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                "--headless",
                "--disable-gpu",
                "--disable-background-networking",
                *root,
                f"--user-data-dir={profile}",
                f"--virtual-time-budget={1000 * SECONDS}",
                "--no-pdf-header-footer",
                "--generate-pdf-document-outline",
                f"--print-to-pdf={out}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=180,
        )
    return out


def main(what, out):
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        joined = {"book": book, "slides": slides}[what](Path(folder))
        joined.compress_identical_objects()  # the fonts, which each page of the site brings
        joined.page_mode = "/UseOutlines"
        joined.write(out)
    print(f"{len(joined.pages)} pages: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("book", "slides"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
