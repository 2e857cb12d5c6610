"""Roots of the Gauss-Newton matrix, sample by sample, and what they tell in a layer's eigenbasis.

Eq. 67 without its σ'' term keeps H_Z = B Bᵀ with a column a class, so that the curvature of a layer
is a mean of outer products of vectors x ⊗ b: x the layer's input, b a column of B.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..losses.activations import ACTIVATIONS, flush, output
from ..losses.base import Loss
from ..losses.batches import Mean
from ..losses.network import Network, NetworkLoss
from .layers import _network


def kronecker_factors(loss: Loss, x: ArrayLike) -> list[tuple[np.ndarray, np.ndarray]]:
    """A pair (A, G) for each layer, whose Kronecker product approximates its GGN block.

    Parameters
    ----------
    loss : NetworkLoss, a mean of some over batches, or a module's loss from ``from_torch``
    x : (n_params,) array

    Returns
    -------
    list of (A, G)
        A, (n_in + 1, n_in + 1): mean of x xᵀ, x with a 1 appended. G, (n_out, n_out): mean of the
        Gauss-Newton H_Z. ``np.kron(A, G)`` has the order of ``x``, and is exact where x xᵀ and H_Z
        are uncorrelated over the samples. The penalty is left out.

    Notes
    -----
    Martens and Grosse (2015). Only the roots B of H_Z = B Bᵀ are propagated
    (:func:`backward_roots`), so G is exact and cheap.
    """
    if isinstance(loss, Mean):
        return loss.mean(kronecker_factors, x)
    if hasattr(loss, "kronecker_factors"):  # of a module: its adapter has them
        return loss.kronecker_factors(x)
    net, layers = _network(loss), loss.layers(x)
    shapes = [n for n_in, n_out in net.shapes for n in (n_in + 1, n_out)]
    ends = np.cumsum(np.square(shapes))

    def split(total):
        return [part.reshape(n, n) for part, n in zip(np.split(total, ends[:-1]), shapes)]

    def kernel(X, y, total):
        sums = split(total)
        for layer, inputs, B in backward_roots(net, layers, X, y):
            flat = B.reshape(-1, B.shape[2])  # (classes · m, n_out)
            sums[2 * layer][:] += inputs.T @ inputs
            sums[2 * layer + 1][:] += flat.T @ flat
        return 0.0

    means = split(loss.average(kernel, int(ends[-1]))[1])
    return list(zip(means[::2], means[1::2], strict=True))


def squared_gradients(loss: Loss, x: ArrayLike) -> np.ndarray:
    """Mean of each sample's squared gradient at ``x``, (n_params,), the penalty left out.

    A sample's gradient in a layer's weights is the outer product of its input and its ∂L/∂Z
    (eq. 24), so the sum over a network's ``loss`` is (X²)ᵀD²: no sample's gradient is formed.
    """
    if isinstance(loss, Mean):
        return loss.mean(squared_gradients, x)
    net, layers = _network(loss), loss.layers(x)
    first = ACTIVATIONS[net.activation].first

    def kernel(X, y, total):
        A = net.forward(layers, X)
        D, _ = output(A[-1], y)
        for layer in reversed(range(len(layers))):
            W2, b2 = net.unpack(total)[layer]
            W2 += (A[layer] ** 2).T @ D**2
            b2 += np.sum(D**2, axis=0)
            if layer:
                D = flush(D @ layers[layer][0].T * first(A[layer]))  # eqs 26 and 27
        return 0.0

    return loss.average(kernel, loss.n_params)[1]


def backward_roots(
    net: Network, layers: list, X: np.ndarray, y: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """B of each layer, (classes, m, n_out), from the last layer to the first.

    B is Diag(√p) - p √pᵀ in the last layer, then Diag(σ') W B (paper, eqs 83 and 67). ``net`` is a
    Network, ``layers`` a list of (W, b), ``X``, (m, n_in), and ``y``, (m,), some of the data.

    Yields
    ------
    layer : int
    inputs : (m, n_in + 1) array
        The layer's inputs with a 1 appended.
    B : (classes, m, n_out) array
    """
    first = ACTIVATIONS[net.activation].first
    A = net.forward(layers, X)
    _, P = output(A[-1], y)
    root = np.sqrt(P)
    B = np.eye(P.shape[1], dtype=P.dtype)[:, None] * root - root.T[:, :, None] * P
    for layer in reversed(range(len(layers))):
        yield layer, np.c_[A[layer], np.ones(len(X), X.dtype)], B
        if layer:
            W = layers[layer][0]
            flat = B.reshape(-1, B.shape[2])
            B = flush((flat @ W.T).reshape(len(B), len(X), len(W)) * first(A[layer]))


def ekfac_factors(
    loss: NetworkLoss, x: ArrayLike, pairs: list
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The Gauss-Newton curvature along each axis of the eigenbasis of the Kronecker ``pairs``.

    Parameters
    ----------
    loss : NetworkLoss
    x : (n_params,) array
    pairs : list of (A, G)
        (n_in + 1, n_in + 1) and (n_out, n_out), from :func:`~soo_lib.curvature.kronecker_factors`.

    Returns
    -------
    list of (U, V, S)
        A's and G's eigenvectors, a column each, and S, (n_in + 1, n_out): the layer's Gauss-Newton
        block has Sᵢⱼ on the diagonal in the basis of all uᵢ ⊗ vⱼ, where A ⊗ G has the products of
        their eigenvalues.

    Notes
    -----
    EKFAC (George, Laurent, Bouthillier, Ballas and Vincent 2018): of all matrices that are diagonal
    in this basis the nearest to the block, in the Frobenius norm.
    """
    bases = [[np.linalg.eigh(factor)[1] for factor in pair] for pair in pairs]
    cast = [[U.astype(loss.dtype) for U in pair] for pair in bases]
    layers, net = loss.layers(x), loss.net

    def kernel(X, y, total):
        for layer, inputs, B in backward_roots(net, layers, X, y):
            U, V = cast[layer]
            squares = np.sum((B @ V) ** 2, axis=0)  # over the classes
            S = total[net.layer_slices[layer]].reshape(len(U), len(V))
            S += ((inputs @ U) ** 2).T @ squares
        return 0.0

    S = loss.average(kernel, net.n_params)[1]
    parts = [S[part].reshape(len(U), len(V)) for part, (U, V) in zip(net.layer_slices, bases)]
    return [(U, V, part) for (U, V), part in zip(bases, parts)]
