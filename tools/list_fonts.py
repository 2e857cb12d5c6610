"""Make matplotlib's list of fonts before a notebook does, and make it whole.

matplotlib makes the list on its first use, and says so in whatever notebook comes first. It keeps
the list even where a font could not be read, and then every formula of the book would warn.
"""

import sys
from pathlib import Path

from matplotlib import font_manager, get_cachedir, get_data_path

# The text's font, and that which formulas fall back on
NEEDED = {"DejaVuSans.ttf", "STIXGeneral.ttf"}


def missing():
    there = {path.name for path in Path(get_data_path(), "fonts", "ttf").glob("*.ttf")}
    listed = {Path(font.fname).name for font in font_manager.fontManager.ttflist}
    return sorted((there | NEEDED) - listed)


if missing():
    font_manager.fontManager = font_manager._load_fontmanager(try_read_cache=False)
if missing():
    sys.exit(
        f"matplotlib cannot read its fonts {', '.join(missing())}, listed in {get_cachedir()};"
        " `make clean` and another try install them again"
    )
