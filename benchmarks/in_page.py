"""Seconds that all cells of a chapter take in its page, for the page to say so before.

    python benchmarks/in_page.py [CHAPTER ...]        after make book

Headless Chromium opens each chapter of the built book, starts Python and runs all cells. The
seconds of each go into book/_ext/in_page.json, and with them what failed is printed.
"""

import functools
import http.server
import json
import shutil
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
FILE = ROOT / "book" / "_ext" / "in_page.json"
MOST = 1200  # seconds
RUNS = "() => document.querySelector('.soo-main').textContent === 'Stop'"
IDLE = "() => document.querySelector('.soo-main').textContent === 'Run'"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def seconds(page, address):
    """Run all cells of the page; return the seconds it took, and the errors that it shows."""
    page.goto(address)
    for look in page.get_by_role("button", name="Just show me").all():  # what is veiled
        if look.is_visible():
            look.click()
    first = page.locator(".soo-edit:visible").first
    if not first.count():
        return 0, []
    first.click()
    page.get_by_role("button", name="Run", exact=True).click()  # Python comes, off the clock
    page.wait_for_function(RUNS)
    page.wait_for_function(IDLE)
    start = time.perf_counter()
    page.get_by_role("button", name="Run all").click()
    page.wait_for_function(RUNS)
    page.wait_for_function(IDLE)
    return time.perf_counter() - start, page.locator(".soo-error, .soo-said").all_inner_texts()


def main(names):
    known = json.loads(FILE.read_text("utf-8"))
    chapters = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
    handler = functools.partial(Quiet, directory=HTML)
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))
        path = next(filter(None, found))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in names or chapters:
            page = browser.new_page()
            page.set_default_timeout(1000 * MOST)
            try:
                took, said = seconds(
                    page, f"http://localhost:{server.server_port}/book/{name}.html"
                )
                known[name] = round(took)
                print(f"{name:25}{took:7.1f} s", *filter(None, said), flush=True)
            except Error as error:
                print(f"{name:25} failed: {str(error).splitlines()[0]}", flush=True)
            page.close()
        server.shutdown()
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
