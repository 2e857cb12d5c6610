"""What a solver is called elsewhere: the tabs of five lines run, where their package installs."""

import re

import nbformat
import numpy as np
import pytest
from built import ROOT

PACKAGES = {"scipy": "scipy", "PyTorch": "torch", "optax": "optax", "JAX": "jax"}
TAB = re.compile(r"^`{4}\{tab-item\} ([\w ]+)\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tabs():
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for n, (name, code) in enumerate(TAB.findall(cell.source)):
                    yield pytest.param(name, code, id=f"{path.stem} {cell.id} {n} {name}")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # PyTorch's own use of it
@pytest.mark.parametrize("name, code", list(tabs()))
def test_the_lines_of_a_tab_run_and_arrive(name, code):
    """An ``x`` that they leave is the minimum of Rosenbrock's valley."""
    pytest.importorskip(PACKAGES.get(name, "soo_lib"))
    assert len(code.splitlines()) <= 15
    found = {}
    exec(compile(code, name, "exec"), found)
    if "x" in found:
        x = found["x"].detach() if hasattr(found["x"], "detach") else found["x"]
        assert np.allclose(np.asarray(x), 1, atol=1e-2), x


def test_there_are_tabs():
    names = [tab.values[0] for tab in tabs()]
    assert names.count("scipy") >= 1 and names.count("PyTorch") >= 1
