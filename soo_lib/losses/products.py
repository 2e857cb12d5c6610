"""Products of a network's curvature with a vector: R, the derivative d/dε at W + εV and b + εc.

What does not depend on the vector, the :class:`Point`, is found once; each product then goes from
the first layer to the last and back (Pearlmutter 1994; Schraudolph 2002).
"""

from typing import NamedTuple

import numpy as np

from .activations import ACTIVATIONS, flush, output, softmax_product


class Point(NamedTuple):
    """What the products at one point share, for some rows: (m, n) arrays, from the first layer."""

    A: list  #: each layer's inputs, and Z of the last
    P: object  #: the softmax, (m, classes)
    slopes: list  #: σ' of each layer's inputs; None of the data, here and below
    D: list  #: ∂L/∂Z of each layer
    bends: list  #: σ'' of each layer's inputs times ∂L/∂A, A those inputs
    ones: object  #: (m,): a sum over the rows is a product with them, in half the time


def linearize(net, layers, X, y, exact=True):
    """The :class:`Point` of the :class:`~soo_lib.losses.Network` ``net`` at ``layers``.

    ``layers`` is a list of (W, b), ``X``, (m, n_in), and ``y``, (m,), some of the data.
    D below the last layer and bends are None unless ``exact``: only the Hessian needs them.
    """
    _, first, second = ACTIVATIONS[net.activation]
    A = net.forward(layers, X)
    slopes = [None, *map(first, A[1:-1])]
    D, bends = [None] * len(layers), [None] * len(layers)
    D[-1], P = output(A[-1], y)
    for layer in reversed(range(1, len(layers) if exact else 1)):
        G = D[layer] @ layers[layer][0].T  # eq. 26
        bends[layer] = second(A[layer], slopes[layer])
        bends[layer] *= G
        G *= slopes[layer]
        D[layer - 1] = flush(G)  # eq. 27
    return Point(A, P, slopes, D, bends, np.ones(len(X), X.dtype))


def _forward_tangent(layers, tangents, point):
    """R{Z} of each layer and R{A} of its inputs."""
    RZ, RA = [], [None]  # the data do not move
    for layer, ((W, _), (V, c)) in enumerate(zip(layers, tangents, strict=True)):
        R = point.A[layer] @ V
        R += c
        if layer:
            RA.append(point.slopes[layer] * RZ[-1])
            R += RA[-1] @ W
        RZ.append(R)
    return RZ, RA


def hessian_product(net, layers, tangents, point, product):
    """R of :meth:`~soo_lib.losses.Network.backward`, line by line: the exact Hessian's product.

    ``layers``, ``tangents`` and ``product``, to which it is added, are lists of (W, b) of ``net``;
    ``point`` comes from :func:`linearize`.
    """
    RZ, RA = _forward_tangent(layers, tangents, point)
    RD = softmax_product(point.P, RZ[-1])
    for layer in reversed(range(len(layers))):
        (W, _), (V, _), (dW, db), D = layers[layer], tangents[layer], product[layer], point.D[layer]
        dW += point.A[layer].T @ RD
        db += point.ones @ RD
        if layer:
            dW += RA[layer].T @ D
            RG = RD @ W.T
            RG += D @ V.T
            RG *= point.slopes[layer]
            RZ[layer - 1] *= point.bends[layer]
            RG += RZ[layer - 1]
            RD = flush(RG)


def gauss_newton_product(net, layers, tangents, point, product):
    """The same with Z's tangent in the parameters in Z's place: the Gauss-Newton matrix's product.

    ``net``, ``layers``, ``tangents``, ``point`` and ``product`` as in :func:`hessian_product`.
    """
    RZ, _ = _forward_tangent(layers, tangents, point)
    net.backward(layers, point.A, softmax_product(point.P, RZ[-1]), product)
