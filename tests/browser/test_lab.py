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
from test_explorers import BOOK, EXPLORER, NEEDS, close, compute, number, table  # noqa: F401

SIZE = 77  # in no list of the chapter


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab on a chapter's explorer cells, the batch, and the valley."""
    chapter = nbformat.read(BOOK / "sampling.ipynb", as_version=4)
    names = (*NEEDS["sampling"], "explorer", "hand-batch")
    kept = [cell for cell in chapter.cells if cell.id in names]
    welcome = nbformat.read(BOOK / "welcome.ipynb", as_version=4)
    chapter.cells = kept + [cell for cell in welcome.cells if cell.id == "valley"]
    nbformat.write(chapter, tmp_path / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(16), open(tmp_path / "lab.log", "w")
    own = "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter",
            "lab",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            "--port-retries=0",
            f"--IdentityProvider.token={token}",
            f"--notebook-dir={tmp_path}",
        ],
        stdout=log,
        stderr=log,
        env={
            **os.environ,
            **{name: str(tmp_path / name) for name in own},
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        },
    )
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


@pytest.mark.parametrize("compute", ["sampling"], indirect=True)
def test_the_same_cells_are_live_with_a_kernel_and_the_engines_without_one(
    chromium,
    lab,
    compute,  # noqa: F811
):
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    recorded, valley = page.locator(EXPLORER), page.locator(".soo-live:has(.valley)")
    recorded.locator("svg").first.wait_for()
    field = page.get_by_label("any batch size")
    field.wait_for()  # it shows once the kernel has answered
    recorded.locator("summary").click()
    field.fill(str(SIZE))
    field.press("Enter")
    known = compute[1]("drawn", SIZE, 5)
    spread = known["note"][0].rpartition(" ")[2]
    recorded.get_by_text(spread).first.wait_for()
    head, *body = table(page)
    close([number(row[head.index("loss")]) for row in body], known["runs"][0]["loss"])
    field.fill("-1")  # no size: the library's own words say so
    field.press("Enter")
    page.get_by_text("batch_size must be").wait_for()
    assert not page.locator(".jp-RenderedSVG, .jp-RenderedImage").first.is_visible()

    valley.locator("svg").first.wait_for()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    page.get_by_text("No Kernel").first.wait_for()
    valley.locator("[name=race]").select_option("this one alone")
    valley.get_by_role("button", name="Newton goes up first").click()
    valley.get_by_text("iteration 2 of 2").wait_for()
    valley.locator(".valley-plane").press("ArrowUp")
    valley.get_by_text("newton, at (0, 0.02): loss 1.02").wait_for()
    batch = page.locator(".soo-live:has(.batch)")
    batch.locator("[name=batch_size]").fill("800")
    batch.locator("[name=batch_size]").press("Enter")
    batch.get_by_text("The run's last word: converged").wait_for()
    context.close()
