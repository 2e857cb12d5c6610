"""Draw book/_static/landing.png: the book in one picture, from real runs.

Run ``python -m tools.make_landing`` from the repository's root: two to five minutes. It needs the
full Fashion-MNIST, so that the picture does not depend on where it was made.
"""

from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

from soo_lib import plots
from soo_lib.datasets import load_fashion_mnist
from soo_lib.losses import Network, Rosenbrock
from soo_lib.solvers import minimize

LANDING = Path(__file__).resolve().parent.parent / "book" / "_static" / "landing.png"
NAMES = {"gradient": "gradient descent", "nlcg": "NLCG", "lbfgs": "L-BFGS"}
N_TRAIN, PASSES = 10_000, 100


def descend():
    """Run two solvers in Rosenbrock's valley, 100 iterations at most; return loss and traces."""
    loss = Rosenbrock()
    return loss, {method: minimize(loss, [0, 0], method).trace for method in ("gradient", "newton")}


def train():
    """Run three solvers on photographs of clothes; return traces, an image a class, the network."""
    data = load_fashion_mnist(n_train=N_TRAIN, standardize=False)
    if data.source == "sample":
        raise SystemExit("The full data set is needed: install dataset-fashion-mnist.")
    net = Network([784, 300, 10])
    loss = net.loss(data.X_train, data.y_train, l2=1e-4, dtype=np.float32)
    traces = {}
    for method in ("gradient", "nlcg", "lbfgs"):
        # Every iteration is at least one pass over the images, so PASSES iterations are enough.
        traces[method] = minimize(loss, net.init(0), method, maxiter=PASSES).trace
        print(f"{method:9} {traces[method].seconds[-1]:6.1f} s, loss {traces[method].fun[-1]:.3f}")
    images = [data.X_train[np.argmax(data.y_train == label)] for label in range(10)]
    return traces, np.array(images), net


def draw_valley(ax, loss, traces):
    box = (-0.35, 1.3), (-0.34, 1.26)
    x, y = np.meshgrid(*(np.linspace(*side, 300) for side in box))
    heights = np.log10((loss.a - x) ** 2 + loss.b * (y - x * x) ** 2 + 0.03)
    pale = LinearSegmentedColormap.from_list("pale", ["#FFFFFF", "#C9DCEB"])
    ax.contourf(x, y, heights, levels=40, cmap=pale)
    plots.contours(loss, *box, ax=ax, levels=26)
    plots.path(traces["gradient"], "gradient", ax=ax, ms=5, lw=2)
    plots.path(traces["newton"], "newton", ax=ax, ms=6, lw=2)
    ax.plot(1, 1, "*", color="black", ms=17, zorder=4)
    note(ax, "gradient", "gradient descent,\n{} iterations", traces, -1, (-0.2, 0.68))
    note(ax, "newton", "Newton,\n{} iterations", traces, 7, (0.76, 0.26))
    ax.set(aspect="equal", anchor="N", xticks=[0, 1], yticks=[0, 1], xlabel="", ylabel="")
    ax.set_title("2 parameters, a curved valley", pad=10)


def note(ax, method, text, traces, k, place):
    """Draw a label with a line to iterate k."""
    color = plots.solver_color(method)
    text = text.format(len(traces[method]) - 1)
    ax.annotate(
        text,
        traces[method].x[k],
        place,
        color=color,
        va="center",
        arrowprops={"arrowstyle": "-", "color": color, "shrinkB": 4},
    )


def draw_training(strip, ax, traces, images, net):
    strip.imshow(np.hstack(images.reshape(-1, 28, 28)), cmap="gray_r")
    strip.axis("off")
    strip.set_title(f"{net.n_params:,} parameters, {N_TRAIN:,} photographs", pad=10)
    for method, x, lift in (("gradient", 60, 1.11), ("nlcg", 60, 1.11), ("lbfgs", 60, 0.8)):
        trace, color = traces[method], plots.solver_color(method)
        ax.plot(trace.evaluations, trace.fun, color=color, lw=2.8)
        y = np.interp(x, trace.evaluations, trace.fun) * lift
        ax.text(x, y, NAMES[method], color=color, va="center")
    ax.set(yscale="log", xlim=(0, PASSES), ylim=(0.33, 2.5), ylabel="training loss")
    ax.set_xlabel("passes over the photographs")
    ticks = [0.4, 0.6, 1, 2]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.grid(color="#E4E4E4")


def draw(valley, training):
    look = {
        "font.size": 13.5,
        "axes.titlesize": 15,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(look):
        figure = plt.figure(figsize=(10.4, 4.9), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2))
        draw_valley(left.subplots(), *valley)
        draw_training(*right.subplots(2, 1, height_ratios=(1, 5)), *training)
        figure.savefig(drawn := BytesIO(), dpi=150)
    # A hundred colours are enough for it, and a quarter of the bytes.
    few = Image.open(drawn).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    few.save(LANDING, optimize=True)


if __name__ == "__main__":
    draw(descend(), train())
    print(f"{LANDING}: {LANDING.stat().st_size:,} bytes")
