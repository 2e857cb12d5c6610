"""Compute a grid of choices once, and keep what came out as short numbers.

It is found again by the content that it came from, this library's source included.
"""

import inspect
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import scipy
from tqdm.auto import tqdm

from ..datasets.sources import cache_folder

LIBRARY = Path(__file__).parent.parent


@dataclass
class State:
    """What an explorer shows for one choice; what is None is not shown."""

    runs: list = field(default_factory=list)  #: columns each: :func:`soo_lib.book.explore.columns`
    note: str | list | None = None  #: a sentence, or one for each frame
    frames: list | None = None  #: names of what the reader steps through, if not the rows
    per_frame: bool | None = None  #: each run belongs to a frame
    points: list | None = None  #: x, y and the number of a class
    level: float | None = None  #: a horizontal line
    image: np.ndarray | None = None  #: (frames, rows, columns)
    answers: list | None = None  #: of each frame a label for each picture
    contours: str | None = None  #: :func:`soo_lib.book.explore.landscape` makes them
    trials: str | None = None  #: and these, the points that a line search tried

    def shown(self):
        """What is shown, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


def precompute(compute, grid, name=""):
    """Return the packed state of each choice in ``grid``, from the cache if it is there.

    The key is the content: the function's source, what it refers to, the choices, this library's
    source and the versions of numpy and scipy. The cache is the folder that the environment
    variable SOO_LIB_EXPLORERS names, else one in the user's cache folder.
    """
    path = cache_folder("SOO_LIB_EXPLORERS", "explorers") / f"{_digest(compute, grid)}.json"
    if path.exists():
        return json.loads(path.read_text())["states"]
    # Only someone who watches is shown the bar: a page that is being built has nobody.
    watched, start = sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ, time.perf_counter()
    states = [
        pack(compute(**choice))
        for choice in tqdm(grid, desc=name, delay=2, leave=False, disable=not watched)
    ]
    content = {"name": name, "seconds": round(time.perf_counter() - start, 2), "states": states}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place, then moved: a file in the cache is always whole.
    with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:
        whole = Path(unfinished, path.name)
        whole.write_text(json.dumps(content))
        os.replace(whole, path)
    return states


def pack(value):
    """Return a state with its numbers as strings of three digits, as many as a picture shows."""
    if isinstance(value, State):
        return pack(value.shown())
    if isinstance(value, dict):
        return {key: pack(part) for key, part in value.items()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and value and isinstance(value[0], dict | str):
        return [pack(part) for part in value]
    if isinstance(value, np.ndarray) and value.ndim == 3:
        return _pack_matrices(value)
    if any(np.ndim(part) for part in value):
        return "|".join(pack(np.ravel(part)) for part in value)
    if len(value) > 2 and np.array_equal(value, np.arange(len(value))):
        return f"0:{len(value)}"
    return " ".join(map(_short, value))


def _pack_matrices(value):
    """Pack matrices of one shape; of symmetric ones keep the lower triangles."""
    shape, between = list(value.shape[1:]), " "
    slack = 1e-9 * np.abs(value).max()  # what rounding may do
    if symmetric := shape[0] == shape[1] and np.allclose(value, np.swapaxes(value, 1, 2), 0, slack):
        value = [part[np.tril_indices(shape[0])] for part in value]
    if np.asarray(value).dtype.kind == "i" and 0 <= np.min(value) <= np.max(value) <= 9:
        between = ""
    data = [between.join(map(_short, np.ravel(part))) for part in value]
    return {"shape": shape, "symmetric": symmetric, "data": data}


def _short(number):
    if float(number).is_integer() and abs(number) < 1e6:
        return str(int(number))
    text = f"{number:.3g}".replace("e-0", "e-").replace("e+0", "e")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _digest(compute, grid):
    library = [path.read_bytes() for path in sorted(LIBRARY.rglob("*.py"))]
    versions = np.__version__, scipy.__version__
    return joblib.hash([_meaning(compute, compute), grid, library, versions])


def _meaning(value, compute, within=()):
    """Return what the cache knows a value by.

    A function of the reader's counts by its source and by the values that it names. Modules,
    classes and the functions of other modules count by their names alone.
    """
    if not inspect.isfunction(value) or value.__module__ != compute.__module__:
        named = inspect.ismodule(value) or inspect.isroutine(value) or inspect.isclass(value)
        return value.__name__ if named else joblib.hash(value)
    if value in within:  # it calls itself
        return value.__name__
    codes = [value.__code__]
    for code in codes:  # a comprehension or an inner function has a code of its own
        codes += [part for part in code.co_consts if inspect.iscode(part)]
    outside = value.__globals__ | inspect.getclosurevars(value).nonlocals
    names = sorted({name for code in codes for name in (*code.co_names, *code.co_freevars)})
    used = {
        name: _meaning(outside[name], compute, (*within, value))
        for name in names
        if name in outside
    }
    return [inspect.getsource(value), used]
