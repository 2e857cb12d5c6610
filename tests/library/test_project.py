"""One version, workflows that call what exists, and guides that name what there is."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import soo_lib

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == soo_lib.__version__ == str(citation["version"])
    assert f"\n## {soo_lib.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


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


def test_the_guides_name_targets_that_exist():
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "book/teaching.md"):
        text = (ROOT / page).read_text()
        named = re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE)
        assert named and set(named) <= TARGETS, (page, set(named) - TARGETS)


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
