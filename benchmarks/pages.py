"""What a page costs its reader: kilobytes, the first paint, the first live picture.

    python benchmarks/pages.py [PAGE ...]        after make book

Headless Chromium is slowed to a middling telephone: 1.6 Mbit/s, 150 ms to the server, a processor
four times slower, files gzipped, nothing cached. Then it visits the same page again, its files
cached for ten minutes as GitHub Pages has it. The figures are medians of three visits. A picture
counts as live in the frame after its controls stand.
"""

import functools
import gzip
import http.server
import shutil
import statistics
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
SLOWED, VISITS = 4, 3
PAINT, LIVE, LIVE_CACHED, WEIGHT = 2.0, 5.0, 2.0, 750  # s, s, s, KB: what is aimed at
FIRST = {"welcome", "rosenbrock"}  # where the live picture stands in the first screen
TEXT = {".html", ".css", ".js", ".svg", ".json"}
WATCH = """(() => {
    const look = () => {
        const picture = document.querySelector('.soo-explorer:has(select, input):has(svg, canvas)');
        if (picture)
            requestAnimationFrame(() => { window.liveAt = performance.now(); });
        else requestAnimationFrame(look);
    };
    look();
})()"""
PAINTED = """() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"""


class Gzipped(http.server.SimpleHTTPRequestHandler):
    """Serve the site as a host does: packed, connections kept, files fresh for ten minutes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        body = packed(path) if path.suffix in TEXT else path.read_bytes()
        self.send_response(200)
        if path.suffix in TEXT:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *args):
        """Do nothing: a visitor who left while a connection was kept is no error."""


@functools.cache
def packed(path):
    return gzip.compress(path.read_bytes())


def visit(context, address):
    """Make one visit; return kilobytes, and seconds to first paint and first live picture."""
    page, received = context.new_page(), []
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", NETWORK)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    devtools.on("Network.loadingFinished", lambda end: received.append(end["encodedDataLength"]))
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load", timeout=60_000)
    if page.locator(".math").count():  # formulas come after all else, with their fonts
        page.wait_for_selector("mjx-container", state="attached", timeout=60_000)
    page.wait_for_load_state("networkidle", timeout=60_000)
    paint, live = page.evaluate(PAINTED), page.evaluate("() => window.liveAt")
    page.close()
    return sum(received) / 1e3, (paint or float("nan")) / 1e3, (live or float("nan")) / 1e3


def main(names):
    pages = sorted(
        path.relative_to(HTML).as_posix()
        for path in HTML.rglob("*.html")
        if "_static" not in path.parts
    )
    chosen = [page for page in pages if not names or Path(page).stem in names]
    handler = functools.partial(Gzipped, directory=HTML)
    with Server(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        names = "chromium-headless-shell", "chromium", "chromium-browser"
        path = next(filter(None, map(shutil.which, names)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        print(f"{'page':34}{'KB':>7}{'first paint, s':>16}{'live, s':>10}{'live again, s':>15}")
        for name in chosen:
            address, rows = f"http://localhost:{server.server_port}/{name}", []
            for _ in range(VISITS):
                context = browser.new_context(viewport={"width": 1280, "height": 900})
                first, again = visit(context, address), visit(context, address)
                rows.append((*first, again[2]))
                context.close()
            weight, paint, live, cached = (statistics.median(column) for column in zip(*rows))
            late = (
                weight > WEIGHT
                or paint > PAINT
                or (Path(name).stem in FIRST and (live > LIVE or cached > LIVE_CACHED))
            )
            shown = [f"{value:.1f}" if value == value else "" for value in (live, cached)]
            print(
                f"{name:34}{weight:7.0f}{paint:16.2f}{shown[0]:>10}{shown[1]:>15}"
                f"{'   short of the aim' if late else ''}"
            )
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
