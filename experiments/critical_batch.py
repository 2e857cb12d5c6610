"""How many steps a rule needs to a loss, by batch size: where does a larger batch stop to help?"""

from itertools import count

from soo_lib.datasets import load_digits
from soo_lib.losses import Network
from soo_lib.stochastic import RULES, minimize_stochastic

# The last run repeats to these shares: its noise passes targets by chance.
REPEATS = {"at": 1e-4, "fun": 0.02}
TARGETS = 0.5, 0.2, 0.1
SIZES = 8, 32, 128, 512, 1400
# The longest of these is for batches of 128 rows and more; the two shortest are not for all rows.
STEPS = {
    "sgd": (0.1, 0.3, 1, 3, 10, 30),
    "momentum": (0.01, 0.03, 0.1, 0.3, 1, 3, 10),
    "adam": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "kronecker": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
    "muon": (0.003, 0.01, 0.03, 0.1, 0.3, 1),
}
OTHER = {"muon": {"last": "muon"}}


def grid(quick=False):
    sizes, seeds, most = ((128,), 1, 50) if quick else (SIZES, 3, 2000)
    return [
        {"rule": rule, "batch_size": size, "step": step, "seed": seed, "most": most}
        for size in sizes
        for rule, steps in STEPS.items()
        for step in steps[2 * (size == 1400) : -1 if size < 128 else None]
        for seed in range(seeds)
    ]


def run(rule, batch_size, step, seed, most):
    """Train 64-32-10 on 1,400 digits for at most ``most`` steps; return the steps to each target.

    None stands for a target that is never reached. The loss on all rows is looked at after each of
    the first 50 steps, and then each time when the steps have grown by a 50th.
    """
    data, net = load_digits(), Network([64, 32, 10])
    loss = net.loss(data.X_train, data.y_train, l2=1e-4)
    at, fun = [0], [loss.fun(net.init(seed))]
    watched, steps = RULES[rule](**OTHER.get(rule, {})), count(1)

    def watching(batch, x, f, g, alpha):
        change, taken = watched(batch, x, f, g, alpha)
        k = next(steps)
        if at[-1] + max(1, at[-1] // 50) <= k <= most:
            at.append(k)
            fun.append(loss.fun(x + change))
        return change, taken

    def enough(x):
        if min(fun) <= min(TARGETS) or at[-1] >= 0.98 * most:
            raise StopIteration

    epochs = -(-most * batch_size // loss.n_samples)
    minimize_stochastic(
        loss, net.init(seed), watching, batch_size, epochs, step, seed, callback=enough
    )
    first = [next((k for k, f in zip(at, fun) if f <= target), None) for target in TARGETS]
    return {"steps": first, "at": at[:50], "fun": fun[:50]}
