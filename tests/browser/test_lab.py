"""In JupyterLab, with a kernel, the chapter's own cell computes what no page holds."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from test_explorers import BOOK, EXPLORER, close, number, table

from soo_lib.book import explore
from soo_lib.losses import Rosenbrock
from soo_lib.solvers import minimize

STEP = 0.37  # in no list of the chapter


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab on a notebook of the chapter's explorer cells alone."""
    chapter = nbformat.read(BOOK / "rosenbrock.ipynb", as_version=4)
    chapter.cells = [cell for cell in chapter.cells
                     if cell.id in ("setup", "explorer-runs", "explorer")]  # fmt: skip
    nbformat.write(chapter, tmp_path / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), open(tmp_path / "lab.log", "w")
    own = "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
         "--port-retries=0", f"--IdentityProvider.token={token}", f"--notebook-dir={tmp_path}"],
        stdout=log, stderr=log,
        env={**os.environ, **{name: str(tmp_path / name) for name in own},
             "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
    )  # fmt: skip
    address = f"http://localhost:{port}/lab/tree/explorer.ipynb?token={token}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_the_same_cell_computes_a_new_value(chromium, lab):
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(f"{EXPLORER} svg").first.wait_for()
    field = page.get_by_label("any step")
    field.wait_for()  # it shows once the kernel has answered
    page.locator(f"{EXPLORER} summary").click()
    field.fill(str(STEP))
    field.press("Enter")
    known = minimize(Rosenbrock(b=50), [0, 0], "newton", "backtracking", step=STEP, maxiter=400)
    page.wait_for_function(
        "n => document.querySelector('.soo-explorer .where').textContent.endsWith('of ' + n)",
        arg=known.nit,
    )
    head, *body = table(page)
    close([number(row[head.index("loss")]) for row in body], explore.thinned(known.trace, 20).fun)
    field.fill("-1")  # no step: the library's own words say so
    field.press("Enter")
    page.get_by_text("step must be a finite number > 0").wait_for()
    assert not page.locator(".jp-RenderedSVG, .jp-RenderedImage").first.is_visible()
    context.close()

