"""Losses whose parts are built on workers: importable there, as a user's would be."""

import os
import time
from pathlib import Path

import numpy as np

from soo_lib.losses import L2, Logistic, Network

NET = Network([6, 4, 3], "tanh")
ROWS = 93  # no multiple of the number of parts
SPECS = [(start, min(start + 20, ROWS)) for start in range(0, ROWS, 20)]  # five: a tree with odds


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 6)), rng.integers(0, 3, ROWS)


def rows(start, stop, log=None):
    """The network's loss on some rows; ``log`` is a file that counts the builds."""
    if log:
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()}\n")
    X, y = data()
    return NET.loss(X[start:stop], y[start:stop], l2=1e-2)


def two_classes(start, stop):
    X, y = data()
    return Logistic(X, y > 1, l2=1e-2).subset(np.arange(start, stop))


def sphere(n):
    """½‖x‖², said to be over data."""
    loss = L2(n, 1.0)
    loss.n_samples, loss.subset = 1, lambda rows: loss
    return loss


class Slow:
    """Takes its time, so that something can happen to its worker meanwhile."""

    def __init__(self, loss, folder):
        self.loss, self.folder = loss, Path(folder)
        self.n_params, self.n_samples, self.subset = loss.n_params, loss.n_samples, loss.subset

    def fun_and_jac(self, x):
        with (self.folder / str(os.getpid())).open("a") as file:
            file.write("x")
        time.sleep(0.5)
        return self.loss.fun_and_jac(x)


def slow(start, stop, folder):
    return Slow(rows(start, stop), folder)


def failing(start, stop):
    raise FileNotFoundError(f"rows {start} to {stop} are not on this machine")


def unequal(start, stop):
    return rows(start, stop) if start else Network([6, 5, 3]).loss(*data())
