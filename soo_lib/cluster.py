"""A loss whose rows live on other machines: eq. 28 by map-reduce, on a Dask cluster.

A gradient is a sum over rows, so each machine sums over its own, and the sums are added (Le et al.
2011). The solvers notice nothing of it: to them it is a loss like any other.
"""

import copy
import threading
import time
from contextlib import suppress
from functools import partial, reduce
from uuid import uuid4

import numpy as np

from .checks import as_vector, from_extra, take
from .losses.base import over_data
from .losses.batches import Mean, plus, times, value
from .losses.blocks import calm

with from_extra("cluster"):
    from dask import annotate, config
    from distributed import CancelledError, Client, KilledWorker, wait


PATIENCE = 5.0  # seconds that a cluster may be without any worker before we give up

ROUND_TRIP = 1e7  # bytes that a scheduler can send while it would wait for one more task


class Part:
    """The loss over one part's rows, on the worker that has them (eq. 28).

    What travels is not the loss but its recipe: call ``build(*spec)``, then take these ``rows`` of
    it, or all of them.
    """

    def __init__(self, build, spec, rows=None):
        self.recipe, self.lock, self.made = (build, spec, rows), threading.Lock(), None

    def __reduce__(self):
        return Part, self.recipe

    def __sizeof__(self):  # so that Dask moves the vector to the part, not the part to the vector
        return 1000 + sum(getattr(held, "nbytes", 0) for held in vars(self.loss).values())

    @property
    def loss(self):
        """The loss over the part's rows, which is made when it is first asked for."""
        build, spec, rows = self.recipe
        with self.lock:
            if self.made is None:
                try:
                    whole = over_data(build(*spec), "n_params")
                    self.made = whole if rows is None else whole.subset(rows)
                except Exception as error:  # in words, as its type may be unknown elsewhere
                    raise RuntimeError(f"build{spec!r} failed on a worker: {error!r}") from error
        return self.made

    def subset(self, rows):
        """Return the part with some of its ``rows``."""
        build, spec, before = self.recipe
        part = Part(build, spec, rows if before is None else before[rows])
        part.made = self.loss.subset(rows)
        return part


class _Sent:
    """Vectors on their way to the parts, with a name of their own: else Dask would hash them."""

    def __init__(self, *vectors):
        self.vectors, self.nbytes = vectors, sum(v.nbytes for v in vectors)

    def __dask_tokenize__(self):
        return uuid4().hex


class Distributed(Mean):
    """The mean over all rows of a loss whose rows lie in parts, on the workers of a cluster.

    Parameters
    ----------
    build : callable
        ``build(*spec)`` runs on a worker and returns any loss over the rows that ``spec`` names,
        so that data never pass through here.
    specs : list of tuples
        One tuple for each part, such as a file's name or a range of rows.
    client : distributed.Client
        The cluster's client. Each worker should have one thread.

    Attributes
    ----------
    n_params, n_samples, dtype, penalty
        These are as of one loss over all rows.

    Raises
    ------
    ValueError
        If an argument is of another kind, or if the parts are not parts of one loss.
    RuntimeError
        If the cluster lacks what it needs (soo_lib, ``build``'s module, a worker), or if ``build``
        fails.

    Notes
    -----
    The sums are added in pairs, in a tree over the parts and not over the workers. On machines of
    one kind the digits are therefore the same for any number of workers. A worker may die; its
    parts are then built on others.
    """

    def __init__(self, build, specs, client):
        if not callable(build):
            raise ValueError(f"build must be callable; got {build!r}")
        listed = isinstance(specs, list) and specs and all(isinstance(s, tuple) for s in specs)
        if not listed:
            raise ValueError(f"specs must be a list of tuples, one a part; got {specs!r}")
        if not isinstance(client, Client):
            raise ValueError(f"client must be a distributed.Client; got {client!r}")
        workers = _preflight(client, build)
        self.client, self.last = client, ()
        self.homes = [workers[i * len(workers) // len(specs)] for i in range(len(specs))]
        self.parts = [self._at(home, _make, build, spec) for home, spec in zip(self.homes, specs)]
        facts = [self._at(home, _facts, part) for home, part in zip(self.homes, self.parts)]
        (facts,) = self._results([client.submit(list, facts, pure=False)])
        sizes, counts, dtypes = map(list, zip(*facts))
        if len(set(sizes)) > 1 or len(set(dtypes)) > 1:
            raise ValueError(
                f"build must make parts of one loss; got parts of {sizes} parameters in {dtypes}"
            )
        self.n_params, self.dtype = sizes[0], np.dtype(dtypes[0])
        self.counts, self.n_samples = counts, sum(counts)
        (self.penalty,) = self._results([client.submit(_penalty, self.parts[0], pure=False)])

    def subset(self, rows):
        """Return the same loss on some ``rows``, integers that count through the parts in order."""
        numbers = np.arange(self.n_samples)
        _, rows = take(numbers[:, None], numbers, rows)
        ends, some = np.cumsum(self.counts), copy.copy(self)
        homes = np.searchsorted(ends, rows, side="right")
        chosen = np.unique(homes).tolist()
        own = [rows[homes == i] - (ends[i] - self.counts[i]) for i in chosen]
        some.counts, some.n_samples = list(map(len, own)), len(rows)
        some.homes = [self.homes[i] for i in chosen]
        parts = [self.parts[i] for i in chosen]
        some.parts = list(map(some._at, some.homes, [Part.subset] * len(own), parts, own))
        return some

    def mean(self, what, *vectors):
        """Return the mean over the rows of ``what``, a method that each part calls (eq. 28).

        The cluster adds the parts' results, in one graph of tasks of which it keeps nothing.
        """
        name, level = uuid4().hex, 0
        sent = _Sent(*(as_vector(v, self.n_params, letter) for letter, v in zip("xp", vectors)))
        # A vector goes to each worker once. Where a worker has one part, the vector goes with that
        # part's task. Where it has more, or where that would be too much to send, the vector is a
        # task of its own, which survives a worker's death: the workers fetch it from each other, a
        # round trip later.
        alone = len(set(self.homes)) == len(self.parts)
        if alone and len(self.parts) * sent.nbytes <= ROUND_TRIP:
            graph = {}
        else:
            graph, sent = {(name, "sent", 0): sent}, (name, "sent", 0)
        sums = [(name, 0, i) for i in range(len(self.parts))]
        graph |= {key: (_weigh, what, part, sent) for key, part in zip(sums, self.parts)}
        while len(sums) > 2:  # the last two are added here: that spares a round trip too
            level, odd = level + 1, sums[-1:] if len(sums) % 2 else []
            pairs = zip(sums[::2], sums[1::2])
            pairs = {(name, level, a[-1]): (plus, a, b) for a, b in pairs}
            graph, sums = graph | pairs, [*pairs, *odd]
        any_size = config.set({"distributed.admin.large-graph-warning-threshold": "1 PB"})
        with any_size, annotate(workers=partial(_home, self.homes), allow_other_workers=True):
            sums = self.client.get(graph, sums, sync=False)
        # The last results are released by name: left to the garbage collector, they would be
        # computed anew if their worker died. They are released behind the next graph, or a moment
        # later: just before it, the message would hold it up.
        for before in self.last:
            before.release()
        self.last, loop = sums, self.client.loop
        try:
            return times(1 / self.n_samples, reduce(plus, self._results(sums)))
        finally:
            for future in sums:
                loop.add_callback(loop.call_later, 0.1, future.release)

    def _at(self, home, task, *args):
        """Return the future of ``task(*args)``, at ``home`` if it can be, lest a part wander."""
        kept = {"workers": [home], "allow_other_workers": True}
        return self.client.submit(task, *args, pure=False, **kept)

    def _results(self, futures):
        """Return what the futures bring, or raise an error in words where one never will."""
        alone = None  # since when there has been no worker
        try:
            while not all(future.done() for future in futures):
                with suppress(TimeoutError):
                    wait(futures, timeout=1)
                    continue
                alone = None if self.client.nthreads() else alone or time.monotonic()
                if alone and time.monotonic() - alone > PATIENCE:
                    raise RuntimeError(f"the cluster has had no worker for {PATIENCE:g} s")
            failed = [future for future in futures if future.status == "error"]
            if not failed:
                return self.client.gather(futures)
        except CancelledError as error:
            raise RuntimeError(f"the cluster's scheduler let go of the task: {error}") from error
        except KeyboardInterrupt:
            self.client.cancel(futures)
            raise
        # A copy of the error: Dask keeps its own, and with it every future of the frames it passed.
        error = copy.copy(failed[0].exception())
        if isinstance(error, KilledWorker):
            error = RuntimeError(f"workers died over one part, again and again: {error}")
        raise error


def _home(homes, key):
    return [homes[key[-1]]]  # the home of the first part in a sum


def _make(build, spec):
    part = Part(build, spec)
    return part if part.loss else None  # it is made now, and here


def _facts(part):
    loss = part.loss
    return loss.n_params, loss.n_samples, np.dtype(getattr(loss, "dtype", float)).name


def _penalty(part):
    return getattr(part.loss, "penalty", None)


def _weigh(what, part, sent):
    with calm():
        return times(part.loss.n_samples, value(part.loss, what, *sent.vectors))


def _preflight(client, build):
    """Return the workers, once they and the scheduler are seen to have the modules they need.

    A machine that lacks one would hang, without a word, over what it is sent.
    """
    module = getattr(build, "__module__", None) or type(build).__module__
    needed = sorted({"soo_lib", module.partition(".")[0]} - {"__main__"})
    # A builtin travels by name: it arrives whatever a machine lacks.
    code = f"[m for m in {needed} if not __import__('importlib.util').util.find_spec(m)]"
    workers = client.run(eval, code)
    found = {"the scheduler": client.run_on_scheduler(eval, code), **workers}
    if lacking := {where: modules for where, modules in found.items() if modules}:
        words = ", ".join(f"{where} lacks {' and '.join(lacking[where])}" for where in lacking)
        raise RuntimeError(f"the cluster must have {' and '.join(needed)} installed; {words}")
    if not workers:
        raise RuntimeError("the cluster must have a worker; it has none")
    return sorted(workers)
