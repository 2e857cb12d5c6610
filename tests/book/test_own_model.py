"""The code of the chapter "Your own model", run as it stands, where PyTorch or JAX is installed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def code(library):
    """The chapter's code in order: the library's tab, then what all libraries share."""
    cells = json.loads((ROOT / "book/your-own-model.ipynb").read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    tabs = dict(re.findall(r"\{tab-item\} (\w+)\n~~~python\n(.*?)~~~", text, re.DOTALL))
    shared = re.sub(r"\{tab-set\}.*?`{4}", "", text, flags=re.DOTALL)
    return [tabs[library], *re.findall(r"^~~~python\n(.*?)~~~", shared, re.DOTALL | re.MULTILINE)]


@pytest.mark.parametrize("library, package", [("PyTorch", "torch"), ("JAX", "jax")])
def test_the_chapters_code_runs(library, package, capsys):
    pytest.importorskip(package, reason=f"{package} is not installed")
    names, parts = {}, code(library)
    assert len(parts) == 6
    for part in parts:
        if "kronecker_factors" in part:
            if library == "JAX":
                continue
            pytest.importorskip("curvlinops", reason="curvlinops is not installed")
        exec(part, names)
    assert names["smooth"].fun < 1e-3 and names["adam"].fun < 0.1
    assert "gradient right" in capsys.readouterr().out


def test_the_record_is_of_the_network_that_the_chapter_builds():
    record = json.loads((ROOT / "book/_static/own-model.json").read_text())
    assert record["n_params"] == 8 * 10 + 73 * 32 + 33 * 10
    assert np.isclose(record["gradient"]["order"], 2, atol=0.1)
