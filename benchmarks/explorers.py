"""What the explorers cost: their part of each built page, and the time their grids took.

    python benchmarks/explorers.py        after make book; the redraw times are in make test

A grid is computed once and then kept; the seconds are those of the machine that computed it.
"""

import gzip
import json
import re
from pathlib import Path

from soo_lib.precompute import cache_folder

HTML = Path(__file__).resolve().parent.parent / "_build" / "html" / "book"
STATE = re.compile(r'(?<=widget-state\+json">).*?(?=</script>)', re.DOTALL)


def main():
    kept = sorted(cache_folder().glob("*.json"), key=lambda path: path.stat().st_mtime)
    grids = {grid["name"]: grid for grid in (json.loads(path.read_text()) for path in kept)}
    total = 0.0
    print("explorer        choices   seconds   of the page   gzipped")
    for page in sorted(HTML.glob("*.html")):
        text = page.read_text("utf-8")
        for found in STATE.findall(text):
            (spec,) = [model["state"]["spec"] for model in json.loads(found)["state"].values()
                       if "spec" in model["state"]]  # fmt: skip
            grid, without = grids[spec["name"]], STATE.sub("", text)
            raw, packed = (len(size(text.encode())) - len(size(without.encode()))
                           for size in (bytes, gzip.compress))  # fmt: skip
            print(f"{spec['name']:14} {len(grid['states']):8} {grid['seconds']:9.1f} "
                  f"{raw / 1e3:10.0f} KB {packed / 1e3:6.0f} KB")  # fmt: skip
            total += grid["seconds"]
    print(f"all grids: {total:.0f} s")


if __name__ == "__main__":
    main()
