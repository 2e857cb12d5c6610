"""What the explorers cost: their part of each built page, a redraw, and the time of their grids.

    python benchmarks/explorers.py        after make book

A grid is computed once and then kept; its seconds are those of the machine that computed it. A
redraw lasts, in Chromium, from a change of a control until the page is laid out again. The best of
five counts, as other work may share the machine.
"""

import gzip
import json
import re
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

from soo_lib.datasets.sources import cache_folder

HTML = Path(__file__).resolve().parent.parent / "_build" / "html" / "book"
STATE = re.compile(r'(?<=widget-state\+json">).*?(?=</script>)', re.DOTALL)
RECORDED = ".soo-explorer:not(.soo-live)"
REDRAW = """all => all.flatMap((control) => {
    const slider = control.type === 'range';
    const redraw = (i) => {
        const start = performance.now();
        control[slider ? 'value' : 'selectedIndex'] = i;
        control.dispatchEvent(new Event(slider ? 'input' : 'change'));
        control.closest('.soo-explorer').getBoundingClientRect();
        return performance.now() - start;
    };
    const options = [...Array(slider ? Number(control.max) + 1 : control.options.length).keys()];
    const passes = [1, 2, 3, 4, 5].map(() => options.map(redraw));
    return options.map((i) => Math.min(...passes.map((pass) => pass[i])));
})"""


def main():
    cache = cache_folder("SOO_LIB_EXPLORERS", "explorers")
    kept = sorted(cache.glob("*.json"), key=lambda path: path.stat().st_mtime)
    grids = {grid["name"]: grid for grid in (json.loads(path.read_text()) for path in kept)}
    total = 0.0
    print("explorer        choices   seconds   of the page   gzipped   redraw, ms: median, longest")
    with sync_playwright() as playwright:
        names = "chromium-headless-shell", "chromium", "chromium-browser"
        path = next(filter(None, map(shutil.which, names)), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for page in sorted(HTML.glob("*.html")):
            text = page.read_text("utf-8")
            for found in STATE.findall(text):
                specs = [
                    model["state"]["spec"]
                    for model in json.loads(found).values()
                    if "spec" in model["state"]
                ]
                if not specs:  # a live picture, with no grid
                    continue
                (spec,) = specs
                grid, without = grids[spec["name"]], STATE.sub("", text)
                raw, packed = (
                    len(size(text.encode())) - len(size(without.encode()))
                    for size in (bytes, gzip.compress)
                )
                times = redraws(browser, page)
                print(
                    f"{spec['name']:14} {len(grid['states']):8} {grid['seconds']:9.1f} "
                    f"{raw / 1e3:10.0f} KB {packed / 1e3:6.0f} KB "
                    f"{statistics.median(times):18.1f} {max(times):8.1f}"
                )
                total += grid["seconds"]
    print(f"all grids: {total:.0f} s")


def redraws(browser, path):
    """Return the milliseconds of a redraw for every option of every control."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(f"{RECORDED} svg text")
    controls = page.locator(f"{RECORDED} .controls :is(select, input[type=range])")
    times = controls.evaluate_all(REDRAW)
    page.close()
    return times


if __name__ == "__main__":
    main()
