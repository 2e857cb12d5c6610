"""One version, workflows that call what exists, and guides that name what there is."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import soo_lib

ROOT = Path(__file__).resolve().parent.parent
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
