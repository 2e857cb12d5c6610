"""The notebooks as committed: stripped, short of cell, and saying what their figures show."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

BOOK = Path(__file__).resolve().parent.parent / "book"
NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
REPOSITORY = yaml.safe_load((BOOK.parent / "_config.yml").read_text())["repository"]["url"]
MAX_LINES = 15
CHECKED = re.compile(r"^\s*# *NBVAL_CHECK_OUTPUT\b", re.MULTILINE)
# What draws, among the functions of soo_lib.plots and matplotlib. A figure this misses is still
# caught on the built page, by test_book.py.
DRAWS = re.compile(r"\bplots\.(?!use_style|solver_color)\w+\(|\bplt\.(show|subplots|figure|plot)\(")


def each_notebook(test):
    ids = [p.relative_to(BOOK).with_suffix("").as_posix() for p in NOTEBOOKS]
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)(test)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [(n, cell) for n, cell in enumerate(cells, 1) if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code_lines(source):
    """Lines of code: neither empty nor comment."""
    lines = [line.strip() for line in source.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_there_are_notebooks():
    assert NOTEBOOKS, f"no notebook in {BOOK}"


@each_notebook
def test_is_valid_and_runs_in_the_kernel_everyone_has(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.get("kernelspec", {}).get("name") == "python3"


@each_notebook
def test_is_stripped(path):
    """Only a checked cell keeps its output: to strip, `make strip`."""
    for number, cell in code_cells(path):
        if "keep_output" not in tags(cell):
            assert not cell.outputs, f"cell {number} has an output and no tag keep_output"
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


@each_notebook
def test_a_checked_cell_has_something_to_check(path):
    """Without a stored output nbval compares nothing, and without the tag it would be stripped."""
    for number, cell in code_cells(path):
        checked = bool(CHECKED.search(cell.source))
        assert checked == ("keep_output" in tags(cell)), (
            f"cell {number}: the comment NBVAL_CHECK_OUTPUT and the tag keep_output go together"
        )
        if checked:
            assert cell.outputs, f"cell {number} is checked and has no stored output"
            assert cell.execution_count, f"cell {number}: nbval needs its execution_count"


@each_notebook
def test_no_cell_is_long(path):
    """A cell that needs more lines is missing a function in soo_lib."""
    for number, cell in code_cells(path):
        length = len(code_lines(cell.source))
        assert length <= MAX_LINES, f"cell {number} has {length} lines of code, over {MAX_LINES}"


@each_notebook
def test_a_figure_says_what_it_shows(path):
    """The alternative text is the figure, for a reader who cannot see it."""
    for number, cell in code_cells(path):
        if DRAWS.search(cell.source) and not {"remove-output", "remove-cell"} & tags(cell):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) >= 15, f"cell {number} draws a figure and has no alternative text"


@each_notebook
def test_on_colab_the_first_cell_fetches_the_library(path):
    first = code_cells(path)[0][1]
    assert f"git clone --quiet --depth 1 {REPOSITORY} " in first.source
    assert first.source.splitlines()[1] == 'if "google.colab" in str(get_ipython()):'
    assert "remove-cell" in tags(first)
