"""Data sets. No test here touches the network or the user's cache."""

import gzip
import http.client
import importlib.util
import itertools
import lzma
import shutil
import socket
import threading
import time
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from scipy.optimize import minimize
from sklearn.utils import Bunch

from soo_lib.datasets import load_digits, load_fashion_mnist, make_two_class, sources
from soo_lib.losses import Network

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = sources.SHA256
needs_package = pytest.mark.skipif(
    not (sources.DEBIAN / f"{IMAGES}.gz").exists(),
    reason="the Debian/Ubuntu package dataset-fashion-mnist is not installed",
)


def forbidden(*args, **kwargs):
    raise AssertionError("a test reached for OpenML")


def offline(*args, **kwargs):
    raise URLError("no network in this test")


@pytest.fixture(autouse=True)
def sealed(monkeypatch, tmp_path_factory):
    """An empty cache, the same for each test (so the package is read once), and no OpenML."""
    monkeypatch.setenv("SOO_LIB_DATA", str(tmp_path_factory.getbasetemp() / "no-cache"))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", forbidden)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache folder of this test's own, not there yet, and no Debian package."""
    monkeypatch.setenv("SOO_LIB_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "DEBIAN", tmp_path / "no-package")
    return tmp_path / "cache"


@pytest.fixture
def sample(cache, monkeypatch):
    """No cache, no package, no network."""
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)


@pytest.fixture(scope="module")
def raw():
    """The real files, read without soo_lib: X, y, X_test, y_test in uint8."""

    def read(name, offset):
        return np.frombuffer(gzip.decompress((sources.DEBIAN / name).read_bytes())[offset:], "u1")

    return (
        read("train-images-idx3-ubyte.gz", 16).reshape(60_000, 784),
        read("train-labels-idx1-ubyte.gz", 8),
        read("t10k-images-idx3-ubyte.gz", 16).reshape(10_000, 784),
        read("t10k-labels-idx1-ubyte.gz", 8),
    )


@pytest.fixture(scope="module")
def openml(raw):
    """fetch_openml as it answers: 70,000 rows of float, labels as strings."""
    X, y, X_test, y_test = raw
    answer = Bunch(
        data=np.concatenate([X, X_test]).astype(np.float32),
        target=np.concatenate([y, y_test]).astype(str).astype(object),
    )

    def fetch(name, *, data_home, **settings):
        fetch.calls.append((name, settings, socket.getdefaulttimeout()))
        Path(data_home, "openml").mkdir()
        Path(data_home, "openml", "data.arff.gz").write_bytes(b"a download")
        fetch.folders.append(Path(data_home))
        return answer

    fetch.calls, fetch.folders = [], []
    return fetch


def rows_of(X, y):
    """Each row with its label as bytes, sorted: the rows as a multiset."""
    return sorted(map(bytes, np.column_stack([X, y]).astype(np.uint8)))


def pixels(X, data):
    """The uint8 pixels behind scaled rows."""
    return np.rint(X * np.float32(data.std) + np.float32(data.mean)).astype(np.uint8)


# The real data --------------------------------------------------------------------------------


@needs_package
def test_package_gives_the_real_data(raw):
    data = load_fashion_mnist()
    assert data.source == "debian" and data.notice == ""
    for part, m in ("train", 50_000), ("dev", 10_000), ("test", 10_000):
        X, y = data[f"X_{part}"], data[f"y_{part}"]
        assert X.shape == (m, 784) and X.dtype == np.float32 and X.flags.c_contiguous
        assert y.shape == (m,) and y.dtype == np.int64
    np.testing.assert_array_equal(pixels(data.X_test, data), raw[2])
    np.testing.assert_array_equal(data.y_test, raw[3])
    assert len(data.classes) == 10 and data.classes[9] == "Ankle boot"


@needs_package
def test_training_and_dev_rows_are_a_partition(raw):
    data = load_fashion_mnist(standardize=False)
    assert (data.mean, data.std) == (0, 255)
    assert data.X_train.min() == 0 and data.X_train.max() == 1
    X = pixels(np.concatenate([data.X_train, data.X_dev]), data)
    y = np.concatenate([data.y_train, data.y_dev])
    assert rows_of(X, y) == rows_of(raw[0], raw[1])
    assert not np.array_equal(data.y_train[:100], raw[1][:100]), "the rows are not drawn at random"


@needs_package
def test_n_train_keeps_the_dev_rows():
    few, all_rows = load_fashion_mnist(n_train=1000, n_dev=300), load_fashion_mnist(n_dev=300)
    assert few.X_train.shape == (1000, 784) and all_rows.X_train.shape == (59_700, 784)
    np.testing.assert_array_equal(few.y_dev, all_rows.y_dev)
    np.testing.assert_array_equal(pixels(few.X_dev, few), pixels(all_rows.X_dev, all_rows))


@needs_package
def test_split_repeats_and_depends_on_the_seed():
    first, again, other = (load_fashion_mnist(n_train=500, n_dev=500, seed=s) for s in (3, 3, 4))
    for name in "X_train", "y_train", "X_dev", "y_dev":
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
    np.testing.assert_array_equal(first.y_test, other.y_test)


@needs_package
def test_standardized_by_the_training_rows_only(raw):
    data = load_fashion_mnist(n_train=2000, n_dev=2000)
    assert abs(data.X_train.mean(dtype=float)) < 1e-6
    assert abs(data.X_train.std(dtype=float) - 1) < 1e-6
    for part in data.X_dev, data.X_test:
        assert abs(part.mean(dtype=float)) > 1e-4 and abs(part.std(dtype=float) - 1) > 1e-4
    train = pixels(data.X_train, data).astype(float)
    np.testing.assert_allclose([data.mean, data.std], [train.mean(), train.std()], rtol=1e-12)
    exact = ((train - data.mean) / data.std).astype(np.float32)
    np.testing.assert_array_equal(data.X_train, exact)


@needs_package
def test_all_rows_have_the_known_mean_and_deviation():
    data = load_fashion_mnist(n_dev=0)
    assert data.X_train.shape == (60_000, 784) and data.X_dev.shape == (0, 784)
    # The constants everyone uses for Fashion-MNIST: 0.2860 and 0.3530 of 255.
    assert (round(data.mean / 255, 4), round(data.std / 255, 4)) == (0.2860, 0.3530)


@needs_package
def test_mapped_rows_are_the_pixels(cache, sample):
    plain, raw = load_fashion_mnist(), load_fashion_mnist(mapped=True)
    for part in ("train", "dev", "test"):
        X, pixels = plain[f"X_{part}"], raw[f"X_{part}"]
        assert isinstance(pixels, np.memmap) and pixels.dtype == np.uint8
        np.testing.assert_allclose((pixels - raw.mean) / raw.std, X, rtol=1e-6)
        np.testing.assert_array_equal(plain[f"y_{part}"], raw[f"y_{part}"])
    with pytest.raises(ValueError):
        raw.X_train[0] = 0
    files = set(cache.iterdir())
    assert len(files) == 3 and {path.suffix for path in files} == {".npy"}
    load_fashion_mnist(mapped=True)
    assert set(cache.iterdir()) == files
    scale, shift, net = 1 / raw.std, -raw.mean / raw.std, Network([784, 4, 10])
    loss = net.loss(raw.X_dev, raw.y_dev, dtype=np.float32, scale=scale, shift=shift)
    assert loss.fun(net.init(0)) == pytest.approx(
        net.loss(plain.X_dev, plain.y_dev, dtype=np.float32).fun(net.init(0)), rel=1e-6
    )


def test_an_interrupted_map_leaves_nothing(cache, sample, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_fashion_mnist(mapped=True)
    assert not list(cache.iterdir())


def test_changing_a_result_does_not_change_the_next():
    first = load_fashion_mnist(n_train=10, n_dev=10)
    kept = first.X_train.copy(), first.y_train.copy()
    first.X_train[:], first.y_train[:], first.classes[:] = 0, 0, []
    again = load_fashion_mnist(n_train=10, n_dev=10)
    np.testing.assert_array_equal(again.X_train, kept[0])
    np.testing.assert_array_equal(again.y_train, kept[1])
    assert len(again.classes) == 10


# OpenML and the cache -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(raw, tmp_path_factory):
    """A whole cache, to copy."""
    folder = tmp_path_factory.mktemp("filled")
    sources._write_cache(folder, sources._read(sources.DEBIAN, "debian"))
    return folder


@needs_package
def test_openml_fills_the_cache_and_is_asked_once(cache, openml, monkeypatch, raw):
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", openml)
    openml.calls.clear()
    data = load_fashion_mnist(n_train=100)
    assert data.source == "openml" and data.notice == ""
    [(name, settings, timeout)] = openml.calls
    assert name == "Fashion-MNIST" and settings["version"] == 1
    assert settings["as_frame"] is False and settings["parser"] == "liac-arff"
    assert timeout == sources.TIMEOUT and socket.getdefaulttimeout() is None
    assert not openml.folders[-1].exists(), "the download folder was left behind"
    assert sorted(p.name for p in cache.iterdir()) == sorted(f"{n}.gz" for n in sources.SHA256)

    sources.pixels.cache_clear()  # as a new process
    again = load_fashion_mnist(n_train=100)
    assert again.source == "cache" and len(openml.calls) == 1
    np.testing.assert_array_equal(again.X_train, data.X_train)
    np.testing.assert_array_equal(pixels(again.X_test, again), raw[2])


def truncate(content):
    return content[: len(content) // 2]


def alter(content):
    """One bit of the compressed stream."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def scramble(content):
    """No compressed data at all after gzip's header of 10 bytes."""
    return content[:10] + b"\xff" * (len(content) - 10)


def replace(content):
    """A sound gzip file with one byte of its content changed."""
    return gzip.compress(alter(gzip.decompress(content)), compresslevel=1)


@needs_package
@pytest.mark.parametrize("name", [IMAGES, TEST_LABELS])
@pytest.mark.parametrize("damage", [truncate, alter, scramble, replace])
def test_damaged_cache_file_is_named_and_deleted(cache, filled, monkeypatch, damage, name):
    shutil.copytree(filled, cache)
    bad = cache / f"{name}.gz"
    bad.write_bytes(damage(bad.read_bytes()))
    with pytest.raises(ValueError) as error:
        load_fashion_mnist()
    message = str(error.value)
    assert str(bad) in message and "truncated or altered: found" in message
    assert sources.SHA256[name] in message and "deleted; load again" in message
    assert not bad.exists() and len(list(cache.iterdir())) == 3
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    assert load_fashion_mnist().source == "sample"


@needs_package
@pytest.mark.parametrize("damage", [truncate, alter, scramble, replace])
def test_damaged_package_file_is_named_and_kept(cache, filled, monkeypatch, damage):
    shutil.copytree(filled, cache.parent / "package")
    bad = cache.parent / "package" / f"{TEST_IMAGES}.gz"
    bad.write_bytes(damage(bad.read_bytes()))
    monkeypatch.setattr(sources, "DEBIAN", bad.parent)
    with pytest.raises(ValueError, match="apt-get install --reinstall") as error:
        load_fashion_mnist()
    assert str(bad) in str(error.value) and sources.SHA256[TEST_IMAGES] in str(error.value)
    assert bad.exists() and not cache.exists()


@needs_package
def test_altered_download_is_refused_and_not_kept(cache, openml, monkeypatch):
    def altered(*args, **kwargs):
        answer = openml(*args, **kwargs)
        return Bunch(data=answer.data, target=np.roll(answer.target, 1))

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", altered)
    with pytest.raises(ValueError, match=f"OpenML's {LABELS} is truncated or altered"):
        load_fashion_mnist()
    assert not cache.exists()


def test_interrupted_download_leaves_nothing(cache, monkeypatch):
    folders = []

    def interrupted(*args, data_home, **kwargs):
        folders.append(Path(data_home))
        Path(data_home, "half").write_bytes(b"half a download")
        raise KeyboardInterrupt

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", interrupted)
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        load_fashion_mnist()
    assert not folders[0].exists() and not cache.exists()
    assert socket.getdefaulttimeout() is None and threading.active_count() == threads


def test_interrupted_writing_leaves_only_whole_files(tmp_path, monkeypatch):
    write, count = Path.write_bytes, itertools.count()

    def half_of_the_second(path, content):
        if next(count) == 1:
            write(path, content[: len(content) // 2])
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(Path, "write_bytes", half_of_the_second)
    with pytest.raises(KeyboardInterrupt):
        sources._write_cache(tmp_path, dict.fromkeys(sources.SHA256, b"content"))
    assert [p.name for p in tmp_path.iterdir()] == [f"{IMAGES}.gz"]
    assert gzip.decompress((tmp_path / f"{IMAGES}.gz").read_bytes()) == b"content"


def test_incomplete_cache_is_not_used(cache, sample):
    cache.mkdir()
    (cache / f"{IMAGES}.gz").write_bytes(b"")
    assert load_fashion_mnist().source == "sample"


def test_cache_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.warns(UserWarning, match="not kept in .*file"):
        sources._write_cache(tmp_path / "file" / "cache", {})


def test_progress_follows_the_download(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sources, "OPENML_BYTES", 1000)
    (tmp_path / "openml").mkdir()
    done = threading.Event()
    progress = threading.Thread(target=sources._show_progress, args=(tmp_path, done))
    progress.start()
    time.sleep(1.2)
    (tmp_path / "openml" / "data").write_bytes(bytes(5000))
    time.sleep(1)
    done.set()
    progress.join()
    shown = capsys.readouterr().err
    assert "Fashion-MNIST" in shown and "1.00k/1.00k" in shown


@pytest.mark.parametrize(
    "variables, folder",
    [
        ({"SOO_LIB_DATA": "/data"}, "/data"),
        ({"SOO_LIB_DATA": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/soo_lib"),
        ({"SOO_LIB_DATA": "", "XDG_CACHE_HOME": "", "HOME": "/home/a"}, "/home/a/.cache/soo_lib"),
        ({"SOO_LIB_DATA": "~/data", "HOME": "/home/a"}, "/home/a/data"),
    ],
)
def test_cache_folder(monkeypatch, variables, folder):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sources.cache_folder() == Path(folder)


# Without a network: the sample ----------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        URLError("unreachable"),
        TimeoutError("timed out"),
        ConnectionResetError("reset"),
        http.client.IncompleteRead(b""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_network_falls_back_once(cache, monkeypatch, error):
    calls = []

    def fetch(*args, **kwargs):
        calls.append(args)
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    assert load_fashion_mnist().source == "sample"
    assert load_fashion_mnist(seed=1).source == "sample"
    assert len(calls) == 1 and not cache.exists()


def test_scikit_learn_without_a_network(cache, monkeypatch):
    """The real fetch_openml, with a name server that does not answer."""

    def no_name(*args, **kwargs):
        raise socket.gaierror("no name server in this test")

    monkeypatch.undo()
    monkeypatch.setenv("SOO_LIB_DATA", str(cache))
    monkeypatch.setattr(sources, "DEBIAN", cache)
    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    waits = []  # between one try and the next
    monkeypatch.setattr(time, "sleep", waits.append)
    assert load_fashion_mnist().source == "sample"
    assert sum(waits) < 5 and not cache.exists()


def test_other_errors_are_not_hidden(cache, monkeypatch):
    def fetch(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(RuntimeError, match="a bug"):
        load_fashion_mnist()


@pytest.mark.parametrize(
    "asked, train, dev",
    [
        ({}, 5000, 1000),
        ({"n_train": 50_000}, 5000, 1000),
        ({"n_train": 400, "n_dev": 300}, 400, 300),
        ({"n_train": 59_000, "n_dev": 300}, 5700, 300),
        ({"n_dev": 0}, 6000, 0),
    ],
)
def test_sample_sizes_and_notice(sample, asked, train, dev):
    data = load_fashion_mnist(**asked)
    assert data.X_train.shape == (train, 784) and data.y_train.shape == (train,)
    assert data.X_dev.shape == (dev, 784) and data.X_test.shape == (1000, 784)
    assert "sample of 6,000 training and 1,000 test images" in data.notice
    assert f"{train:,} of those" in data.notice and f"{dev:,} are the dev set" in data.notice
    assert "numbers differ" in data.notice


def test_sample_is_small_licensed_and_stratified():
    files = list(sources.SAMPLE.iterdir())
    assert sum(p.stat().st_size for p in files) <= 3_000_000
    licence = (sources.SAMPLE / "LICENSE-fashion-mnist").read_text()
    assert "MIT License" in licence and "2017 Zalando SE" in licence
    for name, per_class in (LABELS, 600), (TEST_LABELS, 100):
        labels = lzma.decompress((sources.SAMPLE / f"{name}.xz").read_bytes())[8:]
        np.testing.assert_array_equal(np.bincount(np.frombuffer(labels, "u1")), [per_class] * 10)


@needs_package
def test_sample_is_a_part_of_the_real_data(raw):
    for images, labels, X, y in (IMAGES, LABELS, *raw[:2]), (TEST_IMAGES, TEST_LABELS, *raw[2:]):
        files = sources._read(sources.SAMPLE, "sample")
        some = rows_of(
            np.frombuffer(files[images], "u1", offset=16).reshape(-1, 784),
            np.frombuffer(files[labels], "u1", offset=8),
        )
        assert set(some) <= set(rows_of(X, y)) and len(some) in (6000, 1000)


@needs_package
def test_sample_is_what_the_tool_makes():
    path = Path(__file__).parents[2] / "tools" / "make_sample.py"
    spec = importlib.util.spec_from_file_location("make_sample", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.make_files() == sources._read(sources.SAMPLE, "sample")


def test_damaged_sample(cache, sample, monkeypatch):
    shutil.copytree(sources.SAMPLE, cache.parent / "sample")
    bad = cache.parent / "sample" / f"{IMAGES}.xz"
    bad.write_bytes(truncate(bad.read_bytes()))
    monkeypatch.setattr(sources, "SAMPLE", bad.parent)
    with pytest.raises(ValueError, match="does not decompress.*Reinstall soo_lib") as error:
        load_fashion_mnist()
    assert str(bad) in str(error.value)


# Bad arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "load, name, value, need",
    [
        *(
            (load_fashion_mnist, "n_train", value, ">= 1 and <= 50000")
            for value in (0, -1, 50_001, 1.0, True, "10", np.nan)
        ),
        *(
            (load_fashion_mnist, "n_dev", value, ">= 0 and <= 59999")
            for value in (-1, 60_000, 2.0, False, None)
        ),
        *(
            (load_digits, "n_train", value, ">= 1 and <= 1796")
            for value in (0, 1797, 1.5, True, None)
        ),
        *(
            (make_two_class, name, value, ">= 6")
            for name in ("n_train", "n_val")
            for value in (5, -1, 800.0, True, None)
        ),
        *(
            (load, "seed", value, ">= 0")
            for load in (load_fashion_mnist, load_digits, make_two_class)
            for value in (-1, 0.5, None, True, "0")
        ),
    ],
)
def test_bad_arguments_are_named(sample, load, name, value, need):
    with pytest.raises(ValueError) as error:
        load(**{name: value})
    assert str(error.value) == f"{name} must be a whole number {need}; got {value!r}"


def test_n_train_and_n_dev_must_fit_together():
    with pytest.raises(ValueError, match="n_train must be a whole number >= 1 and <= 100; got 101"):
        load_fashion_mnist(n_train=101, n_dev=59_900)


def test_numpy_integers_are_whole_numbers(sample):
    assert len(load_fashion_mnist(n_train=np.int64(20), n_dev=np.uint8(10)).y_train) == 20


# Two classes ----------------------------------------------------------------------------------


def optimum(data):
    """The smallest mean logistic loss and the accuracy on the validation rows there, by scipy."""
    X, sign = data.X_train, 2 * data.y_train - 1

    def loss_and_gradient(w):
        margin = sign * (X @ w)
        return (
            np.logaddexp(0, -margin).mean(),
            -X.T @ (sign * np.exp(-np.logaddexp(0, margin))) / len(sign),
        )

    found = minimize(
        loss_and_gradient, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-7}
    )
    assert found.success
    return found.fun, np.mean((data.X_val @ found.x > 0) == data.y_val)


def correlations(data):
    return [np.corrcoef(data.X_train[data.y_train == c, 1:].T)[0, 1] for c in (0, 1)]


def test_two_class_form():
    data = make_two_class()
    for X, y, m in (data.X_train, data.y_train, 800), (data.X_val, data.y_val, 100):
        assert X.shape == (m, 3) and X.dtype == np.float64 and y.dtype == np.int64
        np.testing.assert_array_equal(y, np.repeat([0, 1], m // 2))
        assert np.all(X[:, 0] == 1) and np.all(X[:, 2] > 0)
    odd = make_two_class(n_train=7, n_val=9)
    assert odd.y_train.tolist() == [0, 0, 0, 1, 1, 1, 1] and odd.X_val.shape == (9, 3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_class_moments(seed):
    data = make_two_class(seed=seed)
    for X, y in (data.X_train, data.y_train), (data.X_val, data.y_val):
        for label, mean, sd in (0, (0.47, 0.46), (0.98, 0.93)), (1, (2.06, 2.05), (0.97, 0.96)):
            normal = np.column_stack([X[y == label, 1], np.log(X[y == label, 2])])
            np.testing.assert_allclose(normal.mean(axis=0), mean, rtol=1e-9)
            np.testing.assert_allclose(normal.std(axis=0), sd, rtol=1e-9)


def test_two_class_default_lies_in_the_ranges_of_the_paper():
    data = make_two_class()
    loss, accuracy = optimum(data)
    assert 0.38 <= loss <= 0.43 and 0.80 <= accuracy <= 0.86
    assert all(0.55 <= r <= 0.60 for r in correlations(data))
    assert (round(loss, 3), round(accuracy, 2)) == (0.408, 0.81)  # as the docstring says


def test_two_class_over_seeds_is_as_the_docstring_says():
    sets = [make_two_class(seed=seed) for seed in range(50)]
    losses, accuracies = np.array([optimum(data) for data in sets]).T
    assert (round(losses.min(), 3), round(losses.max(), 3)) == (0.402, 0.425)
    assert (round(accuracies.min(), 2), round(accuracies.max(), 2)) == (0.74, 0.85)
    assert np.sum(accuracies > 0.795) == 30
    r = np.array([correlations(data) for data in sets])
    assert [round(v, 2) for v in (r.min(), np.median(r), r.max())] == [0.44, 0.57, 0.63]


def test_two_class_repeats_and_depends_on_the_seed():
    first, again, other = (make_two_class(seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.X_train, again.X_train)
    np.testing.assert_array_equal(first.X_val, again.X_val)
    assert not np.allclose(first.X_train, other.X_train)


# Digits ---------------------------------------------------------------------------------------


def test_digits_are_a_partition_scaled_by_the_training_rows():
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    data = load_digits()
    assert data.X_train.shape == (1400, 64) and data.X_test.shape == (397, 64)
    assert data.X_train.dtype == np.float64 and data.y_train.dtype == np.int64
    assert abs(data.X_train.mean()) < 1e-12 and abs(data.X_train.std() - 1) < 1e-12
    assert abs(data.X_test.mean()) > 1e-4
    back = np.rint(np.concatenate([data.X_train, data.X_test]) * data.std + data.mean)
    assert rows_of(back, np.concatenate([data.y_train, data.y_test])) == rows_of(X, y)


def test_digits_repeat_and_depend_on_the_seed():
    first, again, other = (load_digits(n_train=100, seed=s, standardize=False) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.X_train, again.X_train)
    assert not np.array_equal(first.X_train, other.X_train)
    assert (first.mean, first.std) == (0, 16) and first.X_train.max() == 1
