"""python -m experiments: list the experiments, or run some of them."""

import argparse
import shutil
import tempfile
from contextlib import contextmanager

from .recorder import RESULTS, ROOT, module_of, names, record, runs_in


def main(args=None):
    parser = argparse.ArgumentParser(
        prog="python -m experiments", description="Full-size runs that write book/results/."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments to run, or 'all'; none: list them"
    )
    parser.add_argument("--quick", action="store_true", help="a small version, into _build/quick/")
    parser.add_argument("--again", action="store_true", help="repeat the runs on record")
    parser.add_argument(
        "--jobs",
        type=int,
        default=-1,
        metavar="N",
        help="runs side by side (default: one a core; timed ones go alone)",
    )
    parser.add_argument(
        "--backend",
        choices=["loky", "dask"],
        default="loky",
        help="processes on this machine, or the workers of a Dask cluster",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of the Dask cluster, such as tcp://127.0.0.1:8786"
    )
    chosen = parser.parse_args(args)
    known = names()
    unknown = [name for name in chosen.names if name not in [*known, "all"]]
    if unknown:
        parser.error(f"no experiment {unknown[0]!r}; there are {', '.join(known)}, or 'all'")
    if (chosen.backend == "dask") != bool(chosen.scheduler):
        parser.error("--backend dask and --scheduler ADDRESS go together")
    if not chosen.names:
        show(known)
        return
    results = ROOT / "_build" / "quick" if chosen.quick else RESULTS
    with cluster(chosen.scheduler) as backend:
        for name in known if "all" in chosen.names else chosen.names:
            path = record(name, chosen.quick, chosen.again, chosen.jobs, backend, results)
            print(f"{name}: {len(runs_in(path))} runs in {path.relative_to(ROOT)}")


@contextmanager
def cluster(scheduler):
    """Yield joblib's settings for the Dask cluster at that address, or None without one.

    Its machines have soo_lib and the data. This folder is sent to them.
    """
    if not scheduler:
        yield None
        return
    from distributed import Client  # an extra: pip install -e '.[cluster]'

    with Client(scheduler) as client, tempfile.TemporaryDirectory() as folder:
        client.upload_file(shutil.make_archive(f"{folder}/experiments", "zip", ROOT, "experiments"))
        client.submit(names, pure=False).result()  # here an error says what a worker lacks
        yield {"backend": "dask", "client": client}


def show(known):
    for name in known:
        runs = len(module_of(name).grid())
        recorded = len(runs_in(RESULTS / f"{name}.json"))
        print(
            f"{name:14} {recorded:3} of {runs:3} runs on record   "
            f"{module_of(name).__doc__.strip().splitlines()[0]}"
        )


if __name__ == "__main__":
    main()
