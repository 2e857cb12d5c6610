"""The notebooks as committed: stripped, short of cell, and saying what their figures show.

And how they are run: once, for the pages and for nbval.
"""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache

from soo_lib.solvers import Status

BOOK = Path(__file__).resolve().parents[2] / "book"
NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
REPOSITORY = yaml.safe_load((BOOK.parent / "_config.yml").read_text())["repository"]["url"]
CHECKED = re.compile(r"^\s*# *NBVAL_CHECK_OUTPUT\b", re.MULTILINE)
# An invitation to change the code of the cell below, which has the tag "try".
TRY = re.compile(r"\*\*Try:\*\* change `([^`]+)` to `([^`]+)` in the code below, and run it\.")
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
def test_an_invitation_names_a_change_of_the_cell_below(path):
    """`make check-live` makes each of these changes in the page."""
    cells = nbformat.read(path, as_version=4).cells
    for above, cell in zip(cells, cells[1:]):
        invited = TRY.search(above.source) if above.cell_type == "markdown" else None
        assert bool(invited) == ("try" in tags(cell)), f"{cell.id}: the tag goes with the text"
        if invited:
            assert cell.source.count(invited[1]) == 1, cell.id


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


def test_the_page_of_messages_has_every_message():
    """The page's list is made of ``Status``; each has its two explanations there."""
    cells = {cell.id: cell.source for _, cell in code_cells(BOOK / "why-did-it-stop.ipynb")}
    explained = re.findall(r'^    "([A-Z_]+)": \(', cells["messages-table"], re.MULTILINE)
    assert explained == [status.name for status in Status]


# ---- tools/run_once.py: one run for the pages and for nbval


def notebook(path, *cells, **metadata):
    """Write a notebook of cells (source, what it printed when it was committed)."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb = nbformat.v4.new_notebook(metadata={"kernelspec": kernel, **metadata})
    for count, (source, printed) in enumerate(cells, 1):
        outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
        cell = nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=count)
        nb.cells.append(cell)
    nbformat.write(nb, path)
    return nb


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Four small notebooks after `make check-notebooks`: each cell's outcome, and the cache."""
    folder = tmp_path_factory.mktemp("notebooks")
    check = "# NBVAL_CHECK_OUTPUT\nprint({})".format
    slider = "import ipywidgets\nipywidgets.IntSlider(7)"
    count = "with open('runs', 'a') as file:\n    print('run', file=file)"
    written = {
        "right": notebook(folder / "right.ipynb", (count, ""), (check(2), "2\n"), (slider, "")),
        "wrong": notebook(folder / "wrong.ipynb", (check(2), "3\n"), ("x = 1", "")),
        "error": notebook(folder / "error.ipynb", ("x = 1", ""), ("1 / 0", ""), (check(2), "2\n")),
        "slow": notebook(
            folder / "slow.ipynb", ("import time; time.sleep(60)", ""), execution={"timeout": 1}
        ),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tools.run_once",
        "--nbval-lax",
        "-rA",
        f"--run-into={folder / 'cache'}",
        str(folder),
    ]
    told = subprocess.run(command, cwd=BOOK.parent, capture_output=True, text=True)
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S*?(\w+)\.ipynb::Cell (\d)", told.stdout, re.M)
    outcomes = {(name, int(cell)): outcome for outcome, name, cell in found}
    return SimpleNamespace(folder=folder, notebooks=written, outcomes=outcomes, told=told)


def test_a_notebook_that_shows_what_it_should_passes_in_one_run(judged):
    assert [judged.outcomes["right", cell] for cell in range(3)] == 3 * ["PASSED"]
    assert (judged.folder / "runs").read_text() == "run\n"


def test_a_checked_output_that_differs_fails_the_command(judged):
    assert judged.told.returncode == 1
    assert judged.outcomes["wrong", 0] == "FAILED" and "Cell outputs differ" in judged.told.stdout
    assert judged.outcomes["wrong", 1] == "PASSED"


def test_an_error_fails_its_cell_and_those_that_did_not_run(judged):
    """The last would pass if what was committed were taken for what was run."""
    outcomes = [judged.outcomes["error", cell] for cell in range(3)]
    assert outcomes == ["PASSED", "FAILED", "FAILED"] and "ZeroDivisionError" in judged.told.stdout
    assert judged.outcomes["slow", 0] == "ERROR" and "CellTimeoutError" in judged.told.stdout


def test_the_build_finds_the_run_that_was_judged_with_its_widgets(judged):
    runs = get_cache(judged.folder / "cache")
    _, served = runs.merge_match_into_notebook(judged.notebooks["right"])
    assert served.cells[1].outputs[0].text == "2\n"
    model = served.cells[2].outputs[0].data["application/vnd.jupyter.widget-view+json"]["model_id"]
    state = served.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert state[model]["state"]["value"] == 7
    for name in ("error", "slow"):
        with pytest.raises(KeyError):
            runs.match_cache_notebook(judged.notebooks[name])
    runs.db.dispose()
