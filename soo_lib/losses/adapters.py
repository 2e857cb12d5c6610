"""Your own model as a loss: PyTorch modules and JAX functions on one flat vector.

The other library evaluates the model; the means over the rows, a block at a time, are taken here.
The parameters have the order of :class:`~soo_lib.losses.Network`: a weight of two or more
dimensions is a matrix (n_in, n_out), row-major, with a column for each unit. So PyTorch's weights,
(n_out, n_in), are transposed; n_in of a convolution is channels times height times width.
"""

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from ..checks import as_function, as_real_type, as_vector, check_memory, from_extra, take
from .base import Loss
from .blocks import BLOCK


@dataclass(repr=False, eq=False)
class Adapted(Loss):
    """A loss that another library evaluates: what :func:`from_torch` and :func:`from_jax` return.

    Its kernels are functions of ``x`` as ``tensor`` makes it, of a vector to multiply where there
    is one, and of a block of each array of ``data``. They return means over the block, in float64:
    the loss; the loss and its gradient, a pair; products (Pearlmutter 1994; Schraudolph 2002).
    """

    value: Callable  #: the kernel of the loss
    gradient: Callable  #: that of the loss and its gradient
    hessian: Callable  #: that of the Hessian's product
    gauss_newton: Callable | None  #: that of the Gauss-Newton matrix's product
    factors: Callable | None  #: each layer's Kronecker factors, of ``x`` and all of ``data``
    tensor: Callable  #: a float64 vector in the other library's precision, on its device
    data: tuple  #: arrays whose first index is the sample
    x0: np.ndarray  #: the model's own parameters, (n_params,)
    parts: list  #: of each parameter its name, its first place in ``x``, its matrix shape or (n,)
    write: Callable  #: puts ``x``, (n_params,), back into the model, and returns that
    dtype: type  #: the precision inside the model

    def __post_init__(self):
        self.n_params, self.n_samples = len(self.x0), len(self.data[0])

    @property
    def named_layers(self):
        """Each layer, which is what owns parameters of its own: pairs (name, slice of ``x``)."""
        found = []
        for name, group in groupby(self.parts, lambda part: part[0].rpartition(".")[0]):
            _, starts, shapes = zip(*group)
            found.append((name, slice(starts[0], starts[-1] + int(np.prod(shapes[-1])))))
        return found

    @property
    def layer_slices(self):
        """Where each layer's parameters lie in ``x``: slices that follow one another."""
        return [part for _, part in self.named_layers]

    @property
    def matrices(self):
        """Where the weights lie that are matrices: pairs (slice, (n_in, n_out))."""
        found = [(start, shape) for _, start, shape in self.parts if len(shape) == 2]
        return [(slice(start, start + n * m), (n, m)) for start, (n, m) in found]

    def subset(self, rows):
        """The same loss on some ``rows``, a list of integers."""
        index = np.arange(self.n_samples)
        _, rows = take(index[:, None], index, rows)
        return replace(self, data=tuple(part[rows] for part in self.data))

    def fun(self, x):
        return float(self._mean(self.value, x)[0])

    def jac(self, x):
        return self.fun_and_jac(x)[1]

    def fun_and_jac(self, x):
        f, g = self._mean(self.gradient, x)
        return float(f), g

    def hessp(self, x, p):
        return self._mean(self.hessian, x, p)[0]

    def ggnp(self, x, p):
        """JᵀH_L J times ``p``: J is the derivative of the outputs, H_L the criterion's Hessian.

        It is positive semi-definite where the criterion is convex in the outputs.
        """
        if self.gauss_newton is None:
            words = "must be told to from_jax for products with the Gauss-Newton matrix"
            raise ValueError(f"model_and_criterion {words}; got None")
        return self._mean(self.gauss_newton, x, p)[0]

    def hess(self, x):
        """All second derivatives, by n_params products; MemoryError over 2 GB."""
        check_memory(self.n_params, "the Hessian")
        H = np.stack([self.hessp(x, p) for p in np.eye(self.n_params)])
        return 0.5 * (H + H.T)  # equal up to rounding; exactly so for eigensolvers

    def kronecker_factors(self, x):
        """A pair (A, G) for each layer, as :func:`soo_lib.curvature.kronecker_factors` gives it."""
        if self.factors is None:
            raise ValueError("loss must be from_torch's for Kronecker factors; got from_jax's")
        return self.factors(as_vector(x, self.n_params), *self.data)

    def _mean(self, kernel, *vectors):
        """The means over all rows of what ``kernel`` finds in each block of them."""
        vectors = [self.tensor(as_vector(v, self.n_params, n)) for v, n in zip(vectors, "xp")]
        total = []
        for i in range(0, self.n_samples, BLOCK):
            block = [part[i : i + BLOCK] for part in self.data]
            found = kernel(*vectors, *block)
            for part in found:
                part *= len(block[0]) / self.n_samples  # in place: they may be long
            total = [np.add(*pair, out=pair[0]) for pair in zip(total, found)] or found
        return total


def from_torch(module, criterion, X, y, dtype="float64", device=None):
    """A PyTorch module and a criterion on data, as a loss with products and layers.

    Parameters
    ----------
    module : torch.nn.Module
        Returns one tensor. It is copied, and changed by ``loss.write(x)`` alone. Frozen parameters
        stay as they are, and one that is shared counts once.
    criterion : callable
        ``criterion(module(X), y)`` is the mean over the rows, as that of
        ``torch.nn.CrossEntropyLoss()`` without class weights.
    X : (m, n) array or tensor, or one of more dimensions
        Samples. Real numbers are taken in ``dtype``, whole ones as int64.
    y : (m,) array or tensor, or one of more dimensions
        Labels or targets, as ``criterion`` takes them.
    dtype : {"float64", "float32"}
        The precision inside the module, numpy's or PyTorch's. What a solver sees is float64.
    device : str or torch.device, optional
        Where to compute. Unless told, on the GPU where PyTorch sees one, else where the module is.

    Returns
    -------
    Adapted
        A loss with ``x0``, ``write(x)``, ``layer_slices`` and ``named_layers``, and with
        ``matrices``, which leave embeddings out.

    Raises
    ------
    ValueError
        For a module without parameters, with NaN in one or with several devices, or with dropout or
        batch statistics in training mode, which draw the loss anew; for a criterion that returns no
        mean; for labels of the wrong kind.

    Notes
    -----
    Products go twice backward through the graph (Pearlmutter 1994; Schraudolph 2002): more of
    PyTorch's operations have that than forward over reverse, which took 1.4 to 1.6 times as long.
    cuDNN's recurrent layers have neither; attention is taken by its formula and not by the fused
    kernels, which have neither.

    Examples
    --------
    ::

        loss = from_torch(net, torch.nn.CrossEntropyLoss(), X, y)
        run = minimize(loss, loss.x0, "lbfgs")
        loss.write(run.x)
    """
    with from_extra("torch"):
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

    own = _trainable(torch, module)
    dtype = as_real_type(str(dtype)[6:] if isinstance(dtype, torch.dtype) else dtype)
    device = device or ("cuda" if torch.cuda.is_available() else next(module.parameters()).device)
    to = {"dtype": getattr(torch, dtype.__name__), "device": device}
    model, criterion = copy.deepcopy(module).to(**to), as_function(criterion, "criterion")
    if isinstance(criterion, torch.nn.Module):
        criterion = copy.deepcopy(criterion).to(**to)
    sizes = [p.numel() for p in own.values()]
    starts = np.cumsum([0, *sizes]).tolist()

    def pack(parameters):
        return torch.cat([(p.flatten(1).T if p.ndim > 1 else p).ravel() for p in parameters])

    def unpack(t):
        pairs = zip(own.items(), t.split(sizes))
        return {
            name: (part.view(-1, len(p)).T if p.ndim > 1 else part).reshape(p.shape)
            for (name, p), part in pairs
        }

    def outputs(t, X):
        return torch.func.functional_call(model, unpack(t), (X,))

    def grad(f, t, *v, **how):
        found = torch.autograd.grad(f, t, *v, **how) if f.requires_grad else [torch.zeros_like(t)]
        return found[0]

    def host(found):
        return found.detach().cpu().double().numpy()

    def value(t, X, y):
        with torch.no_grad():
            return [host(criterion(outputs(t, X), y))]

    def gradient(t, X, y):
        f = criterion(outputs(t.requires_grad_(), X), y)
        return host(f), host(grad(f, t))

    def hessian(t, v, X, y):
        with sdpa_kernel(SDPBackend.MATH):
            f = criterion(outputs(t.requires_grad_(), X), y)
            g = grad(f, t, create_graph=True)
            return [host(grad(g, t, v))]  # ∂(gᵀv)/∂x

    def gauss_newton(t, v, X, y):
        with sdpa_kernel(SDPBackend.MATH):
            z = outputs(t.requires_grad_(), X)
            u = torch.zeros_like(z, requires_grad=True)
            JTu = grad(z, t, u, create_graph=True)
            Jv = grad(JTu, u, v, retain_graph=True)  # Jᵀu is linear in u
            at = z.detach().requires_grad_()
            HJv = grad(grad(criterion(at, y), at, create_graph=True), at, Jv)
            return [host(grad(z, t, HJv))]

    def write(x, to=module):
        x, places = as_vector(x, starts[-1], finite=True), dict(to.named_parameters())
        with torch.no_grad():
            for name, part in unpack(torch.tensor(x)).items():
                places[name].copy_(part)
        return to

    def factors(x, X, y):
        places = dict(write(x, model).named_parameters())
        data = list(zip(X.split(BLOCK), y.split(BLOCK)))
        found = _curvlinops(model, criterion, [places[name] for name in own], data)
        return [tuple(host(F[name]) for F in found) for name, _ in loss.named_layers]

    X, y = _as_tensor(torch, X, "X", to), _as_tensor(torch, y, "y", to)
    if len(X) != len(y):
        raise ValueError(f"y must have a row for each of X's {len(X)}; got {len(y)}")
    x0 = host(pack(own.values()))
    with _asked("module must take X"), torch.no_grad():
        z = outputs(torch.tensor(x0, **to), X[:BLOCK])
    loss = Adapted(
        value=value,
        gradient=gradient,
        hessian=hessian,
        gauss_newton=gauss_newton,
        factors=factors,
        tensor=lambda x: torch.tensor(x, **to),
        data=(X, _as_targets(torch, criterion, z, y)),
        x0=x0,
        parts=[(n, i, _shape(torch, module, n, p)) for (n, p), i in zip(own.items(), starts)],
        write=write,
        dtype=dtype,
    )
    return _checked(loss, "criterion")


def from_jax(fun, params, data, model_and_criterion=None):
    """A JAX function of parameters and data, as a loss with products and layers.

    Parameters
    ----------
    fun : callable
        ``fun(params, *data)`` is the mean loss over the rows; it is compiled, once for each number
        of rows that it meets.
    params : pytree
        Arrays, in float32 unless ``jax.config.update("jax_enable_x64", True)`` came first.
        An array of two or more dimensions is a matrix whose last dimension are the units, as
        Flax's kernels. A layer is what holds arrays directly: a dictionary or a tuple of them.
    data : tuple of (m,) arrays, or of (m, n) or more dimensions
        What ``fun`` takes besides.
    model_and_criterion : pair of callables, optional
        For products with the Gauss-Newton matrix: ``criterion(model(params, *data[:-1]),
        data[-1])`` is ``fun(params, *data)``.

    Returns
    -------
    Adapted
        A loss with ``x0``, ``write(x)``, which returns a pytree as ``params`` is one,
        ``layer_slices``, ``named_layers`` and ``matrices``.

    Raises
    ------
    ValueError
        For no parameters, NaN in one, a ``fun`` that is no mean over the rows or draws it anew.

    Notes
    -----
    Products go forward over reverse (Pearlmutter 1994; Schraudolph 2002).
    """
    with from_extra("jax"):
        import jax
        from jax.flatten_util import ravel_pytree

    as_function(fun, "fun")
    parts, start = [], 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name, shape = jax.tree_util.keystr(path, simple=True, separator="."), np.shape(leaf)
        if not np.isfinite(np.asarray(leaf, float)).all():
            raise ValueError(f"params must be finite; got NaN or infinite values in {name!r}")
        n, units = np.size(leaf), shape[-1] if len(shape) > 1 else 1
        parts.append((name, start, (n // units, units) if len(shape) > 1 else (n,)))
        start += n
    if not start:
        raise ValueError(f"params must hold numbers to be optimised; got {params!r}")
    x0, unravel = ravel_pytree(params)
    data = tuple(jax.numpy.asarray(part) for part in data)
    if not data or len({part.shape[:1] for part in data}) > 1 or not data[0].ndim:
        shapes = [part.shape for part in data]
        raise ValueError(f"data must be arrays with as many rows each; got the shapes {shapes}")

    @jax.jit
    def value(t, *data):
        return fun(unravel(t), *data)

    @jax.jit
    def hessian(t, v, *data):
        return jax.jvp(lambda t: jax.grad(value)(t, *data), (t,), (v,))[1]

    @jax.jit
    def gauss_newton(t, v, *data):
        model, criterion = model_and_criterion

        def outputs(t):
            return model(unravel(t), *data[:-1])

        z, Jv = jax.jvp(outputs, (t,), (v,))
        _, HJv = jax.jvp(jax.grad(lambda z: criterion(z, data[-1])), (z,), (Jv,))
        return jax.vjp(outputs, t)[1](HJv)[0]

    def host(kernel):
        return lambda *given: [np.array(part, float) for part in kernel(*given)]

    def alone(kernel):
        return host(lambda *given: [kernel(*given)])

    loss = Adapted(
        value=alone(value),
        gradient=host(jax.jit(jax.value_and_grad(value))),
        hessian=alone(hessian),
        gauss_newton=alone(gauss_newton) if model_and_criterion else None,
        factors=None,
        tensor=lambda x: jax.numpy.asarray(x, x0.dtype),
        data=data,
        x0=np.array(x0, float),
        parts=parts,
        write=lambda x: unravel(jax.numpy.asarray(as_vector(x, start), x0.dtype)),
        dtype=x0.dtype.type,
    )
    return _checked(loss, "fun")


def _trainable(torch, module):
    """The parameters of ``module`` that are not frozen, by name, once nothing speaks against it."""
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"module must be a torch.nn.Module; got {module!r}")
    own = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not own:
        raise ValueError(f"module must have parameters that require a gradient; got {module!r}")
    devices = {p.device: name for name, p in module.named_parameters()}
    if len(devices) > 1:
        places = ", ".join(f"{name} on {device}" for device, name in devices.items())
        raise ValueError(f"module must be on one device; got {places}")
    for name, p in [*module.named_parameters(), *module.named_buffers()]:
        if p.is_complex() or not p.isfinite().all():
            raise ValueError(f"module must hold finite real numbers; got others in {name!r}")
    draws = torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._BatchNorm
    for name, layer in module.named_modules():
        if layer.training and isinstance(layer, draws):
            raise ValueError(
                "module must be in evaluation mode, by module.eval(), as dropout and batch "
                "statistics draw the loss anew at each call; got the training mode of "
                f"{name!r}, {layer}"
            )
    return own


def _shape(torch, module, name, p):
    """The shape (n_in, n_out) of the parameter ``p`` as a matrix, or (n,) where it is none."""
    owner = module.get_submodule(name.rpartition(".")[0])
    table = isinstance(owner, torch.nn.Embedding | torch.nn.EmbeddingBag)
    return (p[0].numel(), len(p)) if p.ndim > 1 and not table else (p.numel(),)


def _as_tensor(torch, array, name, to):
    """``array`` as a module takes it: whole numbers as int64, others in its precision."""
    with _asked(f"{name} must be an array of numbers"):
        found = torch.as_tensor(array)
    whole = not found.is_floating_point()
    if found.is_complex() or not found.numel() or not (whole or found.isfinite().all()):
        got = f"shape {tuple(found.shape)} of {found.dtype}"
        raise ValueError(f"{name} must be finite real numbers, a row for each sample; got {got}")
    return found.to(to["device"], torch.int64 if whole else to["dtype"])


def _as_targets(torch, criterion, z, y):
    """``y`` as ``criterion`` takes it beside the outputs ``z``; a word where it is another kind."""
    name, nn = type(criterion).__name__, torch.nn
    if not isinstance(z, torch.Tensor) or not z.ndim:
        raise ValueError(f"module must return one tensor, a row for each sample; got {type(z)}")
    if isinstance(criterion, nn.MSELoss | nn.BCEWithLogitsLoss):
        y = y.to(z.dtype)
        if y.shape[1:] != z.shape[1:]:
            need, got = ("(m" + "".join(f", {n}" for n in a.shape[1:]) + ")" for a in (z, y))
            raise ValueError(f"y must have the shape {need} of the outputs for {name}; got {got}")
        if isinstance(criterion, nn.BCEWithLogitsLoss) and not ((y >= 0) & (y <= 1)).all():
            raise ValueError(f"y must lie between 0 and 1 for {name}; got {y.min()} to {y.max()}")
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and y.ndim < z.ndim:
        classes = z.shape[1]
        if y.is_floating_point() or y.min() < 0 or y.max() >= classes:
            need = f"whole numbers from 0 to {classes - 1} for {name}"
            raise ValueError(f"y must hold {need}; got {y.dtype}, {y.min()} to {y.max()}")
    return y


def _curvlinops(model, criterion, parameters, data):
    """The inputs' and the gradients' factors of each layer, by name: KFAC with its exact G."""
    try:
        from curvlinops import KFACLinearOperator
    except ModuleNotFoundError as error:
        words = "a PyTorch module's Kronecker factors come from curvlinops: pip install"
        message = f"{error}; {words} 'curvlinops-for-pytorch==3.0.1'"
        raise ModuleNotFoundError(message, name=error.name) from error
    how = {"fisher_type": "type-2", "separate_weight_and_bias": False, "check_deterministic": False}
    found = KFACLinearOperator(model, criterion, parameters, data, **how)
    found.compute_kronecker_factors()
    state = found.state_dict()
    return state["input_covariances"], state["gradient_covariances"]


@contextmanager
def _asked(must):
    """What another library says against the caller's argument is told as what that ``must`` be."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{must}; got {type(error).__name__}: {error}") from error


def _checked(loss, name):
    """``loss`` itself, if it is one number, the same at each call, and the mean over its rows."""
    half = min(loss.n_samples, BLOCK) // 2
    with _asked(f"{name} must give a loss of the data"):
        some = loss.subset(range(2 * half or 1))
        first, again = (some._mean(loss.value, loss.x0)[0] for _ in range(2))
    if np.ndim(first) or not np.isfinite(first):
        got = f"an array of shape {first.shape}" if np.ndim(first) else first
        raise ValueError(f"{name} must return one finite number, the mean; got {got}")
    halves = [loss.subset(range(i, i + half)).fun(loss.x0) for i in (0, half) if half]
    mean = np.mean(halves or [first])
    error = np.sqrt(np.finfo(loss.dtype).eps) * max(map(abs, [first, *halves]))
    if abs(again - first) > error:
        words = "must be the same at each call, and nothing in it drawn, as by dropout"
        raise ValueError(f"the loss of {name} {words}; got {first:.6g} and {again:.6g}")
    if abs(mean - first) > error:
        words = "must return the mean over the rows, without class weights or batch statistics"
        got = f"{first:.6g} of {2 * half} rows, and {mean:.6g} as the mean of their halves"
        raise ValueError(f"{name} {words}; got {got}")
    return loss
