"""Debian's Chromium on the built book, served from this machine; nothing else may be asked."""

import contextlib
import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import pytest
from built import HTML
from playwright.sync_api import sync_playwright


def pytest_collection_modifyitems(items):
    """All tests in this folder look at the built book, and may be tried twice.

    A browser can be lost, and a page that waits too long for a busy machine. A test that needed its
    second try is listed at the end of the run: pytest's "R" of -raR.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("built")
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A second try begins with a new browser: with the old one goes all that was made of it."""
    if item.execution_count > 1:
        for fixture in item._fixtureinfo.name2fixturedefs.get("chromium", ()):
            fixture.finish(item._request)


AXE = Path(__file__).parent / "vendor" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--renderer-process-limit=1",  # of a window: to start one for each page costs as much as it
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Unset(Quiet):
    """MathJax is an empty file here: to set the formulas is half of what a visit computes."""

    def do_GET(self):
        if "/mathjax/" not in self.path:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextlib.contextmanager
def served(handler):
    """The address of the built book."""
    assert (HTML / "index.html").exists(), f"no book in {HTML}: run `make book` first"
    handler = functools.partial(handler, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def sites():
    """The built book's addresses: with its formulas set, and with their source in their place."""
    with served(Quiet) as whole, served(Unset) as unset:
        yield {True: whole, False: unset}


@pytest.fixture(scope="session")
def chromium():
    names = "chromium-headless-shell", "chromium", "chromium-browser"  # the first is the quickest
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "these tests need Chromium: sudo apt-get install chromium, then make test again"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Pages:
    """Windows that tests use one after another: to open one costs as much as to show a page.

    A window is found as a new one would be, but for the cache: blank, its store empty, the mouse
    off it.
    """

    def __init__(self, chromium):
        self.chromium, self.idle, self.lent, self.asked, self.complaints = chromium, {}, [], [], []

    def lend(self, width, **settings):
        """A page of a context with these settings, which nobody else has until all come back."""
        kind = json.dumps([width, settings])
        page = self.idle[kind].pop() if self.idle.get(kind) else self._open(width, settings)
        self.lent.append((kind, page))
        return page

    def _open(self, width, settings):
        context = self.chromium.new_context(viewport={"width": width, "height": 900}, **settings)
        if theme := settings.get("color_scheme"):
            context.add_init_script(
                "if (location.protocol !== 'about:') for (const name of ['mode', 'theme'])"
                f" localStorage.setItem(name, '{theme}')"
            )
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and self.complaints.append(f"{message.text} {message.location}")
            ),
        )
        return page

    def take_back(self):
        """What was asked for and complained of since they were lent."""
        for kind, page in self.lent:
            page.context.set_offline(False)
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            page.unroute_all()
            page.emulate_media(media="null")
            page.mouse.move(-1, -1)
            page.goto("about:blank")
            self.idle.setdefault(kind, []).append(page)
        asked, complaints = self.asked, self.complaints
        self.lent, self.asked, self.complaints = [], [], []
        return asked, complaints


@pytest.fixture(scope="session")
def pages(chromium):
    return Pages(chromium)


@pytest.fixture
def visit(pages, sites):
    """Opens a page; at the end, nothing may have been asked elsewhere or complained of."""

    def opened(
        path, theme="light", width=1280, ready=".soo-explorer svg text", formulas=True, **settings
    ):
        page = pages.lend(width, color_scheme=theme, **settings)
        page.set_default_timeout(20_000)
        if path.startswith("file:") and not formulas:
            page.route("**/mathjax/**", lambda route: route.fulfill(body=""))
        page.goto(path if ":" in path else f"{sites[formulas]}/{path}")
        if ready:
            page.wait_for_selector(ready)
        return page

    yield opened
    asked, complaints = pages.take_back()
    local = ("http://localhost:", "ws://localhost:", "data:", "blob:", "file:", "about:")
    assert not [url for url in asked if not url.startswith(local)]
    assert not complaints


def violations(page, where):
    """The rules that a part of a page breaks, and the nodes that do; of the others no list."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    run = "where => axe.run(where, { resultTypes: ['violations'] }).then(found => found.violations)"
    return [
        (rule["id"], [node["html"] for node in rule["nodes"]]) for rule in page.evaluate(run, where)
    ]


def in_each_theme(page):
    """The light page, then the same dark: an attribute, by which the style sheets go."""
    for theme in ("light", "dark"):
        page.locator("html").evaluate("(html, theme) => { html.dataset.theme = theme; }", theme)
        yield theme


BARE = """<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8">
<title>A live picture</title>
<meta name="viewport" content="width=device-width"><style>
body {{ margin: 0 auto; max-width: 56rem; padding: 1rem; font-family: sans-serif;
background: {paper}; color: {ink} }} {css}</style><main id="here"></main>{below}
<script type="module">{esm}</script></html>"""
LOOK = {"light": ("#fff", "#222"), "dark": ("#14181e", "#ced6dd")}


@pytest.fixture
def bare(pages):
    """Opens a live widget's text in a page of its own, so that no book need be built.

    Nothing may have been complained of by the end.
    """

    def opened(
        widget, search="", theme="light", width=1280, below="", first="{}", more="{}", **settings
    ):
        page = pages.lend(width, **settings)
        page.set_default_timeout(60_000)
        paper, ink = LOOK[theme]
        start = f"""render({{ el: document.getElementById("here"),
            model: {{ get: (name) => ({{ first: {first}, ...{more} }})[name] }} }});"""
        esm = widget._esm.replace("export default { render };", start)
        body = BARE.format(theme=theme, paper=paper, ink=ink, css=widget._css, esm=esm, below=below)
        page.route("**/*", lambda route: route.fulfill(body=body, content_type="text/html"))
        page.goto(f"http://localhost/{search}")
        page.wait_for_selector(".soo-live svg text")
        return page

    yield opened
    assert not pages.take_back()[1]
