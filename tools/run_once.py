"""A pytest plugin: a notebook runs once, for the pages that show it and for nbval, which judges it.

    pytest -p tools.run_once --nbval-lax book

Each notebook is run with what the book's build runs it with, into the build's cache. nbval is then
given the outputs of that run, as if a kernel were sending them, and compares what it always
compares. So nbval passes just what the pages show, and a build finds all notebooks in its cache.
"""

from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import CellTimeoutError, single_nb_execution
from nbval.plugin import IPyNbFile

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--run-into", default=ROOT / "_build/.jupyter_cache", help="the cache to fill")


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # make it here, before two workers make it at once
        get_cache(config.option.run_into).db.dispose()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    files = yield
    return [
        RunOnce.from_parent(parent, path=file_path) if isinstance(file, IPyNbFile) else file
        for file in files
    ]


class RunOnce(IPyNbFile):
    """nbval's notebook, with a kernel that repeats what was run."""

    def setup(self):
        self.kernel = Replay(run(self.path, self.config.option.run_into))
        self.setup_sanitize_files()


def run(path, cache):
    """Return the notebook with the outputs of a run; without an error they are cached as well."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what was committed must not pass for what was run
            cell.outputs, cell.execution_count = [], None
    timeout = yaml.safe_load((ROOT / "_config.yml").read_text())["execute"]["timeout"]
    found = single_nb_execution(notebook, str(path.parent), timeout, allow_errors=False)
    if isinstance(found.err, CellTimeoutError):
        raise found.err  # after any other error the failed cell holds it as an output
    if found.err is None:
        cache, data = get_cache(cache), {"execution_seconds": found.time}
        bundle = CacheBundleIn(notebook, str(path), data=data)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        cache.db.dispose()
    return notebook


class Replay:
    """As much of a kernel as nbval asks for. Its messages are the outputs of a run."""

    def __init__(self, notebook):
        self.cells = iter([cell for cell in notebook.cells if cell.cell_type == "code"])

    def execute_cell_input(self, source, allow_stdin):
        cell = next(cell for cell in self.cells if cell.source == source)  # nbval may skip some
        if source.strip() and cell.execution_count is None:
            raise RuntimeError("this cell did not run: one before it failed")
        outputs = [(output.output_type, output) for output in cell.outputs]
        self.messages = iter([*outputs, ("status", {"execution_state": "idle"})])
        return "a cell"

    def get_message(self, stream, timeout):
        kind, content = next(self.messages)
        return {"msg_type": kind, "content": content, "parent_header": {"msg_id": "a cell"}}

    def await_reply(self, msg_id, timeout):
        pass

    await_idle = await_reply

    def is_alive(self):
        return True

    def stop(self):
        pass
