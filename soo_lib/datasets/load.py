"""Load the book's data: Fashion-MNIST, the two-class points and the digits."""

import numpy as np

from ..checks import as_count, as_rng, from_extra
from .sources import N_ROWS, as_map, cache_folder, pixels

with from_extra("data"):
    import sklearn.datasets
    from sklearn.utils import Bunch


CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def load_fashion_mnist(n_train=None, n_dev=10_000, seed=0, standardize=True, mapped=False):
    """Load Fashion-MNIST, split into training, dev and test rows.

    It looks in turn in the cache (the folder that the environment variable SOO_LIB_DATA names, or
    else the user's cache folder), in the Debian/Ubuntu package ``dataset-fashion-mnist`` and at
    OpenML, whose files it keeps in the cache. Without a network it takes the sample of 6,000 +
    1,000 images that ships with this library.

    Parameters
    ----------
    n_train, n_dev : int
        How many training and dev rows to draw at random from the 60,000 official training images.
        n_train=None takes all that are not dev rows; the dev rows do not depend on n_train.
        The sample gives at most 1,000 dev rows, and at most the rest to train.
    seed : int
        Seed of the split.
    standardize : bool
        True: subtract the pixels' mean and divide by their standard deviation, two scalars that
        are computed in float64 from the training rows alone. False: divide by 255.
    mapped : bool
        True: X_train, X_dev and X_test are the pixels as they are, uint8 memory maps of files in
        the cache. Give them to ``net.loss(X, y, scale=1 / std, shift=-mean / std)``, which
        converts a block at a time.

    Returns
    -------
    Bunch
        X_train, X_dev, X_test : float32, C-contiguous, (rows, 784); y_train, y_dev, y_test :
        intp, (rows,), 0 to 9. The test rows are the official 10,000; nothing is fitted to them.
        classes : the ten names; source : "cache", "debian", "openml" or "sample"; notice : for
        the sample, a sentence to show the reader, else ""; mean, std : X = (pixels - mean) / std.

    Raises
    ------
    ValueError
        If an argument is bad, or if a file is truncated or altered, as its SHA-256 tells. Such a
        file is deleted from the cache, so that the next call looks further.
    """
    as_count(n_dev, "n_dev", 0, N_ROWS - 1)
    if n_train is not None:
        as_count(n_train, "n_train", 1, N_ROWS - int(n_dev))
    as_count(seed, "seed", 0)

    X, y, X_test, y_test, source = pixels(cache_folder())
    if source == "sample":
        n_dev = min(n_dev, len(X) // 6)
    order = as_rng(seed).permutation(len(X))
    dev, train = order[:n_dev], order[n_dev:][:n_train]

    mean, std = _mean_std(X[train], 255, standardize)
    # A pixel has only 256 values, so those are scaled in float64 and each pixel is looked up.
    scaled = ((np.arange(256) - mean) / std).astype(np.float32)

    def read(rows):
        return as_map(rows, cache_folder()) if mapped else scaled[rows]

    notice = (
        ""
        if source != "sample"
        else (
            "This page ran on the sample of 6,000 training and "
            "1,000 test images that ships with the "
            "library, because the full Fashion-MNIST was not found "
            "here and could not be downloaded. "
            f"{len(train):,} of those images train the models and "
            f"{n_dev:,} are the dev set, so the "
            "numbers differ from those of the full data set."
        )
    )
    return Bunch(
        X_train=read(X[train]),
        y_train=y[train].astype(np.intp),
        X_dev=read(X[dev]),
        y_dev=y[dev].astype(np.intp),
        X_test=read(X_test),
        y_test=y_test.astype(np.intp),
        classes=CLASSES.copy(),
        source=source,
        notice=notice,
        mean=mean,
        std=std,
    )


def make_two_class(seed=0, n_train=800, n_val=100):
    """Make two overlapping classes in the plane, for logistic regression.

    They stand in for the paper's data (section 3.1). x1 is normal; x2 is log-normal and not
    rescaled, which makes the loss badly conditioned. In each class the means and the standard
    deviations of x1 and log x2, and their correlation of 0.7, hold exactly, whatever the seed.

    With seed 0 the smallest mean logistic loss is .408, and the accuracy on the validation rows is
    .81 there; x1 and x2 correlate at .60 in class 0 and at .59 in class 1. Over seeds 0 to 49 the
    loss lies between .402 and .425. The accuracy lies between .74 and .85, because 100 rows are
    few, and for 30 of the seeds it is .80 or more. The correlations lie between .44 and .63, with
    the median .57, because a log-normal's tail is long.

    Parameters
    ----------
    seed : int
        Seed of the points.
    n_train, n_val : int
        At least 6 rows each: half are of class 0, half of class 1, and an odd one of class 1.

    Returns
    -------
    Bunch
        X_train (n_train, 3), X_val (n_val, 3) : float64, columns 1 (the intercept), x1, x2;
        y_train, y_val : intp, 0 or 1. Rows are sorted by label.

    Raises
    ------
    ValueError
        If an argument is bad.
    """
    as_count(n_train, "n_train", 6)
    as_count(n_val, "n_val", 6)
    as_count(seed, "seed", 0)
    rng = as_rng(seed)
    X_train, y_train = _two_class_rows(n_train, rng)
    X_val, y_val = _two_class_rows(n_val, rng)
    return Bunch(X_train=X_train, y_train=y_train, X_val=X_val, y_val=y_val)


def load_digits(n_train=1400, seed=0, standardize=True):
    """Load scikit-learn's 1,797 digits of 8 x 8 pixels, split at random into train and test rows.

    Parameters
    ----------
    n_train : int
        Number of training rows; the rest are test rows.
    seed : int
        Seed of the split.
    standardize : bool
        As for `load_fashion_mnist`; False: divide by 16.

    Returns
    -------
    Bunch
        X_train, X_test : float64 (the set is small), (rows, 64); y_train, y_test : intp,
        (rows,), 0 to 9; mean, std : X = (pixels - mean) / std.

    Raises
    ------
    ValueError
        If an argument is bad.
    """
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    as_count(n_train, "n_train", 1, len(X) - 1)
    as_count(seed, "seed", 0)
    order = as_rng(seed).permutation(len(X))
    train, test = order[:n_train], order[n_train:]
    mean, std = _mean_std(X[train], 16, standardize)
    X, y = (X - mean) / std, y.astype(np.intp)
    return Bunch(
        X_train=X[train], y_train=y[train], X_test=X[test], y_test=y[test], mean=mean, std=std
    )


def _mean_std(pixels, largest, standardize):
    return (float(pixels.mean()), float(pixels.std())) if standardize else (0.0, float(largest))


def _two_class_rows(m, rng):
    corner = np.linalg.cholesky([[1, 0.7], [0.7, 1]])
    classes = [(m // 2, (0.47, 0.46), (0.98, 0.93)), (m - m // 2, (2.06, 2.05), (0.97, 0.96))]
    X = []
    for size, mean, sd in classes:
        z = rng.standard_normal((2, size))
        # z gets mean 0 and covariance I exactly, so that the optimum hardly depends on the seed.
        z -= z.mean(axis=1, keepdims=True)
        z = corner @ np.linalg.solve(np.linalg.cholesky(np.cov(z, bias=True)), z)
        x1, log_x2 = mean[0] + sd[0] * z[0], mean[1] + sd[1] * z[1]
        X.append(np.column_stack([np.ones(size), x1, np.exp(log_x2)]))
    return np.concatenate(X), np.repeat([0, 1], [len(X[0]), len(X[1])])
