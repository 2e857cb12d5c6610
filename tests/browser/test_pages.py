"""What every page asks for and how: its bytes, its scripts, its icons. No time is asserted."""

import functools
import http.server
import importlib.util
import re
import threading

import pytest
from fontTools.ttLib import TTFont
from test_book import HTML, ROOT, built_pages, soup

spec = importlib.util.spec_from_file_location("pages", ROOT / "benchmarks" / "pages.py")
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)

NAMES = [path.relative_to(HTML).as_posix() for path in built_pages()]


@pytest.fixture(scope="module")
def gzipped():
    """The address of the built book, packed as a host packs it."""
    handler = functools.partial(benchmark.Gzipped, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", NAMES)
def test_a_first_visit_is_light_and_silent(chromium, gzipped, name):
    """Nothing cached, all figures near the first screen, the formulas set; no word of complaint."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, received, said, asked = context.new_page(), [], [], []
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda end: received.append(end["encodedDataLength"]))
    page.on("console", lambda message: message.type in ("error", "warning")
            and said.append(message.text))  # fmt: skip
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: response.ok or said.append(response.url))
    page.goto(f"{gzipped}/{name}", wait_until="load")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached")
    page.wait_for_load_state("networkidle")
    context.close()
    assert not said
    assert all(url.startswith((gzipped, "data:")) for url in asked)
    assert sum(received) <= benchmark.WEIGHT * 1000


@pytest.mark.parametrize("name", NAMES)
def test_nothing_holds_up_the_first_paint(name):
    """No script is waited for, and of style sheets one, with a widget's own beside it."""
    page = soup(HTML / name)
    if page.select("meta[http-equiv=refresh]"):
        return  # it shows nothing
    waited = [tag["src"] for tag in page.select("script[src]")
              if not (tag.has_attr("defer") or tag.has_attr("async"))]  # fmt: skip
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


@pytest.mark.parametrize("name", NAMES)
def test_no_widget_repeats_its_program_in_the_page(name):
    text = (HTML / name).read_text("utf-8")
    assert "_esm" not in text and "_css" not in text
    assert len(re.findall(r"widget-view\+json", text)) == text.count('"widget":"')


def test_every_icon_of_the_theme_is_in_its_small_font():
    """Else a reader sees an empty box: the style sheet knows two thousand, the fonts thirty."""
    vendor = ROOT / "book" / "_static" / "vendor"
    have = {code for name in ("icons.woff", "icons-brands.woff")
            for code in TTFont(vendor / name).getBestCmap()}  # fmt: skip
    sheet = (HTML / "_static" / "page.css").read_text("utf-8")
    pages = {icon for path in built_pages() for tag in soup(path).select("i[class*=fa-]")
             for icon in tag["class"]}  # fmt: skip
    sizes = {"fa-solid", "fa-brands", "fa-lg", "fas", "fab", "theme-switch"}
    for icon in pages - sizes:
        rule = re.search(rf"\.{icon}:before[^{{]*\{{content:\"(\\?[^\"]+)\"", sheet)
        assert rule, f"no rule of the style sheet says what {icon} looks like"
        code = int(rule[1][1:], 16) if rule[1][0] == "\\" else ord(rule[1])
        assert code in have, f"{icon} is not among ICONS of tools/fetch_vendor.py"
    shown = {ord(c) for c in re.findall(r"--pst-icon-[\w-]+:\s*\"(.)\"", sheet)}
    unused = {0xF296, 0xF010}  # gitlab, search-minus: defined, and asked for by no rule
    assert shown - have <= unused


def test_the_icons_are_drawn(visit):
    page = visit("book/glossary.html", ready=".math")
    page.wait_for_function("document.fonts.check('900 16px \"Font Awesome 6 Free\"', '\\uf135')")
    for name in ("moon", "sun", "circle-half-stroke", "expand", "download", "magnifying-glass"):
        icon = page.locator(f"i.fa-{name}").first
        family = icon.evaluate("node => getComputedStyle(node, '::before').fontFamily")
        assert "Font Awesome 6" in family, name
    switch = page.locator(".theme-switch-button").first
    before = page.locator("html").get_attribute("data-theme")
    for _ in range(3):
        switch.click()
        if page.locator("html").get_attribute("data-theme") != before:
            return
    pytest.fail("the theme does not change")
