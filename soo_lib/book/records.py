"""Recorded runs for a chapter: book/results/<name>.json, from ``python -m experiments <name>``."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from IPython.display import Markdown


def load_record(name, folder="results"):
    """The recorded runs of an experiment.

    Parameters
    ----------
    name : str
        Of the experiment, such as "table3".
    folder : path
        Of the records; as a chapter sees it, unless told.

    Returns
    -------
    list of SimpleNamespace
        One a run: what was set and what was found, by name. Trajectories are arrays, so a run
        with ``fun``, ``evaluations`` and ``seconds`` can go straight to
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
    """A table to show on the page: a list of column titles, and a list of cells a row."""
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def _trajectory(value):
    return isinstance(value, list) and any(isinstance(part, (float, list)) for part in value)
