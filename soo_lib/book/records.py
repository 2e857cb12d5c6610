"""Read, for a chapter, the runs that ``python -m experiments <name>`` has recorded."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from IPython.display import Markdown
from myst_nb import glue


def load_record(name, folder="results"):
    """Return the recorded runs of an experiment.

    Parameters
    ----------
    name : str
        The experiment's name, such as "table3".
    folder : path
        The records' folder. The default is where a chapter sees it.

    Returns
    -------
    list of SimpleNamespace
        One for each run, with what was set and what was found, by name. Trajectories are arrays,
        so a run with ``fun``, ``evaluations`` and ``seconds`` can go straight to
        :func:`soo_lib.plots.convergence`.
    """
    path = Path(folder, f"{name}.json")
    if path.name not in [known.name for known in Path(folder).glob("*.json")]:
        raise ValueError(
            f"name must be a record in {Path(folder).resolve()}; got {name!r}. "
            f"To make it: python -m experiments {name}"
        )
    runs = json.loads(path.read_text())["runs"]
    return [
        SimpleNamespace(
            **{
                key: np.array(value, dtype=float) if _trajectory(value) else value
                for key, value in {**run["settings"], **run["result"]}.items()
            }
        )
        for run in runs
    ]


def table(head, rows):
    """Return a table for the page, from the columns' titles and a list of cells for each row."""
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def keeper(prefix):
    """Return ``keep(name=number, ...)``, which gives numbers to the text as ``prefix_name``."""

    def keep(**numbers):
        for name, number in numbers.items():
            shown = number.item() if hasattr(number, "item") else number
            glue(f"{prefix}_{name}", shown, display=False)

    return keep


def _trajectory(value):
    return isinstance(value, list) and any(isinstance(part, (float, list)) for part in value)
