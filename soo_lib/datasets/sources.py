"""Get Fashion-MNIST from the cache, Debian's package, OpenML or the sample, and check it."""

import gzip
import hashlib
import http.client
import os
import socket
import sys
import tempfile
import threading
import warnings
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import numpy as np
from tqdm import tqdm

from ..checks import from_extra

with from_extra("data"):
    import sklearn.datasets


N_ROWS = 60_000  # official training images; the official test set has 10,000

DEBIAN = Path("/usr/share/datasets/fashion-mnist")

SAMPLE = Path(__file__).parent / "data"

OPENML_BYTES = 38_600_000  # roughly; only the progress bar uses it

TIMEOUT = 10  # seconds without an answer before OpenML counts as out of reach

NO_NETWORK = (URLError, TimeoutError, ConnectionError, http.client.HTTPException)

# SHA-256 of the files after decompression, so that every source has the same four.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

SAMPLE_SHA256 = {
    "train-images-idx3-ubyte": "a58210530de795c9ef489fcd338a325d901b8a848a7bfe8f62c1c3cac4749379",
    "train-labels-idx1-ubyte": "29720f5598e03e97461381b2ad548218fe41353c2fa69d3aac4db34b2eb422e3",
    "t10k-images-idx3-ubyte": "57f73afaa133a03491445546f1240d9b706c2529b28e82c154af96586bba67b7",
    "t10k-labels-idx1-ubyte": "6ef778c3938e844dc914fb653cd5f10672acf5dd9c2507b9d53df6beaf3e4c0d",
}


def cache_folder(variable="SOO_LIB_DATA", part=""):
    """Return the folder where files stay between runs.

    It is the folder that the environment ``variable`` names, or else a ``part`` of our own cache.
    By default downloads are kept there; the pages keep the runs of their explorers in another.
    """
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "soo_lib" / part
    return Path(os.environ.get(variable) or user).expanduser()


@lru_cache(maxsize=1)  # it remembers a lack of network too, so that no page waits for it twice
def pixels(cache):
    """Return X, y, X_test, y_test, read-only uint8 of (rows, 784) and (rows,), and their source.

    It looks in the folder ``cache``, Debian's package, OpenML and the sample, in this order. A file
    that is not what its SHA-256 says raises ValueError.
    """
    for folder, source in (cache, "cache"), (DEBIAN, "debian"):
        if all((folder / f"{name}.gz").exists() for name in SHA256):
            files = _read(folder, source)
            break
    else:
        try:
            files, source = _download(), "openml"
        except NO_NETWORK:
            files, source = _read(SAMPLE, "sample"), "sample"
        else:
            _write_cache(cache, files)
    X, y, X_test, y_test = (
        np.frombuffer(file, np.uint8, offset=16).reshape(-1, 784)
        if "images" in name
        else np.frombuffer(file, np.uint8, offset=8)
        for name, file in files.items()
    )
    return X, y, X_test, y_test, source


def as_map(rows, folder):
    """Return uint8 ``rows``, (m, n), as a read-only map of a file in ``folder``.

    The file is named by its content, so that equal rows share it.
    """
    path = folder / f"rows-{hashlib.sha256(rows).hexdigest()[:16]}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            np.save(Path(unfinished, path.name), rows)
            os.replace(Path(unfinished, path.name), path)
    return np.load(path, mmap_mode="r")


def _read(folder, source):
    """Return the four files of a folder as {name: bytes}, decompressed and checked."""
    sample = source == "sample"
    files = {}
    for name, expected in (SAMPLE_SHA256 if sample else SHA256).items():
        path = folder / f"{name}.gz"
        if sample and not path.exists():  # a page of the book brings its sample as .gz
            path = folder / f"{name}.xz"
        try:
            files[name] = _decompressed(path)
            found = hashlib.sha256(files[name]).hexdigest()
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            found = f"a file that does not decompress ({error})"
        if found != expected and source == "cache":
            path.unlink()
        _check_sha256(path, found, expected, source)
    return files


def _decompressed(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    import lzma  # only here: Python in a page has none

    try:
        return lzma.decompress(path.read_bytes())
    except lzma.LZMAError as error:
        raise EOFError(error) from error


def _check_sha256(file, found, expected, source):
    remedy = {
        "cache": "It was deleted; load again.",
        "sample": "Reinstall soo_lib.",
        "debian": "Reinstall it: sudo apt-get install --reinstall dataset-fashion-mnist",
        "openml": "Nothing was kept; load again, or install dataset-fashion-mnist.",
    }[source]
    if found != expected:
        raise ValueError(
            f"{file} is truncated or altered: found {found}, expected SHA-256 {expected}. {remedy}"
        )


def _download():
    """Fetch the four files from OpenML and check them: about 40 MB, then a minute of decoding."""
    if sys.platform == "emscripten":
        raise URLError("a page of the book asks no other host, and has no threads")
    timeout, done = socket.getdefaulttimeout(), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        progress = threading.Thread(target=_show_progress, args=(folder, done), daemon=True)
        progress.start()
        socket.setdefaulttimeout(TIMEOUT)  # fetch_openml has no timeout of its own
        try:
            with warnings.catch_warnings(action="ignore"):  # "Retrying...": the bar is enough
                # liac-arff is the parser that does not need pandas; one retry is the fewest.
                bunch = sklearn.datasets.fetch_openml(
                    "Fashion-MNIST",
                    version=1,
                    as_frame=False,
                    parser="liac-arff",
                    data_home=folder,
                    n_retries=1,
                    delay=0.1,
                )
        finally:
            socket.setdefaulttimeout(timeout)
            done.set()
            progress.join()
    X, y = bunch.data.astype(np.uint8).reshape(-1, 28, 28), bunch.target.astype(np.uint8)
    parts = X[:N_ROWS], y[:N_ROWS], X[N_ROWS:], y[N_ROWS:]
    files = {name: _idx(part) for name, part in zip(SHA256, parts, strict=True)}
    for name, content in files.items():
        found = hashlib.sha256(content).hexdigest()
        _check_sha256(f"OpenML's {name}", found, SHA256[name], "openml")
    return files


def _show_progress(folder, done):
    with tqdm(
        desc="Fashion-MNIST, then a minute to decode",
        total=OPENML_BYTES,
        unit="B",
        unit_scale=True,
        delay=1,
    ) as bar:  # delay: no bar where there is no network
        while not done.wait(0.2):
            with suppress(OSError):  # a file may just have moved to its final name: look again
                size = sum(path.stat().st_size for path in Path(folder).rglob("*"))
                bar.update(min(size, OPENML_BYTES) - bar.n)


def _idx(array):
    """Return a uint8 array as the bytes of an IDX file, the format of the original files."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def _write_cache(folder, files):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside their final place, then moved: a file in the cache is always whole.
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            for name, content in files.items():
                path = Path(unfinished, f"{name}.gz")
                path.write_bytes(gzip.compress(content, compresslevel=3))
                os.replace(path, folder / path.name)
    except OSError as error:
        warnings.warn(
            f"Fashion-MNIST was not kept in {folder}, so the next run downloads it again: {error}",
            stacklevel=2,
        )
