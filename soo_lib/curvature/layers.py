"""Second derivatives of a network, back-propagated layer by layer (paper, appendix B).

Algorithm 3 as it should read: eq. 83 to start, eqs 66-67 from layer to layer, eqs 68-70 for the
weights. With a 1 appended to each input the three become one: layer l's block is the mean of
(x xᵀ) ⊗ H_Z over the samples, in ``x``'s own order.
"""

from functools import reduce

import numpy as np

from ..checks import as_vector, check_memory
from ..losses.activations import ACTIVATIONS, output
from ..losses.blocks import side_by_side
from ..losses.network import Network

CURVATURES = ("exact", "ggn", "clipped")

CHUNK = 5e5  # numbers in the largest temporary array

STRIP = 2e5  # numbers in the products of inputs that are multiplied at a time

SHARED = 1e8  # multiplications that pay for a second thread


def layer_hessians(loss, x, curvature="exact"):
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

    Raises
    ------
    MemoryError
        Before anything is allocated, if a block would take over 2 GB.

    Notes
    -----
    Paper, eqs 66-70, 78-83 and algorithm 3, as the book corrects them. Both factors of
    (x xᵀ) ⊗ H_Z are symmetric: their upper triangles are multiplied, by halves of the samples.

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
    net = _network(loss)
    advice = "loss.hessp multiplies with it, kronecker_factors approximates it, neither forms it"
    for layer, (n_in, n_out) in enumerate(net.shapes, 1):
        check_memory((n_in + 1) * n_out, f"the block of layer {layer}", advice)
    inputs = [np.triu_indices(n_in + 1) for n_in, _ in net.shapes]
    outputs = [np.triu_indices(n_out) for _, n_out in net.shapes]
    sizes = [(len(k), len(j)) for (k, _), (j, _) in zip(inputs, outputs, strict=True)]

    def run(rows):
        sums = [np.zeros(size) for size in sizes]
        for layer, X, H, _ in backward_hessians(loss.subset(rows), x, curvature):
            X, (k, k2), H = X.T.copy(), inputs[layer], H.T[outputs[layer]]
            step = int(max(64, STRIP // len(H.T)))
            for i in range(0, len(k), step):
                strip = slice(i, i + step)
                sums[layer][strip] += (X[k[strip]] * X[k2[strip]]) @ H.T  # eqs 68-70 in one
        return sums

    m, work = loss.n_samples, loss.n_samples * sum(k * j for k, j in sizes)
    half = m if work < SHARED else -(-m // 2)
    halves = side_by_side(run, [slice(i, i + half) for i in range(0, m, half)])
    return _unfold(loss, [reduce(np.add, parts) for parts in zip(*halves, strict=True)])


def hessian_diagonal(loss, x, curvature="exact"):
    """The diagonal at ``x``, (n_params,), of the ``loss``'s Hessian or of what ``curvature`` says.

    Eqs 66-70, without the blocks of :func:`layer_hessians`.
    """
    diagonal = np.zeros(_network(loss).n_params)
    for layer, inputs, H, _ in backward_hessians(loss, x, curvature):
        part = (inputs**2).T @ np.diagonal(H, axis1=1, axis2=2)
        diagonal[loss.net.layer_slices[layer]] += part.ravel()
    return diagonal / loss.n_samples + loss.penalty.weights


def backward_hessians(loss, x, curvature="exact"):
    """The recursion itself: H_Z of each layer and sample, from the last layer to the first.

    The samples come in chunks, fewer where layers are wide; all layers of a chunk one by one.

    Yields
    ------
    layer : int
    inputs : (m, n_in + 1) array
        The layer's inputs for a chunk of samples, with a 1 appended.
    H : (m, n_out, n_out) array
        Second derivatives of each sample's loss in the layer's Z; ``H.T`` is contiguous.
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
        H = -P.T[:, None] * P.T  # eq. 83, samples last
        H[range(len(H)), range(len(H))] += P.T
        bend = np.zeros_like(D)
        for layer in reversed(range(len(layers))):
            yield layer, np.c_[A[layer], np.ones(len(D))], H.T, bend
            if layer:
                W, a = layers[layer][0], A[layer]
                G = D @ W.T  # eq. 26
                slope = first(a) * np.ones_like(a)
                bend = second(a, slope) * G  # with ∇L_X of this layer: eq. 67, not eq. 82
                H = (W @ H.reshape(len(H), -1)).reshape(len(W), -1, len(D))  # all samples in one
                H *= slope.T[:, None]
                H = W @ H  # eqs 66 and 67, from both sides
                H *= slope.T
                kept = {"exact": bend, "ggn": 0.0, "clipped": np.maximum(bend, 0)}[curvature]
                H[range(len(W)), range(len(W))] += np.transpose(kept)
                D = slope * G  # eq. 27


def ggn_product(loss, x, p):
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


def _unfold(loss, sums):
    """The blocks in ``x``'s own order (k, j, k2, j2), from sums over triangles of x xᵀ and H_Z."""
    shapes = [(n_in + 1, n_out) for n_in, n_out in loss.net.shapes]
    mirrors = [(_mirror(K), _mirror(n)) for K, n in shapes]
    blocks = [np.empty(2 * shape) for shape in shapes]

    def strip(layer, k):  # so small that it stays in cache
        inputs, outputs = mirrors[layer]
        pieces = sums[layer][inputs[k]][:, outputs]  # (k2, j, j2)
        np.divide(pieces.transpose(1, 0, 2), loss.n_samples, out=blocks[layer][k])

    strips = [(layer, k) for layer, (K, _) in enumerate(shapes) for k in range(K)]
    size = sum(block.size for block in blocks)
    list(side_by_side(lambda at: strip(*at), strips, 10 * size > SHARED))
    for layer, part in enumerate(loss.net.layer_slices):
        blocks[layer] = blocks[layer].reshape(2 * [part.stop - part.start])
        np.einsum("ii->i", blocks[layer])[:] += loss.penalty.weights[part]
    return blocks


def _mirror(n):
    """(n, n) indices into an upper triangle stored as a vector."""
    index = np.zeros((n, n), int)
    index[np.triu_indices(n)] = np.arange(n * (n + 1) // 2)
    return np.maximum(index, index.T)
