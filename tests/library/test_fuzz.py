"""Whatever is handed to a public function: an answer, or an error that says what is wrong.

No other exception, no warning, no hang. Some seconds here; for ten minutes and other examples:

    pytest tests/library/test_fuzz.py --hypothesis-profile=long
"""

import inspect
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soo_lib import checks, datasets, losses
from soo_lib import cluster as distributed
from soo_lib.book import hints, records
from soo_lib.losses import Logistic, Loss, Network, Rosenbrock

# By name: a package shows the function of the same name in a module's place.
NAMES = (
    "checks cluster gradient_test losses.base losses.rosenbrock losses.logistic losses.network "
    "losses.activations losses.products losses.blocks losses.batches losses.preconditioned "
    "curvature.layers curvature.kronecker curvature.preconditioners curvature.spectrum "
    "curvature.signs solvers.minimize solvers.directions solvers.line_search solvers.stop "
    "solvers.refresh stochastic.minimize "
    "stochastic.schedules stochastic.rules stochastic.layer_rules datasets.load"
)
MODULES = [*map(import_module, (f"soo_lib.{name}" for name in NAMES.split())), records]


class everything:
    """All names of some modules as attributes."""

    def __init__(self, *names):
        for name in names:
            vars(self).update(vars(import_module(f"soo_lib.{name}")))


activations, network = everything("losses.activations"), everything("losses.network")
strips, tangents = everything("losses.blocks"), everything("losses.products")
means = sampling = everything("losses.batches")
precondition = everything("losses.preconditioned", "curvature.preconditioners")
lanczos = spectrum = everything("curvature.spectrum")
curvature = everything("curvature.layers", "curvature.kronecker")
roots, signs = everything("curvature.kronecker"), everything("curvature.signs")
solvers = everything("solvers.scipy", "solvers.minimize")
directions, line_search = everything("solvers.directions"), everything("solvers.line_search")
refresh, stuck = everything("solvers.refresh"), everything("solvers.stop")
stochastic = everything("stochastic.schedules", "stochastic.minimize")
rules, layer_rules = everything("stochastic.rules"), everything("stochastic.layer_rules")
gradient_test = everything("gradient_test")
Recorder = everything("solvers.recorder").Recorder

# ---- what comes in: now and then what is asked for, else anything at all

numbers = st.one_of(
    st.floats(), st.integers(-3, 30), st.sampled_from([0.0, 1e-320, 1e308, 10**400, -(10**30)])
)
shapes = st.sampled_from([(), (0,), (2,), (3,), (5, 2), (2, 2, 2)])
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.complex_numbers(),
    numbers,
    st.just(object()),
    st.lists(numbers, max_size=4),
    st.just([[1, 2], [3]]),
    st.dictionaries(st.text(), numbers),
    arrays(st.sampled_from([float, int, bool, complex, "U1", np.float32]), shapes),
    arrays(object, shapes, elements=st.one_of(numbers, st.none(), st.text(max_size=3))),
)
wild = st.floats(width=64)  # NaN and infinities among them
mild = st.floats(-5, 5)


def mostly(good):
    return st.one_of(good, good, good, odd)


def vectors(shape):
    return mostly(st.one_of(*(arrays(float, shape, elements=e) for e in (mild, wild))))


def tables(m, n):
    return vectors((m, n))


counts = mostly(st.integers(1, 40))
matrices = mostly(tables(3, 3).map(lambda A: A / 2 + A.T / 2 if np.shape(A) == (3, 3) else A))
labels = mostly(arrays(int, 5, elements=st.integers(0, 1)))
shares = mostly(st.floats(0.01, 0.99))

X = np.array([[1, 0.3, -2], [1, 2, 0.5], [1, -1, 1], [1, 0.2, 3], [1, -2, -0.7]])
Y = np.array([0, 1, 1, 0, 1])
NET = Network([3, 2, 2])
LOSSES = {
    "rosenbrock": Rosenbrock(),
    "l2": losses.L2(3, 0.1),
    "logistic": Logistic(X, Y, l2=0.1),
    "separable": Logistic(X[:3], Y[:3]),
    "network": NET.loss(X, Y, l2=0.01),
    "relu": Network([3, 2, 2], activation="relu").loss(X, Y),
    "float32": NET.loss(X, Y, dtype=np.float32),
    "batched": sampling.Batched(Logistic(X, Y), [[0, 1, 2], [3, 4]], weights="rows"),
    "reshuffled": sampling.Reshuffled(Logistic(X, Y), 2, 2),
}


def product_of_rows(multiply, loss, x, p):
    point = tangents.linearize(loss.net, loss.layers(x), loss.X, loss.y)
    product = loss.net.unpack(np.zeros(loss.n_params, loss.dtype))
    multiply(loss.net, loss.layers(x), loss.layers(p, "p"), point, product)


class Broken(Loss):
    """A loss that returns whatever it is told to."""

    def __init__(self, value, gradient):
        self.value, self.gradient, self.n_params = value, gradient, 2

    def fun(self, x):
        return self.value

    def jac(self, x):
        return self.gradient


class Drawn:
    """What hypothesis draws, and whether a number among it, or one over it, is beyond 1e12."""

    def __init__(self, data):
        self.data, self.extreme = data, False

    def draw(self, strategy, label=None):
        value = self.data.draw(strategy, label)
        try:
            sizes = np.abs(np.asarray(value, dtype=complex))
            self.extreme |= not ((sizes < 1e12) & ((sizes == 0) | (sizes > 1e-12))).all()
        except (ValueError, TypeError, OverflowError):
            pass
        return value


def survives(call, data, *allowed):
    """The call returns, or refuses in words; in time, and without a warning."""
    drawn = Drawn(data)
    try:
        with hints.time_limit():
            call(drawn)
    except (ValueError, TypeError, *allowed) as error:
        assert str(error).strip()
    except RuntimeWarning as warning:
        # numpy's word for a loss beyond the floating-point numbers is the caller's to hear
        assert drawn.extreme and "encountered in" in str(warning), warning


kinds = mostly(st.sampled_from(curvature.CURVATURES))
batches = mostly(st.lists(mostly(arrays(int, 2, elements=st.integers(-1, 5))), max_size=3))
seeds = mostly(st.integers(0, 9))
choices = st.sampled_from


def draws(d, **strategies):
    return {name: d.draw(strategy, label=name) for name, strategy in strategies.items()}


def at_x(function, names=tuple(LOSSES), vectors_=1, **more):
    """Call with a loss and vectors of its length."""

    def call(d):
        loss = LOSSES[d.draw(choices(list(names)), label="loss")]
        xs = [d.draw(vectors(loss.n_params)) for _ in range(vectors_)]
        return function(loss, *xs, **draws(d, **more))

    return call


def on_net(function, vectors_=1, **more):
    return at_x(function, ["network", "relu", "float32"], vectors_, **more)


def broken(d):
    return Broken(d.draw(st.floats()), d.draw(vectors(2)))


LOGISTIC, MEAN = LOSSES["logistic"], LOSSES["batched"]
RAY = line_search.Ray(LOSSES["l2"], np.ones(3), 0.15, np.full(3, 0.1), -np.ones(3))
SOLVE = {
    "method": mostly(choices([*solvers.OWN, *solvers.SCIPY])),
    "line_search": st.one_of(st.none(), choices(list(line_search.LINE_SEARCHES)), odd),
    "maxiter": mostly(st.integers(0, 6)),
    "gtol": mostly(shares),
    "ftol": mostly(shares),
    "step": mostly(st.floats(1e-3, 1e3)),
    "callback": st.one_of(st.none(), odd),
}
BETAS = [
    directions.fletcher_reeves,
    directions.polak_ribiere,
    directions.polak_ribiere_plus,
    directions.hestenes_stiefel,
    directions.dai_yuan,
]
KINDS = "adagrad_diagonal", "martens", "exact_diagonal", "layer_cholesky", "kronecker_cholesky"


def kind(name):
    return on_net(getattr(precondition, name), damping=mostly(shares))


def stochastically(rule):
    """A rule by way of the one loop that calls it, now and then with one setting of its own."""
    settings = [*inspect.signature(stochastic.RULES[rule]).parameters]
    one = st.dictionaries(choices(settings), odd, max_size=1) if settings else st.just({})

    def minimize(*loss_and_x, setting, **more):
        return stochastic.minimize_stochastic(*loss_and_x, **more, **setting)

    return at_x(
        minimize,
        ["logistic", "network", "float32"],
        setting=one,
        rule=st.just(rule),
        batch_size=counts,
        epochs=mostly(st.integers(0, 2)),
        seed=seeds,
        step=mostly(shares),
        variance_reduction=odd,
        schedule=st.one_of(st.none(), st.just(stochastic.cosine), odd),
    )


def directed(make):
    """A direction rule: its first direction, a pair, and the next direction."""

    def call(d):
        g, other = (d.draw(arrays(float, 3, elements=mild)) for _ in range(2))
        rule = make(d)
        with strips.calm():
            rule(LOGISTIC, g, g)
            rule.update(other, g, other)
            return rule(LOGISTIC, other, other)

    return call


def recorded():
    recorder = Recorder(LOGISTIC)
    recorder.row(np.zeros(3), *LOGISTIC.fun_and_jac(np.zeros(3)))
    return recorder


# Each public function and class by its name, and how to call it with what is drawn.
CALLS = {
    "Rosenbrock": lambda d: Rosenbrock(**draws(d, a=odd, b=odd)),
    "L2": lambda d: losses.L2(**draws(d, n_params=counts, l2=odd, mask=vectors(3))),
    "Logistic": lambda d: Logistic(**draws(d, X=tables(5, 3), y=labels, l2=mostly(shares))),
    "Loss": at_x(lambda loss, x: loss.fun_and_jac(x)),
    "Loss.fun": at_x(lambda loss, x: loss.fun(x)),
    "Loss.jac": at_x(lambda loss, x: loss.jac(x)),
    "Loss.hess": at_x(lambda loss, x: loss.hess(x)),
    "Loss.hessp": at_x(lambda loss, x, p: loss.hessp(x, p), vectors_=2),
    "Logistic.subset": lambda d: LOGISTIC.subset(d.draw(batches)),
    "Logistic.predict": lambda d: LOGISTIC.predict(d.draw(vectors(3)), d.draw(tables(5, 3))),
    "as_loss": lambda d: losses.as_loss(d.draw(odd), np.ones(2)),
    "over_data": lambda d: everything("losses.base").over_data(d.draw(odd)),
    "as_number": lambda d: checks.as_number(d.draw(odd), "value", minimum=0),
    "as_real_type": lambda d: checks.as_real_type(d.draw(odd)),
    "from_extra": lambda d: checks.from_extra(d.draw(odd)),
    "as_function": lambda d: checks.as_function(d.draw(odd), "value"),
    "as_real": lambda d: checks.as_real(d.draw(odd), (), "value"),
    "coarser": lambda d: checks.coarser(float, d.draw(st.sampled_from([np.float32, int, "U1"]))),
    "size_of": lambda d: checks.size_of(d.draw(odd)),
    "as_count": lambda d: checks.as_count(d.draw(odd), "value"),
    "as_share": lambda d: checks.as_share(d.draw(odd), "value"),
    "as_one_of": lambda d: checks.as_one_of(d.draw(odd), "value", (True, "a")),
    "as_rng": lambda d: checks.as_rng(d.draw(odd)),
    "as_vector": lambda d: checks.as_vector(d.draw(odd), 2),
    "as_table": lambda d: checks.as_table(d.draw(odd)),
    "as_data": lambda d: checks.as_data(d.draw(tables(5, 3)), d.draw(labels)),
    "take": lambda d: checks.take(X, Y, d.draw(batches)),
    "Network": lambda d: Network(
        d.draw(mostly(st.lists(st.integers(1, 4), min_size=2, max_size=4))),
        d.draw(mostly(choices(list(activations.ACTIVATIONS)))),
    ).init(**draws(d, seed=seeds, scale=mostly(st.just("unit")))),
    "NetworkLoss": lambda d: NET.loss(
        **draws(
            d,
            X=tables(5, 3),
            y=labels,
            l2=mostly(shares),
            penalize_bias=odd,
            dtype=mostly(st.just("float32")),
            scale=mostly(st.just(1.0)),
            shift=odd,
        )
    ).fun_and_jac(np.zeros(NET.n_params)),
    "as_rows": lambda d: strips.as_rows(
        d.draw(mostly(arrays(np.uint8, (5, 3)))), 3, float, **draws(d, scale=shares, shift=shares)
    ),
    "Bytes": lambda d: np.asarray(strips.Bytes(d.draw(arrays(np.uint8, (5, 3))), np.arange(256.0))),
    "Network.unpack": lambda d: NET.unpack(d.draw(vectors(14))),
    "Network.pack": lambda d: NET.pack(d.draw(mostly(st.just(NET.unpack(np.ones(14)))))),
    "Network.predict": lambda d: NET.predict(d.draw(vectors(14)), d.draw(tables(5, 3))),
    "Activation": lambda d: activations.ACTIVATIONS["tanh"].second(
        np.array(d.draw(mild)), np.array(d.draw(mild))
    ),
    "cross_entropy": lambda d: activations.cross_entropy(np.full((5, 2), d.draw(mild)), Y),
    "softmax_product": lambda d: activations.softmax_product(
        np.full((5, 2), d.draw(mild)), X[:, :2]
    ),
    "side_by_side": lambda d: strips.side_by_side(np.sum, [X, Y], d.draw(st.booleans())),
    "average": lambda d: strips.average(
        lambda X, y, total: float(y.sum()), X, Y, 2, d.draw(st.floats(0, 1e9))
    ),
    "product": lambda d: strips.product(X * d.draw(mild), X.T, X),
    "flush": lambda d: activations.flush(np.array([d.draw(mild)])),
    "check_memory": lambda d: checks.check_memory(d.draw(st.integers(0, 10**9)), "it"),
    "layer_hessians": on_net(curvature.layer_hessians, curvature=kinds),
    "hessian_diagonal": on_net(curvature.hessian_diagonal, curvature=kinds),
    "backward_hessians": on_net(
        lambda *a, **k: list(curvature.backward_hessians(*a, **k)), curvature=kinds
    ),
    "ggn_product": on_net(curvature.ggn_product, vectors_=2),
    "linearize": on_net(
        lambda loss, x: tangents.linearize(loss.net, loss.layers(x), loss.X, loss.y)
    ),
    "Point": lambda d: tangents.Point([], d.draw(mild), [], [], [], []),
    "hessian_product": on_net(lambda *a: product_of_rows(tangents.hessian_product, *a), vectors_=2),
    "gauss_newton_product": on_net(
        lambda *a: product_of_rows(tangents.gauss_newton_product, *a), vectors_=2
    ),
    "kronecker_factors": on_net(curvature.kronecker_factors),
    "layer_signs": on_net(signs.layer_signs),
    "LayerSigns": lambda d: signs.LayerSigns([], [], 0.0, 0.0),
    "smallest_eigenvalue": at_x(signs.smallest_eigenvalue, seed=seeds),
    "symmetric": lambda d: lanczos.symmetric(3, lambda p: d.draw(mild) * p) @ np.ones(3),
    "as_symmetric": lambda d: lanczos.as_symmetric(d.draw(matrices)) @ np.ones(3),
    "rejected": lambda d: lanczos.rejected(np.full(3, d.draw(mild)), np.eye(2, 3)),
    "quadrature": lambda d: lanczos.quadrature(
        d.draw(matrices), **draws(d, v=vectors(3), steps=counts)
    ),
    "operator": at_x(
        lambda *a, **k: spectrum.operator(*a, **k) @ np.ones(len(a[1])),
        curvature=mostly(choices(["exact", "ggn", "layers", "kronecker"])),
    ),
    "extreme_eigenvalues": lambda d: spectrum.extreme_eigenvalues(
        d.draw(matrices), **draws(d, k=counts, tol=shares, products=counts, seed=seeds)
    ),
    "Extremes": lambda d: spectrum.Extremes([], [], []),
    "spectral_density": lambda d: spectrum.spectral_density(
        d.draw(matrices),
        **draws(
            d,
            steps=counts,
            starts=counts,
            width=st.one_of(st.none(), odd),
            points=counts,
            seed=seeds,
        ),
    ),
    "Density": lambda d: spectrum.Density([], [], [], []),
    "trace": lambda d: spectrum.trace(d.draw(matrices), **draws(d, products=counts, seed=seeds)),
    "gradient_test": at_x(gradient_test.gradient_test, seed=seeds),
    "GradientTest": lambda d: repr(gradient_test.gradient_test(broken(d), d.draw(vectors(2)))),
    "partition": lambda d: sampling.partition(**draws(d, m=counts, batch_size=counts, seed=seeds)),
    "draw": lambda d: sampling.draw(
        **draws(d, m=counts, batch_size=counts, n_batches=counts, seed=seeds)
    ),
    "Mean": lambda d: MEAN.fun_and_jac(d.draw(vectors(3))),
    "value": lambda d: means.value(LOGISTIC, "jac", d.draw(vectors(3))),
    "plus": lambda d: means.plus((1.0, [np.ones(2)]), (d.draw(mild), [np.zeros(2)])),
    "times": lambda d: means.times(d.draw(mild), (1.0, [np.ones(2)])),
    "Part": lambda d: distributed.Part(d.draw(odd), (1, 2)).loss,
    "Distributed": lambda d: distributed.Distributed(
        **draws(d, build=mostly(st.just(Logistic)), specs=mostly(st.just([(X, Y)])), client=odd)
    ),
    "Batched": lambda d: sampling.Batched(
        LOGISTIC, **draws(d, batches=batches, weights=mostly(st.just("rows")))
    ),
    "Reshuffled": lambda d: sampling.Reshuffled(
        LOGISTIC, **draws(d, batch_size=counts, n_batches=counts, seed=seeds)
    ),
    "rounding": at_x(
        lambda loss, x, g: stuck.rounding(np.ravel(x), 1.0, np.ravel(g), float), vectors_=2
    ),
    "judge": lambda d: gradient_test.judge(
        LOGISTIC, X[0], *LOGISTIC.fun_and_jac(X[0]), d.draw(arrays(float, 3, elements=mild))
    ),
    "explain": lambda d: stuck.explain(
        SimpleNamespace(x=d.draw(vectors(3))), LOGISTIC.fun, LOGISTIC.jac
    ),
    "Criteria": lambda d: stuck.Criteria(3, callback=d.draw(odd)),
    "Reason": lambda d: stuck.Reason(stuck.Status.SCALE, ""),
    "Status": lambda d: d.draw(st.sampled_from(list(stuck.Status))).success,
    "why_no_decrease": lambda d: stuck.why_no_decrease(
        LOGISTIC, X[0], *LOGISTIC.fun_and_jac(X[0]), d.draw(arrays(float, 3, elements=mild))
    ),
    **{
        beta.__name__: at_x(
            solvers.minimize,
            method=st.just("nlcg"),
            beta=st.just(beta),
            maxiter=mostly(st.integers(0, 6)),
        )
        for beta in BETAS
    },
    "powell": at_x(
        lambda loss, x, beta, nu: solvers.minimize(
            loss, x, "nlcg", maxiter=4, beta=directions.powell(beta, nu)
        ),
        beta=mostly(choices(BETAS)),
        nu=mostly(shares),
    ),
    "Gradient": directed(lambda d: directions.Gradient()),
    "Newton": directed(lambda d: directions.Newton()),
    "NonlinearCG": directed(lambda d: directions.NonlinearCG(d.draw(mostly(choices(BETAS))))),
    "LBFGS": directed(lambda d: directions.LBFGS(d.draw(counts))),
    "BFGS": directed(lambda d: directions.BFGS()),
    "curvature_floor": lambda d: directions.curvature_floor(
        *(d.draw(arrays(float, 3, elements=mild)) for _ in range(3))
    ),
    "fixed": lambda d: line_search.fixed()(RAY, d.draw(mild)),
    "backtracking": lambda d: line_search.backtracking(
        **draws(d, c1=shares, shrink=shares, max_trials=counts)
    )(RAY, d.draw(shares)),
    "wolfe": lambda d: line_search.wolfe(**draws(d, c1=shares, c2=shares, max_trials=counts))(
        RAY, d.draw(st.floats(0.01, 99))
    ),
    "trust": lambda d: line_search.trust()(RAY, d.draw(mild)),
    "Ray": lambda d: RAY.at(d.draw(mild)),
    "Step": lambda d: RAY.step(d.draw(mild)),
    "minimize": at_x(solvers.minimize, **SOLVE),
    "hessian-free": at_x(
        solvers.minimize,
        method=st.just("hessian-free"),
        maxiter=mostly(st.integers(0, 6)),
        warm=shares,
        backtrack=odd,
        preconditioner=mostly(
            choices([None, lambda x, damping: np.full(len(x), damping), lambda x, damping: x])
        ),
    ),
    "minimize of a broken loss": lambda d: solvers.minimize(
        broken(d), d.draw(vectors(2)), **draws(d, **SOLVE)
    ),
    "calm": lambda d: strips.calm(),
    "as_result": lambda d: solvers.as_result(
        recorded(), d.draw(st.sampled_from([stuck.Status.SCALE, stuck.Status.KINK])).because()
    ),
    "squared_gradients": on_net(curvature.squared_gradients),
    "output": lambda d: activations.output(np.full((5, 2), d.draw(mild)), Y),
    "Batch": lambda d: stochastic.Batch(LOGISTIC, np.arange(3)).fun_and_jac(d.draw(vectors(3))),
    "Preconditioned": lambda d: precondition.Preconditioned(
        LOGISTIC, d.draw(st.one_of(vectors(3), tables(3, 3)))
    ).fun_and_jac(d.draw(vectors(3))),
    **{name: kind(name) for name in KINDS},
    "damped": lambda d: precondition.damped(np.eye(2), np.eye(3), d.draw(shares)),
    "shifts": lambda d: precondition.shifts(np.eye(2), np.eye(3), d.draw(shares)),
    "minimize_refreshed": on_net(
        refresh.minimize_refreshed,
        kind=st.just(precondition.exact_diagonal),
        every=counts,
        rows=st.one_of(st.none(), counts),
        seed=seeds,
        maxiter=mostly(st.integers(0, 6)),
    ),
    "as_schedule": lambda d: stochastic.as_schedule(d.draw(odd), "schedule"),
    "constant": lambda d: stochastic.constant(d.draw(shares)),
    "cosine": lambda d: stochastic.cosine(d.draw(st.floats(0, 1))),
    "warm_up": lambda d: stochastic.warm_up(
        **draws(d, share=shares, then=mostly(st.just(stochastic.cosine)))
    )(d.draw(st.floats(0, 0.99))),
    "newton_schulz": lambda d: layer_rules.newton_schulz(np.full((3, 2), d.draw(mild))),
    "matrix_root": lambda d: layer_rules.matrix_root(
        np.diag([1.0, d.draw(mild)]), 4, d.draw(st.floats(0, 1))
    ),
    "matrices": lambda d: layer_rules.matrices(d.draw(choices([LOGISTIC, NET]))),
    "ekfac_factors": on_net(
        lambda loss, x: roots.ekfac_factors(loss, x, curvature.kronecker_factors(loss, x))
    ),
    "backward_roots": on_net(
        lambda loss, x: list(roots.backward_roots(loss.net, loss.layers(x), loss.X, loss.y))
    ),
    "minimize_stochastic": stochastically("nesterov"),
    **{f"{name}, by batches": stochastically(name) for name in stochastic.RULES},
    "make_two_class": lambda d: datasets.make_two_class(
        **draws(d, seed=odd, n_train=mostly(st.integers(6, 40)), n_val=mostly(st.integers(6, 9)))
    ),
    "load_digits": lambda d: datasets.load_digits(
        **draws(d, n_train=mostly(st.integers(1, 1796)), seed=odd, standardize=odd)
    ),
    "load_fashion_mnist": lambda d: datasets.load_fashion_mnist(
        **draws(d, n_train=st.one_of(st.none(), odd), n_dev=odd, seed=st.just(-1))
    ),
    "keeper": lambda d: records.keeper(d.draw(st.text())),
    "load_record": lambda d: records.load_record(d.draw(mostly(st.just("fig1"))), "book/results"),
    "table": lambda d: records.table(["a"], [[d.draw(odd)]]),
}
# Documented: a matrix over the budget; a build that fails on a worker.
ALLOWED = {"check_memory": MemoryError, "Part": RuntimeError}
hints.SECONDS = 30  # for one example, drawing included, on a machine that does other things too
EXAMPLES = settings.default.max_examples if settings.default.max_examples > 100 else 15


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_anything_goes_in_and_a_reason_comes_out(name, data):
    survives(CALLS[name], data, *([ALLOWED[name]] if name in ALLOWED else []))


def test_every_public_function_is_here():
    by_batches = {f"{name}, by batches": name for name in stochastic.RULES}
    public = {
        name
        for module in MODULES
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(thing) or inspect.isclass(thing))
        and thing.__module__ == module.__name__
    }
    called = {by_batches.get(name, name) for name in CALLS}
    assert public <= called, public - called
