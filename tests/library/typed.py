"""What a reader writes first, for the type checker: `make lint` runs mypy over this file."""

import numpy as np
from scipy.optimize import OptimizeResult

from soo_lib import (
    Batched,
    Logistic,
    Loss,
    Network,
    Preconditioned,
    explain,
    gradient_test,
    layer_hessians,
    minimize,
    minimize_stochastic,
)
from soo_lib.curvature import extreme_eigenvalues, operator, trace
from soo_lib.losses import partition
from soo_lib.solvers import Status, wolfe
from soo_lib.stochastic import cosine

X, y = np.ones((4, 2)), [0, 1, 0, 1]
loss: Loss = Logistic(X, y, l2=0.1)
verdict: str = gradient_test(loss, [0.0, 0.0]).verdict
run: OptimizeResult = minimize(loss, [0.0, 0.0], "lbfgs", "wolfe", gtol=1e-6, memory=5)
status: Status = explain(run, loss.fun, loss.jac).status
done: bool = status.success
search = wolfe(c1=1e-4, c2=0.9)
batched: Loss = Batched(loss, partition(4, 2, seed=0))
scaled: Loss = Preconditioned(loss, np.ones(2))
net = Network([2, 3, 2], activation="tanh")
on_net = net.loss(X, y, l2=1e-3)
start: np.ndarray = net.init(seed=0)
blocks: list[np.ndarray] = layer_hessians(on_net, start, curvature="ggn")
ends: np.ndarray = extreme_eigenvalues(operator(on_net, start), k=2).values
total, error = trace(operator(on_net, start))
epochs: OptimizeResult = minimize_stochastic(
    on_net, start, "adam", batch_size=2, epochs=3, step=0.01, seed=0, schedule=cosine
)


class Own(Loss):
    """A loss of the reader's own: a value and a gradient."""

    n_params = 2

    def fun(self, x: np.ndarray) -> float:
        return float(x @ x)

    def jac(self, x: np.ndarray) -> np.ndarray:
        return 2 * x


own: OptimizeResult = minimize(Own(), np.ones(2))
