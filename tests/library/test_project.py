"""One version, workflows that call what exists, and guides that name what there is."""

import ast
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml

import soo_lib
from soo_lib.losses import Rosenbrock
from soo_lib.solvers import directions, minimize
from soo_lib.solvers.minimize import OWN

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GUIDES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "book/teaching.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
]
each_guide = pytest.mark.parametrize("page", GUIDES)


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == soo_lib.__version__ == str(citation["version"])
    heading = rf"^## {re.escape(soo_lib.__version__)} - (\d{{4}}-\d\d-\d\d)$"
    dated = re.search(heading, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert dated and dated[1] == str(citation["date-released"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_exists(path):
    jobs = yaml.safe_load(path.read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    commands = [step["run"].split() for step in steps if "run" in step]
    assert commands
    for command in commands:
        if command[0] == "make":
            assert set(command[1:]) <= TARGETS, command
        else:
            files = [word for word in command if "/" in word]
            assert all((ROOT / file).exists() for file in files), command


def test_there_is_a_workflow_for_tests_site_and_new_releases():
    triggers = {path.stem: yaml.safe_load(path.read_text())[True] for path in WORKFLOWS}
    assert set(triggers) >= {"test", "site", "newest"}  # YAML reads the key "on" as true
    assert "pull_request" in triggers["test"] and triggers["newest"]["schedule"]
    pythons = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    assert {"3.11", "3.13"} <= set(pythons["jobs"]["test"]["strategy"]["matrix"]["python"])


def test_make_help_lists_what_a_reader_may_call():
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("serve", "test", "students", "grade", "slides", "pdf", "check-binder"):
        assert re.search(rf"^make {target}\s+\w", told.stdout, re.MULTILINE), target


@each_guide
def test_the_guides_name_targets_that_exist(page):
    text = (ROOT / page).read_text()
    fenced = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    named = re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE)
    named += re.findall(r"^(?:\$ )?make ([a-z-]+)", "".join(fenced), re.MULTILINE)
    assert named and set(named) <= TARGETS, set(named) - TARGETS


@pytest.mark.parametrize("page", [page for page in GUIDES if not page.startswith("book/")])
def test_the_guides_name_files_that_exist(page):
    """The book's page on teaching is left out: it speaks of files that a teacher has."""
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    folders = "soo_lib|tests|book|docs|tools|experiments|benchmarks"
    paths = re.findall(rf"`((?:{folders})/[^`\s<>*]*)`", text)
    lost = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    lost += [path for path in paths if not (ROOT / path).exists()]
    assert not lost, lost


def python_blocks(page):
    """The Python in a guide, each fenced block without its indentation."""
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", (ROOT / page).read_text(), re.M | re.S)
    return [textwrap.dedent(code) for _, code in blocks]


def test_the_lines_of_the_readme_run(capsys):
    scope = {}
    for code in python_blocks("README.md"):
        exec(code, scope)
    told = capsys.readouterr().out
    assert len(re.findall(r"iterations, loss \d", told)) == 8
    assert len(re.findall(r"iterations, loss 0\.4078", told)) == 6  # the others are on their way
    assert scope["run"].success and abs(scope["run"].x - 1).max() < 1e-6


def test_the_direction_rule_of_contributing_minimises(monkeypatch):
    """A stranger adds a rule by that page alone, so its example is run as it stands there."""
    (code,) = python_blocks("CONTRIBUTING.md")
    scope = dict(vars(directions))
    exec(code, scope)
    monkeypatch.setitem(OWN, "bb", scope["BarzilaiBorwein"])
    for search in ("backtracking", "wolfe"):
        assert minimize(Rosenbrock(), [0.0, 0.0], "bb", search, gtol=1e-6, maxiter=20_000).success


LIB = ROOT / "soo_lib"
FIRST = sorted((LIB / "book").rglob("*.py"))
GROUND = sorted(set(LIB.rglob("*.py")) - set(FIRST))
# From which rooms of the ground floor a room may take; each may take from itself and from checks.
MAY_TAKE = {
    "losses": set(),
    "curvature": {"losses"},
    "gradient_test": {"losses"},
    "solvers": {"losses", "gradient_test"},
    "stochastic": {"losses", "curvature", "solvers"},
    "cluster": {"losses"},
    "datasets": set(),
    "plots": set(),
    "checks": set(),
}


def imported(path):
    """The modules that a file imports, anywhere in it, by their full names."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(name):
    """The room that a full name lies in: ``losses`` of ``soo_lib.losses.network.Network``."""
    return name.split(".")[1] if name.startswith("soo_lib.") else None


def test_the_ground_floor_knows_nothing_of_the_first():
    assert len(GROUND) > 10 and len(FIRST) > 4
    upward = {
        path.name: [name for name in imported(path) if room(name) == "book"] for path in GROUND
    }
    assert not any(upward.values()), upward
    assert any(room(name) == "losses" for path in FIRST for name in imported(path))  # it can see


def test_no_arrow_between_the_rooms_runs_back():
    """losses <- curvature; losses <- gradient_test <- solvers; all of these <- stochastic."""
    rooms = {path.relative_to(LIB).parts[0].removesuffix(".py") for path in GROUND}
    assert rooms - {"__init__"} == set(MAY_TAKE)
    for path in GROUND:
        own = path.relative_to(LIB).parts[0].removesuffix(".py")
        taken = {room(name) for name in imported(path)} - {None, own, "checks"}
        if own != "__init__":
            assert taken <= MAY_TAKE[own], (path, taken)


@pytest.mark.parametrize(
    "lacking, module, extra",
    [
        ("matplotlib", "plots", "plots"),
        ("sklearn", "datasets", "data"),
        ("distributed", "cluster", "cluster"),
    ],
)
def test_what_an_import_lacks_is_named_with_its_extra(lacking, module, extra):
    code = f"import sys; sys.modules[{lacking!r}] = None; import soo_lib.{module}"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode and f"pip install 'soo-lib[{extra}]'" in told.stderr.splitlines()[-1]


def test_the_mathematics_runs_with_the_four_that_come_with_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert brought == {"numpy", "scipy", "threadpoolctl", "tqdm"}
    code = """
import sys, soo_lib
print(*{name.partition(".")[0] for name in sys.modules})
"""
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    extras = {"matplotlib", "sklearn", "IPython", "anywidget", "joblib", "distributed"}
    assert not extras & set(told.stdout.split())


def test_the_extra_book_brings_what_notebooks_and_first_floor_import():
    """On Colab it is all that is installed, by the cell that fetches the library."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = ("plots", "data", "cluster", "book")
    extras = extras["dependencies"] + sum((extras["optional-dependencies"][n] for n in named), [])
    brought = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in extras}
    along = {  # what those bring in turn
        "sklearn": "scikit_learn",
        "mpl_toolkits": "matplotlib",
        "contourpy": "matplotlib",
        "PIL": "matplotlib",
        "joblib": "scikit_learn",
        "traitlets": "ipywidgets",
        "distributed": "dask",
        "IPython": "ipywidgets",
        "soo_lib": "soo_lib",
        "nbformat": "myst_nb",
    }
    cells = [
        cell["source"]
        for path in (ROOT / "book").rglob("*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    floor = [path.read_text() for path in FIRST]
    text = "\n".join([*map("".join, cells), *floor])
    named = set(re.findall(r"^\s*(?:from|import) ([a-zA-Z_]\w*)", text, re.MULTILINE))
    wanted = {along.get(name, name) for name in named - sys.stdlib_module_names}
    assert wanted <= brought | {"soo_lib"}, wanted - brought
