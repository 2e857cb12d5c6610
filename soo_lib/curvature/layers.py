"""Second derivatives of a network, back-propagated layer by layer (paper, appendix B).

Algorithm 3 as it should read: eq. 83 to start, eqs 66-67 from layer to layer, eqs 68-70 for the
weights. With a 1 appended to each input the three become one: layer l's block is the mean of
(x xᵀ) ⊗ H_Z over the samples, in ``x``'s own order.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_vector, check_memory
from ..losses.activations import ACTIVATIONS, output
from ..losses.blocks import side_by_side
from ..losses.network import Network, NetworkLoss

CURVATURES = ("exact", "ggn", "clipped")

CHUNK = 5e5  # numbers in the largest temporary array


def layer_hessians(loss: NetworkLoss, x: ArrayLike, curvature: str = "exact") -> list[np.ndarray]:
    """The diagonal block of the Hessian that belongs to each layer.

    Parameters
    ----------
    loss : NetworkLoss
    x : (n_params,) array
    curvature : {"exact", "ggn", "clipped"}
        The σ'' term of eq. 67 as it is, left out (generalised Gauss-Newton: positive
        semi-definite), or its positive part.

    Returns
    -------
    list of (n_l, n_l) arrays
        Block l equals ``loss.hess(x)[s, s]`` for ``s = net.layer_slices[l]`` when exact.
        Symmetric up to rounding.

    Raises
    ------
    MemoryError
        Before anything is allocated, if a block would take over 2 GB.

    Notes
    -----
    Paper, eqs 66-70, 78-83 and algorithm 3, as the book corrects them.

    Examples
    --------
    >>> from soo_lib.losses.network import Network
    >>> net, rng = Network([3, 4, 2], activation="tanh"), np.random.default_rng(0)
    >>> loss = net.loss(rng.normal(size=(20, 3)), rng.integers(2, size=20))
    >>> x = net.init(seed=0)
    >>> first, last = layer_hessians(loss, x)
    >>> bool(np.allclose(last, loss.hess(x)[net.layer_slices[1], net.layer_slices[1]]))
    True
    """
    shapes = [(n_in + 1, n_out) for n_in, n_out in _network(loss).shapes]
    advice = "loss.hessp multiplies with it, kronecker_factors approximates it, neither forms it"
    for layer, (K, J) in enumerate(shapes, 1):
        check_memory(K * J, f"the block of layer {layer}", advice)
    blocks = [np.zeros((K, J, K, J)) for K, J in shapes]
    for layer, X, H, _ in backward_hessians(loss, x, curvature):
        _add(blocks[layer], X, H)
    for layer, part in enumerate(loss.net.layer_slices):
        block = blocks[layer] = blocks[layer].reshape(2 * [part.stop - part.start])
        block /= loss.n_samples
        block[np.diag_indices_from(block)] += loss.penalty.weights[part]
    return blocks


def _add(block, X, H):
    """Adds the samples' sum of (x xᵀ) ⊗ H_Z to a ``block``, (K, J, K, J): eqs 68-70 in one."""
    K, J, K, J = block.shape
    H = H.reshape(len(X), J * J)

    def some(k):
        XX = (X[:, k, None] * X[:, None, :]).reshape(len(X), -1)
        block[k] += (XX.T @ H).reshape(-1, K, J, J).transpose(0, 2, 1, 3)

    side_by_side(some, [slice(k, k + 8) for k in range(0, K, 8)])


def hessian_diagonal(loss: NetworkLoss, x: ArrayLike, curvature: str = "exact") -> np.ndarray:
    """The diagonal at ``x``, (n_params,), of the ``loss``'s Hessian or of what ``curvature`` says.

    Eqs 66-70, without the blocks of :func:`layer_hessians`.
    """
    diagonal = np.zeros(_network(loss).n_params)
    for layer, inputs, H, _ in backward_hessians(loss, x, curvature):
        part = (inputs**2).T @ np.diagonal(H, axis1=1, axis2=2)
        diagonal[loss.net.layer_slices[layer]] += part.ravel()
    return diagonal / loss.n_samples + loss.penalty.weights


def backward_hessians(
    loss: NetworkLoss, x: ArrayLike, curvature: str = "exact"
) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """The recursion itself: H_Z of each layer and sample, from the last layer to the first.

    The samples come in chunks, fewer where layers are wide; all layers of a chunk one by one.

    Yields
    ------
    layer : int
    inputs : (m, n_in + 1) array
        The layer's inputs for a chunk of samples, with a 1 appended.
    H : (m, n_out, n_out) array
        Second derivatives of each sample's loss in the layer's Z.
    bend : (m, n_out) array
        The σ'' term on H's diagonal before ``curvature`` bends it; 0 in the last layer.
    """
    if curvature not in CURVATURES:
        raise ValueError(f"curvature must be one of {', '.join(CURVATURES)}; got {curvature!r}")
    net = _network(loss)
    _, first, second = ACTIVATIONS[net.activation]
    layers = net.unpack(as_vector(x, loss.n_params))
    rows = int(max(1, CHUNK // max(net.sizes[0], max(net.sizes[1:]) ** 2)))
    for i in range(0, loss.n_samples, rows):
        with np.errstate(over="ignore"):
            A = net.forward(layers, np.asarray(loss.X[i : i + rows], float))
        D, P = output(A[-1], loss.y[i : i + rows])
        H = P[:, :, None] * (np.eye(P.shape[1]) - P[:, None, :])  # eq. 83
        bend = np.zeros_like(D)
        for layer in reversed(range(len(layers))):
            yield layer, np.c_[A[layer], np.ones(len(D))], H, bend
            if layer:
                W, a = layers[layer][0], A[layer]
                G = D @ W.T  # eq. 26
                slope = first(a) * np.ones_like(a)
                bend = second(a, slope) * G  # with ∇L_X of this layer: eq. 67, not eq. 82
                kept = {"exact": bend, "ggn": 0.0, "clipped": np.maximum(bend, 0)}[curvature]
                J = slope[:, :, None] * W  # ∂Z/∂Z of the layer below, sample by sample
                H = J @ H @ J.transpose(0, 2, 1)  # eq. 66
                H[:, range(len(W)), range(len(W))] += kept  # eq. 67
                D = slope * G  # eq. 27


def ggn_product(loss, x: ArrayLike, p: ArrayLike) -> np.ndarray:
    """The generalised Gauss-Newton matrix times ``p``: Jᵀ H_L J p, and the penalty's share.

    The model is replaced by its tangent in the parameters: positive semi-definite (Schraudolph
    2002). A layer's block is then the Hessian's without its σ'' term; blocks between layers differ
    by more, as even linear layers multiply. ``x``, ``p``: (n_params,); a ``loss`` with ``ggnp``.
    """
    return loss.ggnp(x, p)


def _network(loss):
    if not isinstance(getattr(loss, "net", None), Network):
        raise ValueError(f"loss must be a network's, from Network.loss; got {loss!r}")
    return loss.net
