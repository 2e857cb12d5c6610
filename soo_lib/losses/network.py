"""A fully connected network and its loss: algorithms 1 and 2 (paper, eqs 19-27, appendix A).

Rows are samples, so a layer reads Z = X W + b with W of shape (n_in, n_out): the paper's
eq. 19 transposed. The parameters of all layers lie in one flat vector ``x``.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..checks import as_count, as_real_type, as_rng, as_table, as_vector, check_memory, take
from .activations import ACTIVATIONS, cross_entropy, flush
from .base import L2, Loss
from .blocks import BLOCK, as_rows, average
from .products import gauss_newton_product, hessian_product, linearize


class Network:
    """A multilayer perceptron with softmax and cross-entropy on top.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of each hidden layer and of the output (the number of classes, >= 2).
    activation : {"sigmoid", "tanh", "relu", "linear"}
        σ of the hidden layers, eq. 20.

    Attributes
    ----------
    n_params : int
        Length of the flat parameter vector ``x``.
    layer_slices : list of slice
        Where layer l's weights (row-major), then its biases, lie inside ``x``.
    """

    def __init__(self, sizes: Sequence[int], activation: str = "sigmoid"):
        listed = np.iterable(sizes) and not isinstance(sizes, str)
        self.sizes = [as_count(n, f"sizes[{i}]") for i, n in enumerate(sizes if listed else [])]
        if len(self.sizes) < 2 or self.sizes[-1] < 2:
            needed = "an input width and at least 2 classes, as [784, 300, 10]"
            raise ValueError(f"sizes must name {needed}; got {sizes!r}")
        if activation not in list(ACTIVATIONS):  # it may not be hashable
            raise ValueError(f"activation must be one of {[*ACTIVATIONS]}; got {activation!r}")
        self.activation = activation
        ends = np.cumsum([0] + [(i + 1) * o for i, o in self.shapes]).tolist()
        self.layer_slices = [slice(*pair) for pair in pairwise(ends)]
        self.n_params = ends[-1]

    def __repr__(self):
        return f"Network({self.sizes}, activation={self.activation!r})"

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The pair (n_in, n_out) of each layer, a list."""
        return list(pairwise(self.sizes))

    def unpack(self, x: ArrayLike) -> list[tuple[np.ndarray, np.ndarray]]:
        """``x`` as a list of (W, b), (n_in, n_out) and (n_out,): views, which write to ``x``."""
        x = np.asarray(x)
        if x.shape != (self.n_params,):
            raise ValueError(f"x must have shape ({self.n_params},); got {x.shape}")
        parts = zip(self.sizes[1:], [x[part] for part in self.layer_slices], strict=True)
        return [(flat[:-n_out].reshape(-1, n_out), flat[-n_out:]) for n_out, flat in parts]

    def pack(self, layers: list) -> np.ndarray:
        """The flat vector ``x``, (n_params,), of a list of (W, b) as from :meth:`unpack`."""
        need, got = [(shape, shape[1:]) for shape in self.shapes], repr(layers)[:60]
        with suppress(TypeError, ValueError):  # not a list of pairs
            got = [(np.shape(W), np.shape(b)) for W, b in layers]
        if got != need:
            raise ValueError(f"layers must have the shapes (W, b) {need}; got {got}")
        return np.concatenate([np.ravel(part) for layer in layers for part in layer]).astype(float)

    def init(self, seed: int, scale: str = "fan_in") -> np.ndarray:
        """A random start, (n_params,): normal weights, biases 0.

        Parameters
        ----------
        seed : int
            Of the draws.
        scale : {"fan_in", "unit"}
            Variance 1/n_in, which keeps Z of order one; or 1, as in the paper's experiments.
        """
        if scale not in ("fan_in", "unit"):
            raise ValueError(f"scale must be 'fan_in' or 'unit'; got {scale!r}")
        rng = as_rng(seed)
        x = np.zeros(self.n_params)
        for W, _ in self.unpack(x):
            W[:] = rng.normal(size=W.shape) / (np.sqrt(len(W)) if scale == "fan_in" else 1)
        return x

    def forward(self, layers, X):
        """Algorithm 1 up to the softmax: [X, σ(Z) of each hidden layer, Z of the last]."""
        sigma = ACTIVATIONS[self.activation].value
        A = [X]
        for W, b in layers:
            Z = A[-1] @ W
            Z += b  # eq. 19
            A.append(Z)
            if len(A) < len(self.sizes):
                sigma(Z)  # eq. 20, in place
        return A

    def backward(self, layers, A, D, gradient):
        """Algorithm 2: adds ∂L/∂W and ∂L/∂b of every layer to ``gradient``, a list of (W, b).

        ``A`` comes from :meth:`forward`, ``D`` is ∂L/∂Z of the last layer.
        """
        slope = ACTIVATIONS[self.activation].first
        for layer in reversed(range(len(layers))):
            dW, db = gradient[layer]
            dW += A[layer].T @ D  # eq. 24
            db += D.sum(axis=0)  # eq. 25
            if layer:
                D = D @ layers[layer][0].T  # eq. 26
                D *= slope(A[layer])  # eq. 27
                flush(D)

    def predict(self, x: ArrayLike, X: ArrayLike) -> np.ndarray:
        """The most likely label of each row of ``X``, (m, n_in), as (m,) integers."""
        X = as_table(X, self.sizes[0], getattr(X, "dtype", None) == np.float32 and np.float32)
        layers = self.unpack(as_vector(x, self.n_params).astype(X.dtype))
        with np.errstate(over="ignore"):
            blocks = [self.forward(layers, X[i : i + BLOCK])[-1] for i in range(0, len(X), BLOCK)]
        return np.concatenate(blocks).argmax(axis=1)

    def loss(
        self,
        X: ArrayLike,
        y: ArrayLike,
        l2: float = 0.0,
        penalize_bias: bool = False,
        dtype: DTypeLike = np.float64,
        scale: float = 1.0,
        shift: float = 0.0,
    ) -> "NetworkLoss":
        """The :class:`NetworkLoss` on ``X``, (m, n_in), and whole numbers ``y``, (m,), from 0.

        ``l2`` weighs the penalty on the weights, and the biases if ``penalize_bias``; ``dtype`` is
        the precision inside the layers, float64 or float32. ``X`` of uint8, which may be a memory
        map, stands for ``X * scale + shift``, a block of rows at a time.
        """
        X = as_rows(X, self.sizes[0], as_real_type(dtype), scale, shift)
        y = as_vector(y, len(X), "y", finite=True)
        last = self.sizes[-1] - 1
        if len(wrong := y[(y != np.floor(y)) | (y < 0) | (y > last)]):
            raise ValueError(f"y must hold whole numbers from 0 to {last}; got {wrong[0]:g}")
        mask = np.ones(self.n_params)
        if not penalize_bias:
            for _, b in self.unpack(mask):
                b[:] = 0
        return NetworkLoss(self, X, y.astype(np.intp), L2(self.n_params, l2, mask))


class NetworkLoss(Loss):
    """Mean cross-entropy in nats of a network's softmax, plus ½·l2·‖w‖² (eqs 21-27 and 35).

    :meth:`Network.loss` makes it of ``net``, ``X``, ``y`` and a ``penalty``. With float32 data the
    layers work in float32; sums over samples, and every vector that a solver sees, are float64.
    """

    def __init__(self, net, X, y, penalty):
        self.net, self.X, self.y, self.penalty = net, X, y, penalty
        self.n_samples, self.n_params, self.dtype = len(X), net.n_params, X.dtype

    def subset(self, rows: ArrayLike) -> "NetworkLoss":
        """The same loss on some ``rows``, a list of integers."""
        return NetworkLoss(self.net, *take(self.X, self.y, rows), self.penalty)

    def fun(self, x: ArrayLike) -> float:
        layers = self.layers(x)

        def kernel(X, y, _):
            return cross_entropy(self.net.forward(layers, X)[-1], y)[0]

        return self.average(kernel)[0] + self.penalty.fun(x)

    def jac(self, x: ArrayLike) -> np.ndarray:
        return self.fun_and_jac(x)[1]

    def fun_and_jac(self, x: ArrayLike) -> tuple[float, np.ndarray]:
        layers = self.layers(x)

        def kernel(X, y, gradient):
            A = self.net.forward(layers, X)
            loss, D = cross_entropy(A[-1], y)
            self.net.backward(layers, A, D, self.net.unpack(gradient))
            return loss

        f, g = self.average(kernel, self.n_params)
        f_penalty, g_penalty = self.penalty.fun_and_jac(x)
        g += g_penalty
        return f + f_penalty, g

    def hessp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        return self._product(x, p, hessian_product)

    def ggnp(self, x: ArrayLike, p: ArrayLike) -> np.ndarray:
        """The Gauss-Newton matrix times ``p``: see :func:`soo_lib.curvature.ggn_product`."""
        return self._product(x, p, gauss_newton_product)

    def _product(self, x, p, multiply):
        layers, tangents = self.layers(x), self.layers(p, "p")

        def kernel(X, y, product):
            point = linearize(self.net, layers, X, y, multiply is hessian_product)
            multiply(self.net, layers, tangents, point, self.net.unpack(product))
            return 0.0

        return self.average(kernel, self.n_params)[1] + self.penalty.hessp(x, p)

    def hess(self, x: ArrayLike) -> np.ndarray:
        """All second derivatives, between layers too: n_params products; MemoryError over 2 GB."""
        check_memory(self.n_params, "the Hessian")
        H = np.stack([self.hessp(x, p) for p in np.eye(self.n_params)])
        return 0.5 * (H + H.T)  # equal up to rounding; exactly so for eigensolvers

    def layers(self, x, name="x"):
        """``x`` as (W, b) a layer, in the precision that the layers work in."""
        return self.net.unpack(as_vector(x, self.n_params, name).astype(self.dtype))

    def average(self, kernel, size=0):
        """Means over the samples: see :mod:`soo_lib.losses.blocks`."""
        return average(kernel, self.X, self.y, size, self.n_params)
