"""Copies across the split: how near is each dev or test image to its nearest training image?"""

import numpy as np

from soo_lib.datasets import load_fashion_mnist

SLICE = {"rows": 200}


def grid(quick=False):
    return [{"part": part, "seed": 0, "rows": 200 if quick else 10_000} for part in ("dev", "test")]


def run(part, seed, rows):
    """Return the least ‖a - b‖/‖a‖ of pixels / 255 over 50,000 training rows b, and equal rows."""
    data = load_fashion_mnist(seed=seed, standardize=False)
    X, images = data.X_train, getattr(data, f"X_{part}")[:rows]
    norms = np.einsum("ij,ij->i", X, X)
    # ‖a - b‖² = ‖a‖² - 2 aᵀb + ‖b‖² finds the nearest b; the distance itself is then exact.
    nearest = [
        np.argmin(norms - 2 * (images[i : i + 500] @ X.T), axis=1) for i in range(0, rows, 500)
    ]
    apart = np.linalg.norm(images - X[np.concatenate(nearest)].astype(float), axis=1)
    known = {row.tobytes() for row in X}
    return {
        "distance": np.round(apart / np.linalg.norm(images, axis=1), 4),
        "equal": sum(row.tobytes() in known for row in images),
    }
