// The batch: what a solver makes of a sample of the rows, and what becomes of the boundary.

import { COLORS, INKS, MARKS, axes, chart, paint, scale, trail } from "../draw/draw.js";
import { area, clamp, h, image, key, pixels, s, show } from "../draw/elements.js";
import { Batched, Reshuffled, draw, partition } from "../live/losses/batches.js";
import { Logistic } from "../live/losses/logistic.js";
import { uniform } from "../live/random.js";
import { DIRECTIONS } from "../live/solvers/directions.js";
import { LINE_SEARCHES } from "../live/solvers/line_search.js";
import { iterate, minimize } from "../live/solvers/minimize.js";
import { draggable } from "./controls.js";
import { live } from "./live.js";

const MOST = 50; // iterations
const DRAWS = 6; // runs
const GRID = 72; // pixels

const INITIAL = {
  method: "lbfgs",
  line_search: "wolfe",
  step: 1,
  rows: "reshuffled",
  weights: "alike",
  batch_size: 10,
  n_batches: 50,
  seed: 1,
  at: MOST,
  axis: "iterations",
  height: "loss",
};
const STORIES = [
  {
    name: "Fixed is the full loss",
    set: { rows: "fixed", n_batches: 80 },
    say: "Eighty fixed batches of ten share out all the rows. The mean of their losses is the full loss: the two curves are one, six draws are one, and L-BFGS cannot tell.",
  },
  {
    name: "Short batches count too much",
    set: { method: "newton", rows: "fixed", batch_size: 790, n_batches: 80, seed: 2 },
    say: "The last ten rows are a batch of their own, which counts as much as the other 790. Newton converges, to another line. Let each batch count by its rows.",
  },
  {
    name: "Reshuffled breaks the search",
    set: {},
    say: "Other rows at every look. The search compares values of different losses, until every step looks like a step up. Why does one of six draws come through? Luck.",
  },
  {
    name: "Large enough a batch mends it",
    set: { batch_size: 200, n_batches: 1 },
    say: "One batch at each look. Slide its rows up from 200: more and more of the six draws end near the dashed line. How many rows does it take until the run says that it converged?",
  },
  {
    name: "Pairs from two losses",
    set: { line_search: "fixed", step: 0.3, seed: 6, height: "gap" },
    say: "No search, so no values are compared. But the difference of two draws’ gradients passes for curvature, and one bad pair throws L-BFGS far off. Choose fixed batches; or Newton, whose curvature is one draw’s.",
  },
];

/** The loss that a solver is shown; `look` keeps the rows of the latest look at it. */
function sampled(full, { rows, weights, batch_size, n_batches }, seed, look) {
  const m = full.n_samples;
  const count = Math.min(n_batches, Math.ceil(m / batch_size));
  const random = uniform(seed);
  if (rows === "reshuffled")
    return new Reshuffled(
      full,
      batch_size,
      count,
      seed,
      () => (look.rows = draw(m, batch_size, count, random).flat()),
    );
  const batches = partition(m, batch_size, random).slice(0, count);
  look.rows = batches.flat();
  return new Batched(full, batches, weights);
}

function render({ model, el }) {
  const [x1, x2, y] = model.get("points");
  const m = y.length;
  const full = new Logistic(Float64Array.from(y.flatMap((_, i) => [1, x1[i], x2[i]])), y);
  full.why_no_minimum = () => ""; // no line separates all the rows: a test says so, once for all
  const best = minimize(full, [0, 0, 0]);
  const U = Object.assign(scale(-3.4, 5.4), { ticks: [-2, 0, 2, 4] });
  const V = scale(0.1, 160, true);
  const levels = Array.from({ length: 121 }, (_, i) => V.at(i / 120));
  const free = true; // free: no run starts again
  const fields = [
    { name: "method", label: "solver", options: Object.keys(DIRECTIONS) },
    { name: "line_search", label: "step rule", options: Object.keys(LINE_SEARCHES) },
    { name: "rows", label: "sampling", options: ["fixed", "reshuffled"] },
    { name: "seed", label: "draw", min: 0, max: 99, whole: true },
    {
      name: "weights",
      label: "each counts",
      options: ["alike", "rows"],
      words: { rows: "by its rows" },
      when: ({ rows, n_batches }) => rows === "fixed" && n_batches > 1,
    },
    {
      name: "step",
      label: "step",
      min: 1e-3,
      max: 10,
      log: true,
      when: ({ line_search }) => line_search === "fixed",
    },
    {
      name: "batch_size",
      label: "rows in a batch",
      min: 1,
      max: m,
      log: true,
      whole: true,
      mark: ({ rows, n_batches }) =>
        rows === "fixed" && { at: Math.ceil(m / n_batches), text: "all rows" },
    },
    { name: "n_batches", label: "batches", min: 1, max: 80, log: true, whole: true },
    { name: "at", min: 0, max: MOST, whole: true, free },
    {
      name: "height",
      label: "height",
      options: ["loss", "gap"],
      words: { gap: "loss − minimum" },
      free,
    },
    {
      name: "axis",
      label: "axis",
      options: ["iterations", "rows"],
      words: { rows: "rows visited" },
      free,
    },
  ];
  const guess = ([b, w1, w2], u, v) => b + w1 * u + w2 * v; // z: class 1 where it is above 0
  let place;
  let lanes = [];
  let at = [1, 5];

  function build(state) {
    const { method, line_search } = state;
    const step = line_search === "fixed" ? state.step : 1;
    lanes = Array.from({ length: DRAWS }, (_, i) => {
      const look = {};
      const loss = sampled(full, state, state.seed + i, look);
      return {
        look,
        history: [],
        over: "",
        run: iterate(loss, [0, 0, 0], { method, line_search, step, maxiter: MOST, max_trials: 10 }),
      };
    });
  }

  /** One iteration of the first draw that has not ended, the reader's own before all; false once
   * all have. */
  function work() {
    const lane = lanes.find(({ over }) => !over);
    if (!lane) return false;
    const { done, value } = lane.run.next();
    if (done) return Boolean((lane.over = value.message));
    const [x, told] = value.last;
    const row = value.rows.at(-1);
    const loss = full.fun(x);
    const { rows } = lane.look;
    const right = y.filter((kind, i) => kind === Number(guess(x, x1[i], x2[i]) > 0)).length;
    lane.history.push({
      ...row,
      x,
      told,
      loss,
      gap: Math.max(0, loss - best.fun),
      right: right / m,
      iterations: value.nit,
      rows: row.evaluations * rows.length,
      seen: new Set(rows),
    });
    return true;
  }

  // ---- the page's elements

  const [probe, outcome, legend] = ["readout", "outcome", "legend"].map((kind) =>
    h("p", { class: kind }),
  );
  const canvas = pixels();
  const plane = s("svg", { "aria-hidden": "true" });
  const curves = image("the loss, iteration by iteration");
  const field = area(
    "sampled",
    "The rows in the plane and what the model says there; read it with the arrow keys",
    canvas,
    plane,
  );
  const read = ([u, v]) => {
    at = [clamp(u, U.low, U.high), clamp(v, V.low, V.high)];
    view.redraw();
  };
  const nudge = (du, dv) => read([at[0] + du / 5, at[1] * 1.2 ** dv]);
  draggable(field, (event) => read(place.plane(event)), nudge, { hover: true });
  const nearest = ([u]) => {
    const far = lanes[0].history.map((row) => Math.abs(row[view.state.axis] - u));
    return far.indexOf(Math.min(...far));
  };
  draggable(
    curves,
    (event) => {
      view.play(false);
      view.set({ at: nearest(place.curves(event)) });
    },
    () => {},
  );

  function body({ height, axis, batch_size, n_batches, seed, ...others }, steps) {
    return h(
      "div",
      { class: "batch" },
      h("div", { class: "controls" }, ...Object.values(others)),
      h("div", { class: "controls" }, batch_size, n_batches, seed),
      h(
        "div",
        { class: "pair" },
        h(
          "div",
          {},
          field,
          h(
            "p",
            { class: "legend" },
            key("class 0", "kind0"),
            key("class 1", "kind1"),
            "faint: not looked at here",
          ),
          probe,
        ),
        h("div", { class: "told" }, h("div", { class: "actions" }, height, axis), curves, legend),
        steps.node,
      ),
      outcome,
    );
  }

  // ---- drawing

  function picture({ axis, height, method, rows }) {
    const [lane] = lanes;
    const k = view.now();
    const now = lane.history[k];
    const most = height === "gap" ? 100 : 1.5;
    const highest = Math.max(...lane.history.map(({ loss }) => loss));
    const end = lane.over && now === lane.history.at(-1);
    place = {
      plane: draw_plane(now),
      curves: draw_curves(now, axis, height, COLORS[method], most),
    };
    const said = [
      `Full loss ${show(now.loss, 4)}, where ${show(best.fun, 4)} is the lowest; ${Math.round(100 * now.right)} % of the rows recognised.`,
    ];
    if (!(highest < most))
      said.push(`On its way the loss rose to ${show(highest)}, out of the picture.`);
    if (rows === "fixed" && now.told < Math.LN2 / lane.look.rows.length)
      said.push(
        "A line separates these few rows: their loss has no minimum, and the solver learns them by heart.",
      );
    else if (now.told < best.fun - 1e-9)
      said.push(
        `The solver was told ${show(now.told, 4)}: less than any line does on all the rows.`,
      );
    outcome.textContent = [
      ...said,
      end ? `The run's last word: ${lane.over}${/\W$/.test(lane.over) ? "" : "."}` : now.note,
    ].join(" ");
  }

  const tables = () => [
    [
      [
        "iteration",
        "loss told",
        "full loss",
        "full loss − minimum",
        "gradient told",
        "step",
        "evaluations",
        "rows visited",
        "note",
      ],
      lanes[0].history.map((row) => [
        row.iterations,
        show(row.told, 5),
        show(row.loss, 5),
        row.gap,
        row.gnorm,
        row.step,
        row.evaluations,
        row.rows,
        row.note,
      ]),
    ],
  ];

  /** What the model says of every place, the rows, those that it was shown at this iteration, and
   * boundaries. */
  function draw_plane({ x, seen }) {
    const {
      X,
      Y,
      inside,
      place: on,
    } = axes(plane, U, V, {
      xlabel: "x₁",
      ylabel: "x₂, on a logarithmic scale",
      height: 330,
      canvas,
    });
    const chance = (u, v) => 1 / (1 + Math.exp(-guess(x, u, v)));
    paint(canvas, GRID, GRID, (i, j) => {
      const p = chance(U.at((i + 0.5) / GRID), V.at(1 - (j + 0.5) / GRID));
      return [...INKS[Number(p > 0.5)], 25 + 190 * Math.abs(p - 0.5)];
    });
    const line = ([b, w1, w2], kind) =>
      s("path", {
        class: `boundary ${kind}`,
        d: trail(
          levels.map((v) => [-(b + w2 * v) / w1, v]),
          X,
          Y,
        ),
      });
    const marks = ["", "", "", ""];
    const others = lanes.slice(1).filter(({ over }) => over);
    y.forEach(
      (kind, i) =>
        (marks[2 * kind + seen.has(i)] +=
          `M${X(x1[i]).toFixed(1)} ${Y(x2[i]).toFixed(1)}${MARKS[kind]}`),
    );
    inside.append(
      ...marks.map((d, i) =>
        s("path", { class: `point kind${i >> 1}${i % 2 ? "" : " unseen"}`, d }),
      ),
      ...others.map(({ history }) => line(history.at(-1).x, "other")),
      line(best.x, "best"),
      line(x, ""),
      s("circle", { class: "cursor", cx: X(at[0]), cy: Y(at[1]), r: 4 }),
    );
    probe.textContent = `at (${show(at[0], 2)}, ${show(at[1], 2)}): class 1 with ${Math.round(100 * chance(...at))} %`;
    return on;
  }

  /** The full loss of every draw, and of the first what its solver was told. */
  function draw_curves(now, axis, height, color, most) {
    const gap = height === "gap";
    const [lane, ...others] = lanes;
    const rows = axis === "rows";
    const words = rows ? "rows visited" : axis;
    const curve = ({ history }, name, kind) => ({
      kind,
      color,
      points: history.map((row) => [row[axis], row[name]]),
    });
    const list = [
      ...others.map((other) => curve(other, height, "other")),
      ...(gap ? [] : [curve(lane, "told", "dash2")]),
      { ...curve(lane, height, "own"), dots: [[now[axis], now[height]]], r: 4.5 },
    ];
    const xmax = Math.max(rows ? m : 5, ...lanes.map(({ history }) => history.at(-1)?.[axis] ?? 0));
    const {
      Y,
      inside,
      left,
      right,
      place: on,
    } = chart(curves, list, {
      xlabel: words,
      ylabel: gap ? "full loss − minimum" : "loss",
      log: gap,
      xmax,
      most,
      depth: 1e-13,
      height: 285,
      seen: gap ? [1] : [best.fun - 0.02, 0.7],
    });
    if (!gap)
      inside.prepend(
        s("line", { class: "level", x1: left, x2: right, y1: Y(best.fun), y2: Y(best.fun) }),
      );
    const told = gap
      ? []
      : [key("as the solver was told", "dash2", color), key("minimum", "dash1")];
    legend.replaceChildren(
      key("full loss", "", color),
      ...told,
      key(`${DRAWS - 1} other draws`, "other"),
    );
    return on;
  }

  const view = live(el, {
    name: "batch",
    label: "The batch",
    fields,
    initial: INITIAL,
    first: model.get("first"),
    stories: STORIES,
    opening:
      "A solver is shown batches of the rows instead of all of them. Slide their size, and watch the boundary and the loss; or let a story lead you in.",
    body,
    build,
    work,
    picture,
    tables,
    last: () => lanes[0].history.length - 1,
  });
  return view.stop;
}

export default { render };
