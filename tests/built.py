"""The built book, for the tests that look at its pages: `make book` has made it before."""

import gc
import re
from functools import cache
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())


def toc_pages():
    """Every page that _toc.yml names, root first, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())

    def files(node):
        if isinstance(node, list):
            return [page for item in node for page in files(item)]
        if isinstance(node, dict):
            own = [node[key] for key in ("root", "file") if key in node]
            below = [node.get(key) for key in ("parts", "chapters", "sections")]
            return own + files(below)
        return []

    return files(toc)


PAGES = toc_pages()
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]

CHAPTERS = [
    page
    for page in NOTEBOOKS
    if re.fullmatch(r"book/(?!(?:welcome|status|playground|results-appendix))[\w-]+", page)
]
REFERENCE = [page for page in PAGES if page.startswith("book/reference/")]


@cache
def soup(path):
    parsed = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    gc.freeze()  # it stays: to look for garbage in all of it, ever again, costs as much as to parse
    return parsed


def built_pages():
    apart = "_static", "404.html"
    return sorted(p for p in HTML.rglob("*.html") if not set(apart) & set(p.parts))
