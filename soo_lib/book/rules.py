"""The recorded runs of the mini-batch rules, as the chapters and the appendix read them."""

import numpy as np

from .records import load_record

SIZES = [32, 128, 1000, 10_000]
# What a rule is called in the text where its settings are not the function's own.
TOLD = {
    "kronecker, averaged": ("kronecker", {"decay": 0.9}),
    "kronecker, EKFAC": ("kronecker", {"ekfac": True}),
    "muon": ("muon", {"last": "muon"}),
}
BY_COORDINATE = [
    "sgd",
    "momentum",
    "nesterov",
    "schedule_free",
    "aprox",
    "sls",
    "adagrad",
    "rmsprop",
    "adam",
    "adahessian",
    "lbfgs",
    "cg",
]
BY_LAYER = ["kronecker", *TOLD, "shampoo", "soap"]
NAMES = BY_COORDINATE + BY_LAYER


def end(run):
    return run.fun[-1]


def middle(runs, what=end):
    """The median of ``what`` over some runs; a run that diverged counts as infinite."""
    return np.median(np.nan_to_num([what(run) for run in runs], nan=np.inf, posinf=np.inf))


def spread(runs, what, digits):
    """The median, and in brackets the range where there is one."""
    low, high = np.min([what(run) for run in runs]), np.max([what(run) for run in runs])
    ends = f" ({low:.{digits}f}–{high:.{digits}f})" if low < high else ""
    return f"{middle(runs, what):.{digits}f}{ends}"


def epochs_to(run, level):
    """Epochs until the loss is at most level, interpolated in its logarithm; infinity if never."""
    below = np.flatnonzero(run.fun <= level)
    if not len(below):
        return np.inf
    k = below[0]
    high, low = np.log(run.fun[k - 1 : k + 1])
    return k - 1 + (high - np.log(level)) / (high - low)


def seconds_to(run, level):
    k = epochs_to(run, level)
    return np.interp(k, np.arange(len(run.fun)), run.seconds) if np.isfinite(k) else np.inf


class Grid:
    """All rules on 10,000 images: their runs by name, batch size and schedule."""

    def __init__(self):
        self.runs = load_record("minibatch") + load_record("minibatch_field")

    def pick(self, name, size, schedule="constant"):
        """Step to the runs of a rule at a batch size; the schedule is constant or cosine."""
        rule, other = TOLD.get(name, (name, {}))
        other = {**other, **({"cosine": True} if schedule == "cosine" else {})}
        of = [r for r in self.runs if (r.rule, r.batch_size, r.other) == (rule, size, other)]
        return {step: [r for r in of if r.step == step] for step in sorted({r.step for r in of})}

    def best(self, name, size, schedule="constant"):
        """The runs at the step that ends lowest, among those with the most starts."""
        groups = self.pick(name, size, schedule)
        most = max(map(len, groups.values()), default=0)
        return min((runs for runs in groups.values() if len(runs) == most), key=middle, default=[])

    def end(self, name, size, schedule="constant"):
        """The median loss in the end at the best step; infinity where there is no run."""
        runs = self.best(name, size, schedule)
        return middle(runs) if runs else np.inf


def tuned(runs, rule, size):
    """The runs of a rule and batch size with that step whose median loss is lowest in the end."""
    of = [run for run in runs if (run.rule, run.batch_size) == (rule, size)]
    steps = {run.step for run in of}
    return min(([run for run in of if run.step == step] for step in steps), key=middle)


KEPT = {"decay": "averaged, keeping", "momentum": "μ", "beta1": "β₁", "beta2": "β₂"}


def in_words(run):
    """What a run was told: its rows a batch, its step, and what of the rule's own was tried."""
    kept = [f"{KEPT[name]} {value:g}" for name, value in run.other.items() if KEPT.get(name)]
    return ", ".join([f"{run.batch_size} rows", f"step {run.step:g}", *kept])


def contest(runs):
    """Map rule and epochs to its settings, each the runs from all its starts.

    First comes the setting with the most starts, among those the lowest.
    """
    groups = {}
    for run in sorted(runs, key=lambda run: (run.epochs, run.rule)):
        groups.setdefault((run.rule, run.epochs), {}).setdefault(in_words(run), []).append(run)
    return {
        who: sorted(settings.values(), key=lambda of: (-len(of), middle(of)))
        for who, settings in groups.items()
    }


def critical(runs):
    """Batch sizes; of each rule the median steps to the targets; and the fits of S_min, m*."""
    sizes = np.array(sorted({run.batch_size for run in runs}))

    def needed(rule, size, k):
        of = [run for run in runs if (run.rule, run.batch_size) == (rule, size)]
        steps = {
            step: [np.inf if r.steps[k] is None else r.steps[k] for r in of if r.step == step]
            for step in {run.step for run in of}
        }
        return min(map(np.median, steps.values()))

    rules = [name for name in NAMES if name in {run.rule for run in runs}]
    needs = {
        rule: np.array([[needed(rule, size, k) for size in sizes] for k in range(3)])
        for rule in rules
    }
    fits = {
        rule: [fitted(sizes[np.isfinite(S)], S[np.isfinite(S)]) for S in needs[rule]]
        for rule in rules
    }
    return sizes, needs, fits


def fitted(sizes, S):
    """S_min and m* of S = S_min (1 + m*/m_b), by least squares of logarithms."""
    m = np.geomspace(1, 1e5, 1001)
    off = np.log(S) - np.log1p(m[:, None] / sizes)
    k = np.argmin(off.var(axis=1))
    return np.exp(off[k].mean()), m[k]
