"""Roots of the Gauss-Newton matrix, sample by sample, and what they tell in a layer's eigenbasis.

Eq. 67 without its σ'' term keeps H_Z = B Bᵀ with a column a class, so that the curvature of a layer
is a mean of outer products of vectors x ⊗ b: x the layer's input, b a column of B.
"""

import numpy as np

from .activations import ACTIVATIONS, flush, output


def backward_roots(net, layers, X, y):
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


def rescaled(loss, x, pairs):
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
