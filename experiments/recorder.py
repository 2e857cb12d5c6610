"""Run an experiment and keep its record, book/results/<name>.json."""

import importlib
import json
import os
import pkgutil
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

import experiments

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "book" / "results"
UNFINISHED = ROOT / "_build" / "unfinished"
LIBRARIES = "numpy", "scipy", "scikit-learn", "soo-lib"


def names():
    """Return the names of all experiments: of each module here that has a grid."""
    found = [module.name for module in pkgutil.iter_modules(experiments.__path__)]
    return [name for name in found if name != "__main__" and hasattr(module_of(name), "grid")]


def module_of(name):
    return importlib.import_module(f"experiments.{name}")


def record(
    name, quick=False, again=False, jobs=-1, backend=None, results=RESULTS, unfinished=UNFINISHED
):
    """Run what is not recorded yet; each finished run is on disk before the next is waited for.

    A figure and a table that share the function ``run`` share its runs, and each is done once.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    quick : bool
        Run a small version of it.
    again : bool
        Repeat the runs on record. Until all are done, the old record stays.
    jobs : int
        How many runs go side by side, as joblib counts them: -1 is one a core.
    backend : dict, optional
        What ``joblib.parallel_config`` takes, to say where the runs go.
    results, unfinished : Path
        The folders of the record, and of its finished runs while others are missing.

    Returns
    -------
    Path
        The record's path.
    """
    module = module_of(name)
    path, partial = results / f"{name}.json", unfinished / f"{name}{'-quick' * quick}.json"
    grid = [as_json(settings) for settings in module.grid(quick)]
    sharing = [other for other in names() if module_of(other).run is module.run]
    files = [partial] if again else [partial, *(results / f"{other}.json" for other in sharing)]
    done = {key(run["settings"]): run for file in reversed(files) for run in runs_in(file)}
    todo = [settings for settings in grid if key(settings) not in done]
    if not again and [run["settings"] for run in runs_in(path)] == grid:
        return path

    timed = getattr(module, "TIMED", False)
    head = {
        "experiment": name,
        "question": module.__doc__.strip().split("\n\n")[0],
        "command": f"python -m experiments {name}" + " --quick" * quick,
        **machine(),
    }

    def save():
        runs = [done[key(settings)] for settings in grid if key(settings) in done]
        write(
            partial, {**head, "seconds": short(sum(run["seconds"] for run in runs)), "runs": runs}
        )

    with joblib.parallel_config(**(backend or {"backend": "loky"})):
        parallel = joblib.Parallel(
            n_jobs=1 if timed and not backend else jobs,
            batch_size=1,
            pre_dispatch="n_jobs",
            return_as="generator_unordered",
        )
        finished = parallel(joblib.delayed(timed_run)(name, settings) for settings in todo)
        for run in tqdm(finished, desc=name, total=len(todo), unit="run"):
            done[key(run["settings"])] = run
            save()
    save()
    results.mkdir(parents=True, exist_ok=True)
    os.replace(partial, path)
    return path


def timed_run(name, settings):
    """Do one run of an experiment, and return it as its record keeps it."""
    start = time.perf_counter()
    result = as_json(module_of(name).run(**settings))
    seconds = short(time.perf_counter() - start)
    return {"settings": settings, "result": result, "seconds": seconds}


def short(seconds):
    return float(f"{seconds:.4g}")


def key(settings):
    return json.dumps(settings, sort_keys=True)


def runs_in(path):
    return json.loads(path.read_text())["runs"] if path.exists() else []


def machine():
    """Return what the numbers may depend on besides the settings."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = lines[0].partition(":")[2].strip() if lines else processor
    return {
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
        "machine": {"processor": processor, "cores": joblib.cpu_count()},
    }


def as_json(value):
    """Return plain numbers, lists and dictionaries, with floats to nine digits: none reads more."""
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [as_json(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else None
    return value


def write(path, content):
    """Write the whole file or none of it: it is written beside its place, then moved there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({name: part for name, part in content.items() if name != "runs"}, indent=1)
    runs = ",\n".join(json.dumps(run, separators=(",", ":")) for run in content["runs"])
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder, path.name)
        whole.write_text(f'{head[:-2]},\n "runs": [\n{runs}\n]}}\n')  # a run a line, to read diffs
        os.replace(whole, path)
