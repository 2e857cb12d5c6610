"""Make the sample of Fashion-MNIST in soo_lib/datasets/data: 600 + 100 images a class.

Run ``python -m tools.make_sample`` from the repository's root, where the full data set can be
found. It writes the same files each time and prints their SHA-256 for soo_lib/datasets/sources.py.
"""

import hashlib
import lzma

import numpy as np

from soo_lib.datasets import sources


def choose(X, y, per_class, rng):
    """Return `per_class` random rows of each class, in their original order, as 28 x 28 images."""
    rows = [rng.choice(np.flatnonzero(y == label), per_class, replace=False) for label in range(10)]
    rows = np.sort(np.concatenate(rows))
    return X[rows].reshape(-1, 28, 28), y[rows]


def make_files():
    """Return the four IDX files as {name: bytes}."""
    X, y, X_test, y_test, source = sources.pixels(sources.cache_folder())
    if source == "sample":
        raise SystemExit("The full data set is needed: install dataset-fashion-mnist.")
    rng = np.random.default_rng(0)
    parts = *choose(X, y, 600, rng), *choose(X_test, y_test, 100, rng)
    return {name: sources._idx(part) for name, part in zip(sources.SHA256, parts, strict=True)}


if __name__ == "__main__":
    for name, content in make_files().items():
        packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
        (sources.SAMPLE / f"{name}.xz").write_bytes(packed)
        print(name, hashlib.sha256(content).hexdigest(), f"{len(packed):,} bytes")
