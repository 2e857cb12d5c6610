// The playground: two solvers, side by side from one start, teach a network points in the plane.

import { COLORS, INKS, MARKS, chart, paint, shares } from "../draw/draw.js";
import { area, button, clamp, h, image, key, pixels, s, show } from "../draw/elements.js";
import { draw_units } from "../draw/units.js";
import { lanczos } from "../live/curvature/spectrum.js";
import { SETS, make_points } from "../live/datasets.js";
import { ACTIVATIONS } from "../live/losses/activations.js";
import { Reshuffled, partition } from "../live/losses/batches.js";
import { Network, cross_entropy } from "../live/losses/network.js";
import { uniform } from "../live/random.js";
import { DIRECTIONS } from "../live/solvers/directions.js";
import { LINE_SEARCHES } from "../live/solvers/line_search.js";
import { iterate } from "../live/solvers/minimize.js";
import { iterate_epochs } from "../live/stochastic/minimize.js";
import { RULES } from "../live/stochastic/rules.js";
import { calm, draggable } from "./controls.js";
import { live } from "./live.js";

const BOX = 3.2;
const GRID = 48;
const ROWS = 150;
const NEWTON_MOST = 200;
const MOST = 20_000; // iterations
const SIDES = ["a", "b"];
const OTHERS = ["#cc79a7", "#56b4e9"]; // for a second solver whose colour is the first one's
// of α·λ_max, where the direction is -g; 2(1 + μ) with momentum
const EDGE = { gradient: 2, sgd: 2, momentum: 3.8 };

const CURVES = {
  // of the curvature: of a row; the values that the axis must hold; a lane's level
  "α·λ_max": { of: (row) => row.product, seen: [0.5, 4], level: ({ method }) => EDGE[method] },
  λ_max: { of: ({ ends }) => ends?.[1], seen: [1, 2] },
  λ_min: { of: ({ ends }) => ends?.[0], seen: [-0.1, 0.01], level: () => 0, log: false },
};

const USUAL = { search: "wolfe", step: 1, batch: ROWS, rows: "fixed" };
const PARTS = ["method", ...Object.keys(USUAL)];
/** A side's part of the state: its method, search, step, batch, rows. */
const own = (state, side) =>
  Object.fromEntries(PARTS.map((part) => [part, state[`${side}_${part}`]]));
const solver = (side, runs = (state) => own(state, side).method !== "none") => [
  {
    name: `${side}_method`,
    label: "solver",
    options: [...Object.keys(DIRECTIONS), ...Object.keys(RULES), ...(side === "b" ? ["none"] : [])],
  },
  {
    name: `${side}_search`,
    label: "step rule",
    options: Object.keys(LINE_SEARCHES),
    when: (state) => own(state, side).method in DIRECTIONS,
  },
  { name: `${side}_step`, label: "step", min: 1e-3, max: 100, log: true, when: runs },
  {
    name: `${side}_batch`,
    label: `batch, of ${ROWS} rows`,
    min: 1,
    max: ROWS,
    whole: true,
    when: runs,
  },
  {
    name: `${side}_rows`,
    label: "batches",
    options: ["fixed", "reshuffled"],
    when: (state) => runs(state) && own(state, side).batch < ROWS,
  },
];
const FIELDS = [
  { name: "data", label: "points", options: SETS },
  { name: "noise", label: "noise", min: 0, max: 0.6 },
  { name: "seed", label: "seed of the points", min: 0, max: 99, whole: true },
  {
    name: "hidden",
    label: "hidden layers",
    pattern: /^(?:[1-9]|1[0-6])(?:[ ,]+(?:[1-9]|1[0-6])){0,5}$/,
    words: "up to six widths from 1 to 16, as 8 8",
  },
  { name: "activation", label: "activation", options: Object.keys(ACTIVATIONS) },
  { name: "l2", label: "penalty λ", min: 1e-6, max: 1, log: true },
  { name: "scale", label: "size of the start", min: 0, max: 3 },
  { name: "start", label: "seed of the start", min: 0, max: 99, whole: true },
  ...solver("a"),
  ...solver("b"),
  {
    name: "pace",
    label: "iterations a second",
    min: 1,
    max: 240,
    log: true,
    whole: true,
    free: true,
  },
  { name: "axis", label: "axis", options: ["iterations", "evaluations", "seconds"], free: true },
  { name: "curve", label: "curvature", options: Object.keys(CURVES), free: true },
  {
    name: "shown",
    label: "units of",
    options: SIDES,
    words: { a: "the first solver", b: "the second" },
    free: true,
  },
];
const side = (name, values) =>
  Object.fromEntries(
    Object.entries({ ...USUAL, ...values }).map(([part, v]) => [`${name}_${part}`, v]),
  );
const INITIAL = {
  data: "moons",
  noise: 0.25,
  seed: 1,
  hidden: "8 8",
  activation: "tanh",
  l2: 1e-4,
  scale: 1,
  start: 1,
  pace: 12,
  axis: "iterations",
  curve: "α·λ_max",
  shown: "a",
  ...side("a", { method: "lbfgs" }),
  ...side("b", { method: "gradient" }),
};
const SMALL = { search: "fixed", batch: 15, rows: "reshuffled" };
const STORIES = [
  {
    name: "A saddle at zero",
    set: { hidden: "6", scale: 0.01, pace: 4, curve: "λ_min", ...side("a", { method: "newton" }) },
    say: "Weights near zero: the gradient all but vanishes, and the smallest eigenvalue is as negative as the largest is positive, so this is a saddle. Which solver sees that, and which is at the lower loss after forty iterations?",
  },
  {
    name: "Four sigmoid layers",
    set: {
      data: "circles",
      noise: 0.15,
      hidden: "6 6 6 6",
      activation: "sigmoid",
      l2: 1e-5,
      start: 0,
      pace: 20,
    },
    say: "On its way back through four sigmoid layers the gradient shrinks some four hundred times: see the norms at iteration 0. Gradient descent stays on its plateau for hundreds of iterations. L-BFGS?",
  },
  {
    name: "The edge of stability",
    set: {
      hidden: "8",
      pace: 6,
      ...side("a", { method: "gradient" }),
      ...side("b", { method: "gradient", search: "fixed", step: 4 }),
    },
    say: "A step longer than 2/λ_max climbs along the steepest eigenvector. Watch α·λ_max below: a nearly exact search lives at 2, now a little above, now below. And the fixed step of 4?",
  },
  {
    name: "A batch too small for curvature",
    set: {
      ...side("a", { ...SMALL, method: "lbfgs" }),
      ...side("b", { ...SMALL, method: "gradient" }),
    },
    say: "Other 15 rows at every look. The gradient’s errors average out. L-BFGS takes the difference of two batches for curvature, and its loss jumps. Draw both batches larger: at 100 rows, who is ahead?",
  },
  {
    name: "A spiral in twelve iterations",
    set: {
      data: "spirals",
      noise: 0.1,
      hidden: "10 8",
      pace: 4,
      curve: "λ_min",
      ...side("a", { method: "newton" }),
      ...side("b", { method: "adam", step: 0.03, batch: 15, rows: "reshuffled" }),
    },
    say: "Newton’s method, with all 136² second derivatives at each step, against Adam, whose iteration here is a pass over all rows. Stop at iteration 12 and compare; then give Adam two hundred, and switch the axis to seconds.",
  },
];

/** A solver's run as a generator that yields its recorder after every iteration. */
function start_run(state, which, loss, x0) {
  const { method, search, step, batch, rows } = own(state, which);
  const seed = state.start;
  const dealt = rows === "fixed" ? partition(ROWS, batch, uniform(seed)) : null;
  if (method in RULES)
    return iterate_epochs(loss, x0, {
      rule: method,
      batch_size: batch,
      step,
      seed,
      epochs: MOST,
      deal: dealt && (() => dealt),
    });
  const part = dealt ? loss.subset(dealt[0]) : new Reshuffled(loss, batch, 1, seed);
  const options = { method, line_search: search, step, maxiter: MOST };
  return iterate(batch === ROWS ? loss : part, x0, options);
}

/** Mean loss without penalty and share recognised of some rows. */
function measure(net, x, { X, y }, classes) {
  const { f, P } = cross_entropy(net.forward(x, X).at(-1), y);
  const right = y.filter((k, i) =>
    P.subarray(i * classes, (i + 1) * classes).every((p, j) => j === k || p < P[i * classes + k]),
  );
  return [f / y.length, right.length / y.length];
}

const PIXELS = Float64Array.from({ length: 2 * GRID * GRID }, (_, t) => {
  const i = t >> 1;
  const share = (t % 2 ? GRID - 0.5 - Math.floor(i / GRID) : (i % GRID) + 0.5) / GRID;
  return BOX * (2 * share - 1);
});

function render({ el }) {
  let points;
  let net;
  let loss;
  let lanes = [];
  let looking = null;
  let going = false;
  let begun = 0;
  let taken = 0;

  function build(state) {
    const old = points?.train.X.join();
    points = make_points(state.data, ROWS, state.noise, state.seed);
    net = new Network(
      [2, ...state.hidden.split(/[ ,]+/).map(Number), points.classes],
      state.activation,
    );
    loss = net.loss(points.train.X, points.train.y, state.l2);
    const x0 = net.init(state.start, state.scale);
    lanes = SIDES.map((which) => ({ which, ...own(state, which) }));
    lanes = lanes.filter(({ method }) => method !== "none");
    looking = null;
    for (const lane of lanes) {
      Object.assign(lane, { history: [], x: x0, over: "", looked: 0 });
      lane.passes = lane.method in RULES ? 1 / ROWS : lane.batch / ROWS;
      if (lane.method === "newton" && net.n_params > NEWTON_MOST)
        lane.over = `Newton needs all ${net.n_params}² second derivatives of this net; here it takes at most ${NEWTON_MOST} parameters. Choose narrower layers, or L-BFGS`;
      else lane.run = start_run(state, lane.which, loss, x0);
      advance(lane);
    }
    pace();
    adders(state);
    if (old === points.train.X.join()) return;
    const { X, y } = points.train;
    const at = (i) => `M${100 + (100 * X[2 * i]) / BOX} ${100 - (100 * X[2 * i + 1]) / BOX}`;
    for (const { dots } of cards)
      dots.replaceChildren(
        ...y.map((k, i) => s("path", { class: `point kind${k}`, d: at(i) + MARKS[k] })),
      );
  }

  /** One iteration of a lane, or a batch of it, and `within` it then is; false once it is over. */
  function advance(lane) {
    if (lane.over) return false;
    const { done, value } = lane.run.next();
    lane.within = value === null;
    if (lane.within) return true;
    if (done) {
      lane.over = value.message;
      return false;
    }
    const [x] = value.last;
    const row = value.rows.at(-1);
    const g = loss.jac(x);
    const [train, held] = [points.train, points.held_out].map((rows) =>
      measure(net, x, rows, points.classes),
    );
    lane.x = x;
    lane.history.push({
      iterations: value.nit,
      evaluations: row.evaluations * lane.passes,
      seconds: row.seconds,
      train: train[0],
      held: held[0],
      right: held[1],
      step: row.step,
      note: row.note,
      layers: net.layers.map(({ start, stop }) =>
        Math.sqrt(g.subarray(start, stop).reduce((sum, v) => sum + v * v, 0)),
      ),
    });
    return true;
  }

  /** A slice of work: an iteration of each, at the reader's pace, a batch of one, or one product
   * for the spectrum. */
  function work() {
    const within = lanes.filter((lane) => lane.within);
    within.forEach(advance);
    if (within.length) return lanes.some((lane) => lane.within) ? "on" : true;
    const due = ({ history, looked }) =>
      history.length && !history.at(-1).ends && (!going || performance.now() - looked > 150);
    looking ??= lanes.filter(due).map(look)[0];
    if (looking) {
      const { done } = looking.next();
      if (done) looking = null;
      return done || "on";
    }
    if (!going || ((performance.now() - begun) / 1000) * view.state.pace < taken)
      return going ? null : false;
    taken++;
    if (performance.now() - begun > 1000) pace();
    step();
    return true;
  }

  function step() {
    // clicks may come faster than an epoch
    for (const lane of lanes) while (lane.within) advance(lane);
    if (lanes.map(advance).some(Boolean)) return;
    going = false;
    view.say("The run has come to an end.");
  }

  /** The Hessian's ends at a lane's latest iterate, a product at a time. */
  function* look(lane) {
    const { x } = lane;
    const row = lane.history.at(-1);
    const ends = yield* lanczos((p) => loss.hessp(x, p), net.n_params, 0, 30);
    row.ends = ends.every(Number.isFinite) ? ends : [NaN, NaN];
    row.product = lane.method in EDGE ? row.step * ends[1] : NaN;
    lane.looked = performance.now();
  }

  // ---- the page's elements

  const pace = () => ([begun, taken] = [performance.now(), 0]);
  const go = (on) => {
    going = on;
    pace();
    view.redraw();
  };
  const run = button("▶ Run", () => go(!going), "Run or pause", { class: "primary" });
  const once = button("Step", () => {
    step();
    go(false);
  });
  const again = button(
    "↺",
    () => {
      build(view.state);
      view.say("");
      go(false);
    },
    "Start again",
  );
  const clock = h("span", { class: "clock" });
  const cards = SIDES.map((which, i) => {
    const canvas = pixels();
    const dots = s("svg", { viewBox: "0 0 200 200", "aria-hidden": "true" });
    const probe = h("p", { class: "readout" });
    const label = `What the ${i ? "second" : "first"} solver's net says of the plane; read it with the arrow keys`;
    const plane = area("regions", label, canvas, dots);
    const at = [0, 0];
    const read = () => {
      const lane = lanes.find((l) => l.which === which);
      if (!lane) return;
      const { P } = cross_entropy(net.forward(lane.x, Float64Array.from(at)).at(-1), [0]);
      const shares = [...P].map(
        (p, k) => `${["blue", "orange", "green"][k]} ${Math.round(100 * p)} %`,
      );
      probe.textContent = `at (${show(at[0], 2)}, ${show(at[1], 2)}): ${shares.join(", ")}`;
    };
    const move_to = (x, y) => {
      [at[0], at[1]] = [x, y].map((v) => clamp(Math.round(100 * v) / 100, -BOX, BOX));
      read();
    };
    const move = (event) => move_to(...shares(event, plane).map((share) => BOX * (2 * share - 1)));
    draggable(plane, move, (dx, dy) => move_to(at[0] + dx / 5, at[1] + dy / 5), { hover: true });
    return {
      which,
      canvas,
      dots,
      probe,
      plane,
      gauges: h("div", { class: "gauges" }),
      outcome: h("p", { class: "outcome" }),
      controls: h("div", { class: "controls" }),
    };
  });
  const netcanvas = pixels("net");
  const columns = h("div", { class: "columns" });
  const layers = h("span", { class: "layers" });
  const charts = [
    "loss of train (drawn through) and held-out rows (dashed)",
    "curvature of the loss",
  ].map(image);
  const legend = h("p", { class: "legend" });

  function body({ pace: speed, axis, curve, shown, ...controls }) {
    const of = (side) =>
      FIELDS.filter(({ name }) => name.startsWith(`${side}_`)).map(({ name }) => controls[name]);
    const setup = Object.keys(controls)
      .filter((name) => !/^[ab]_/.test(name))
      .map((name) => controls[name]);
    for (const card of cards) card.controls.append(...of(card.which));
    return h(
      "div",
      { class: "playground" },
      h("div", { class: "actions" }, run, once, again, clock, speed),
      h(
        "div",
        { class: "stage" },
        ...cards.map((card, i) =>
          h(
            "section",
            { class: "card", "aria-label": i ? "second solver" : "first solver" },
            card.controls,
            card.plane,
            card.probe,
            card.outcome,
            card.gauges,
          ),
        ),
        h("div", { class: "controls setup" }, ...setup),
      ),
      h("div", { class: "charts" }, h("div", {}, axis, charts[0]), h("div", {}, curve, charts[1])),
      legend,
      h(
        "div",
        { class: "units" },
        h("div", { class: "actions" }, shown, layers),
        columns,
        netcanvas,
      ),
    );
  }

  // ---- drawing

  function picture(state) {
    run.textContent = going ? "❚❚ Pause" : "▶ Run";
    const latest = lanes.map((lane) => lane.history.at(-1)).filter(Boolean);
    clock.textContent = `iteration ${Math.max(0, ...latest.map((row) => row.iterations))} · ${net.n_params} parameters`;
    for (const card of cards) {
      const lane = lanes.find((l) => l.which === card.which);
      for (const part of [card.plane, card.probe, card.outcome, card.gauges]) part.hidden = !lane;
      if (!lane) continue;
      const maps = net.forward(lane.x, PIXELS);
      const k = points.classes;
      const { P } = cross_entropy(maps.pop(), new Uint8Array(GRID * GRID));
      lane.maps = [...maps, P];
      paint(card.canvas, GRID, GRID, (i, j) => {
        const p = P.subarray((j * GRID + i) * k, (j * GRID + i + 1) * k);
        const most = p.indexOf(Math.max(...p));
        return [
          ...(INKS[most] ?? INKS[0]),
          Number.isFinite(p[most]) ? 40 + 150 * ((p[most] - 1 / k) / (1 - 1 / k)) : 0,
        ];
      });
      const row = lane.history.at(-1);
      const known = lane.history.findLast?.((r) => r.ends) ?? {};
      const edge = EDGE[lane.method];
      const says =
        row &&
        `train ${show(row.train)}, held out ${show(row.held)}, ${Math.round(100 * row.right)}\u00a0% recognised.`;
      card.outcome.textContent = row ? `${says} ${lane.over || row.note}` : lane.over;
      const [low, high] = known.ends ?? [];
      const range = known.ends && {
        from: bent(low),
        at: bent(high),
        text: `${show(low, 2)} to ${show(high, 2)}`,
        mark: bent(0),
        markText: "0",
        hot: low < 0,
      };
      const limit = {
        at: clamp(0.5 + Math.log10(known.product / edge) / 4, 0, 1) || 0,
        text: show(known.product),
        mark: 0.5,
        markText: String(edge),
        hot: known.product > edge,
      };
      card.gauges.replaceChildren(
        gauge(
          "gradient, layer by layer",
          (row?.layers ?? []).map((v) => ({
            at: (Math.log10(Math.max(v, 1e-8)) + 8) / 9,
            text: show(v, 2),
          })),
        ),
        gauge("eigenvalues of the Hessian, smallest to largest", range ? [range] : []),
        edge
          ? gauge("α·λ_max against its limit", [limit])
          : h("p", { class: "quiet" }, "α·λ_max has no limit of 2 here: the direction is not −g"),
      );
    }
    curves(charts[0], "loss, no penalty", [(row) => row.train, (row) => row.held], state, {
      seen: [0.3, 0.7],
    });
    const { of, ...bounds } = CURVES[state.curve];
    curves(charts[1], state.curve, [of], state, bounds);
    legend.replaceChildren(
      ...lanes.map((lane) => key(name(lane), "", ink(lane))),
      h("span", { class: "key ghost" }, "held out"),
    );
    const { x, maps } = lanes.find(({ which }) => which === state.shown) ?? lanes[0];
    draw_units(netcanvas, net, x, maps, GRID);
  }

  const tables = () => [
    [
      [
        "iteration",
        ...lanes.flatMap((lane) => [
          `train, ${name(lane)}`,
          "held out",
          "recognised",
          "step",
          "λ min",
          "λ max",
        ]),
      ],
      Array.from(
        { length: Math.min(200, Math.max(0, ...lanes.map(({ history }) => history.length))) },
        (_, i) => [
          i,
          ...lanes.flatMap(({ history: { [i]: row } }) =>
            row
              ? [row.train, row.held, row.right, row.step, ...(row.ends ?? [NaN, NaN])]
              : Array(6).fill(""),
          ),
        ],
      ),
    ],
  ];

  // an eigenvalue's place: both signs, many sizes
  const bent = (v) => 0.25 + clamp(Math.asinh(20 * v) / 12, -0.25, 0.75);
  const same = () => lanes.length === 2 && lanes[0].method === lanes[1].method;
  const alike = () => new Set(lanes.map(({ method }) => COLORS[method])).size < lanes.length;
  const ink = ({ which, method }) =>
    alike() && which === "b" ? OTHERS.find((color) => color !== COLORS[method]) : COLORS[method];
  const name = (lane) =>
    `${lane.method}${same() ? (lane.which === "a" ? ", first" : ", second") : ""}`;

  function gauge(label, bars) {
    const bar = ({ at, from = 0, text, mark, markText, hot }) =>
      h(
        "span",
        {
          class: `bar${hot ? " hot" : ""}`,
          style: `--from: ${100 * Math.min(at, from)}%; --size: ${100 * Math.abs(clamp(at, 0, 1) - from)}%`,
        },
        h("i"),
        ...(mark === undefined ? [] : [h("b", { style: `--mark: ${100 * mark}%` }, markText)]),
        h("em", {}, text),
      );
    return h(
      "div",
      { class: "gauge" },
      h("span", { class: "quiet" }, label),
      h("span", { class: "bars" }, ...bars.map(bar)),
    );
  }

  /** Lines, functions of a row, against the axis chosen; `level`: a line across, of a lane. */
  function curves(svg, ylabel, lines, { axis }, { level = () => {}, ...bounds } = {}) {
    const runs = lanes.flatMap((lane) => {
      const rows = lane.history.filter(
        (_, i) => i % Math.ceil(lane.history.length / 400) === 0 || i === lane.history.length - 1,
      );
      return lines.map((line, j) => {
        const points = rows
          .map((row) => [row[axis], line(row)])
          .filter(([, v]) => Number.isFinite(v));
        return { kind: j ? "held" : "", color: ink(lane), points, dots: points.slice(-1), r: 2.5 };
      });
    });
    const xmax = Math.max(
      axis === "seconds" ? 1e-3 : 5,
      ...lanes.map(({ history }) => history.at(-1)?.[axis] ?? 0),
    );
    const xlabel = axis === "evaluations" ? "evaluations of all rows" : axis;
    const { Y, inside, left, right } = chart(svg, runs, { xlabel, ylabel, xmax, ...bounds });
    for (const at of new Set(lanes.map(level)))
      if (at !== undefined)
        inside.prepend(s("line", { class: "level", x1: left, x2: right, y1: Y(at), y2: Y(at) }));
  }

  /** Buttons over the columns: a unit more or less, a layer more or less. */
  function adders(state) {
    const widths = state.hidden.split(/[ ,]+/).map(Number);
    const set = (list) => view.set({ hidden: list.join(" ") });
    // the buttons are made anew, and the focus stays on the one of that name, or beside it
    const pressed = document.activeElement.title;
    const change = (text, list, label, disabled) =>
      button(text, () => set(list), label, { disabled });
    columns.replaceChildren(
      h("span", { class: "quiet" }, "x and y"),
      ...widths.map((n, l) =>
        h(
          "span",
          { class: "column" },
          change("−", widths.with(l, n - 1), `a unit less in layer ${l + 1}`, n < 2),
          h("span", {}, String(n)),
          change("+", widths.with(l, n + 1), `a unit more in layer ${l + 1}`, n > 15),
        ),
      ),
      h("span", { class: "quiet" }, "classes"),
    );
    layers.replaceChildren(
      change("− layer", widths.slice(0, -1), "a layer less", widths.length < 2),
      change("+ layer", [...widths, widths.at(-1)], "a layer more", widths.length > 5),
    );
    const one = [...columns.querySelectorAll("button"), ...layers.children].find(
      ({ title }) => title === pressed,
    );
    (one?.disabled ? one.parentElement.querySelector("button:enabled") : one)?.focus();
  }

  const view = live(el, {
    name: "playground",
    label: "Playground",
    fields: FIELDS,
    initial: INITIAL,
    stories: STORIES,
    opening:
      "Two solvers start from the same random weights. Which is first? Run them; or let a story lead you in.",
    body,
    build,
    work,
    picture,
    tables,
    arrive: (story) => go(Boolean(story) && !calm()),
  });
  return view.stop;
}

export default { render };
