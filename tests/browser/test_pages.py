"""What a first visit to every page costs in bytes; the icons are drawn. No time is asserted."""

import functools
import http.server
import importlib.util
import threading

import pytest
from built import HTML, ROOT, built_pages

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


@pytest.fixture(scope="module")
def first(chromium, gzipped):
    """A window for first visits: it keeps no file, and what it was sent and told is on record."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, seen = context.new_page(), {"received": [], "said": [], "asked": []}
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    devtools.on(
        "Network.loadingFinished", lambda end: seen["received"].append(end["encodedDataLength"])
    )
    page.on(
        "console",
        lambda message: message.type in ("error", "warning") and seen["said"].append(message.text),
    )
    page.on("pageerror", lambda error: seen["said"].append(str(error)))
    page.on("request", lambda request: seen["asked"].append(request.url))
    page.on("response", lambda response: response.ok or seen["said"].append(response.url))
    yield page, seen
    context.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_first_visit_is_light_and_silent(first, gzipped, name):
    """Nothing cached, all figures near the first screen, the formulas set; no word of complaint."""
    page, seen = first
    for record in seen.values():
        record.clear()
    page.goto(f"{gzipped}/{name}", wait_until="load")
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached")
    page.wait_for_load_state("networkidle")
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.goto("about:blank")
    assert not seen["said"]
    assert all(url.startswith((gzipped, "data:")) for url in seen["asked"])
    assert sum(seen["received"]) <= benchmark.WEIGHT * 1000


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
