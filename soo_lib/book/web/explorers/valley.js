// The valley: solvers on a loss of two variables, run to the end whenever the reader moves.

import {
  COLORS,
  axes,
  chart,
  dash,
  ellipse,
  level_curves,
  percent,
  run,
  scale,
  trail,
} from "../draw/draw.js";
import { area, clamp, h, image, pixels, s, show } from "../draw/elements.js";
import { dot, eigh, inverse, plus, product, times } from "../live/linalg.js";
import { Quadratic, Saddle } from "../live/losses/plane.js";
import { Rosenbrock } from "../live/losses/rosenbrock.js";
import { DIRECTIONS, believed } from "../live/solvers/directions.js";
import { LINE_SEARCHES } from "../live/solvers/line_search.js";
import { iterate } from "../live/solvers/minimize.js";
import { calm, draggable } from "./controls.js";
import { live } from "./live.js";

const METHODS = Object.keys(DIRECTIONS);
const ALONE = "this one alone";
const MAXITER = 3000;
const WIDTH = 390;
const HEIGHT = 310;
const SPAN = [-2, 2];
const C1 = 1e-4;
const LOSSES = {
  rosenbrock: {
    make: ({ a, b }) => new Rosenbrock(a, b),
    y: [-1.1, 2.1],
    lowest: 0,
    minima: ({ a }) => [[a, a * a]],
  },
  quadratic: {
    make: ({ kappa, angle }) => new Quadratic(kappa, (angle * Math.PI) / 180),
    y: [-1.6, 1.6],
    lowest: 0,
    minima: () => [[0, 0]],
  },
  saddle: {
    make: () => new Saddle(),
    y: [-1.6, 1.6],
    lowest: -0.25,
    minima: () => [
      [0, Math.SQRT1_2],
      [0, -Math.SQRT1_2],
    ],
  },
};
const curvatures = (loss, z) => eigh(loss.hess(z), 2);
/** The longest step that a quadratic with the minimum's curvatures bears along -g. */
function critical(state) {
  const { make, minima } = LOSSES[state.loss];
  return { at: 2 / Math.max(...curvatures(make(state), minima(state)[0]).values), text: "2/λ_max" };
}
const FIELDS = [
  {
    name: "loss",
    label: "loss",
    options: Object.keys(LOSSES),
    words: { rosenbrock: "Rosenbrock’s" },
  },
  { name: "method", label: "solver", options: METHODS },
  { name: "race", label: "runners", options: ["all five", ALONE] },
  { name: "line_search", label: "step rule", options: Object.keys(LINE_SEARCHES) },
  { name: "step", label: "step, or first trial", min: 1e-4, max: 10, log: true, mark: critical },
  {
    name: "b",
    label: "steepness b",
    min: 0.1,
    max: 1000,
    log: true,
    when: ({ loss }) => loss === "rosenbrock",
  },
  {
    name: "a",
    label: "minimum at x = a",
    min: -1.4,
    max: 1.4,
    when: ({ loss }) => loss === "rosenbrock",
  },
  {
    name: "kappa",
    label: "condition κ",
    min: 1,
    max: 1000,
    log: true,
    when: ({ loss }) => loss === "quadratic",
  },
  {
    name: "angle",
    label: "turned by, degrees",
    min: 0,
    max: 90,
    when: ({ loss }) => loss === "quadratic",
  },
  { name: "axis", label: "against", options: ["iterations", "evaluations"], free: true },
  { name: "x", min: -2, max: 2 },
  { name: "y", min: -1.6, max: 2.1 },
  // the iteration shown; free: the runs stay as they are
  { name: "at", min: 0, max: MAXITER, whole: true, free: true },
];
const INITIAL = {
  loss: "rosenbrock",
  method: "newton",
  race: "all five",
  line_search: "wolfe",
  step: 1,
  b: 50,
  a: 1,
  kappa: 20,
  angle: 30,
  axis: "iterations",
  x: -1.4,
  y: 1.8,
  at: MAXITER,
};
const STORIES = [
  {
    name: "A step of 2/λ_max",
    set: {
      loss: "quadratic",
      method: "gradient",
      race: ALONE,
      line_search: "fixed",
      step: 0.1,
      x: -1.6,
      y: 0.2,
    },
    say: "λ_max = 20, and the step is 2/20: across the valley every step lands as high on the other wall, for ever. Draw the step a little below its mark, then a little above. Where is it quickest?",
  },
  {
    name: "Newton goes up first",
    set: { race: ALONE, line_search: "fixed", x: 0, y: 0 },
    say: "At (0, 0) the model, drawn as an ellipse, knows the valley’s width but not its bend. The first step leads up the wall, from a loss of 1 to 50. And the second?",
  },
  {
    name: "The search as insurance",
    set: { loss: "saddle", race: ALONE, line_search: "fixed", x: -1.4, y: 0.415 },
    say: "Where the curvature is nearly 0, Newton’s full step leads far out of the picture. Choose “backtracking”: what does the search pay here, and what when the start is nearer to the minimum?",
  },
  {
    name: "BFGS learns the floor",
    set: { method: "bfgs", race: ALONE, at: 2 },
    say: "The coloured ellipse is what BFGS believes of the loss, from gradients alone; the thin blue one is the truth, Newton’s model. Go on step by step: when do they agree?",
  },
  {
    name: "On the ridge",
    set: { loss: "saddle", line_search: "backtracking", x: -1.4, y: 0 },
    say: "Started exactly on the ridge, every solver comes to rest at the saddle and calls it converged: the gradient there is 0. Now move the ring up, by a hair.",
  },
];

/** H⁻¹ as BFGS or L-BFGS has learnt it by iteration k: the rule is shown the run once more. */
function learnt(method, loss, { x, rows }, k) {
  const rule = new DIRECTIONS[method]();
  const g = x.slice(0, k + 1).map((z) => loss.jac(z));
  for (let i = 0; i < k; i++) {
    if (rows[i + 1].note.includes(rule.restarted)) rule.restart();
    rule.update(plus(x[i + 1], -1, x[i]), g[i], g[i + 1]);
  }
  return believed(rule);
}

/** The search that led on from iterate k, or to the last: φ, its slope at 0, the lengths tried. */
function search(loss, { rays, rows, nit }, k) {
  const i = Math.min(k + 1, nit);
  const { x: z, p, slope0: slope, tried } = rays[i] ?? {};
  if (!(slope && dot(p, p) < Infinity)) return null;
  const phi = (alpha) => loss.fun(plus(z, alpha, p));
  return { z, p, phi, slope, alphas: tried, note: rows[i].note };
}

function render({ model: traits, el }) {
  let loss;
  let lanes = [];
  let painted = "";
  let pointed = () => "";
  const frames = {}; // each picture's axes, to read it by

  function build(state) {
    const { make, y } = LOSSES[state.loss];
    const x0 = [state.x, clamp(state.y, ...y)];
    const { line_search, step } = state;
    loss = make(state);
    const racing = state.race === ALONE ? [state.method] : METHODS;
    const options = { line_search, step, maxiter: MAXITER, gtol: 1e-6 };
    lanes = racing.map((method) => ({ method, run: iterate(loss, x0, { method, ...options }) }));
    lanes.forEach(advance);
  }

  /** Fifty iterations more of a run. */
  function advance(lane) {
    for (let i = 0; i < 50 && !lane.result; i++) {
      const { done, value } = lane.run.next();
      lane.trace = done ? (lane.result = value).trace : value;
    }
  }

  /** The shortest run goes on; false once all have ended. */
  function work() {
    const [lane] = lanes.filter(({ result }) => !result).sort((a, b) => a.trace.nit - b.trace.nit);
    if (lane) advance(lane);
    return Boolean(lane);
  }

  // ---- the page's elements

  const canvas = pixels();
  const map = image("level curves, and the solvers’ paths");
  const descent = image("loss above the minimum");
  const ray = image("the loss along the search direction");
  const [readout, beyond, outcome, told] = ["readout", "beyond", "outcome", "quiet"].map((name) =>
    h("p", { class: name }),
  );
  const grip = h("span", { class: "grip" });
  const plane = area(
    "valley-plane",
    "The start of the runs: drag it, or move it with the arrow keys",
    canvas,
    map,
    grip,
  );
  const keys = METHODS.map((method) =>
    h("button", {
      type: "button",
      class: `key dash${dash(method)}`,
      style: `--c: ${COLORS[method]}`,
      onclick: () => view.set({ method }),
    }),
  );

  const move = ([x, y]) => {
    view.play(false);
    view.set({ x: clamp(x, ...SPAN), y: clamp(y, ...LOSSES[view.state.loss].y), at: 0 });
  };
  draggable(
    plane,
    (event) => move(frames.plane.place(event)),
    (dx, dy) => move([view.state.x + dx / 50, view.state.y + dy / 50]),
    { grip },
  );
  const at_point = (z) => {
    const [f, g] = loss.fun_and_jac(z);
    const list = (values, word) => [...values].map((v) => show(v)).join(word);
    return `at (${list(z, ", ")}): loss ${show(f)}, gradient (${list(g, ", ")}), curvatures ${list(curvatures(loss, z).values.sort(), " and ")}`;
  };
  const count = (row, k) => (view.state.axis === "iterations" ? k : row.evaluations);
  const loss_after = ({ method, trace }, n) =>
    `${method} ${show(trace.rows.findLast((row, k) => !k || count(row, k) <= n).fun)}`;
  const words = {
    plane: (x, y) => at_point(Float64Array.of(x, y)),
    ray: (alpha) => `φ(${show(alpha)}) = ${show(frames.ray.phi(alpha))}`,
    descent: (n) =>
      `after ${Math.max(0, Math.floor(n))} ${view.state.axis}: ${lanes.map((lane) => loss_after(lane, n)).join(", ")}`,
  };
  for (const [name, node] of Object.entries({ plane, descent, ray })) {
    // what a picture says where the pointer is
    const point = (at) => {
      pointed = at;
      view.redraw();
    };
    node.addEventListener("pointermove", (event) =>
      point(() => (frames[name] ? words[name](...frames[name].place(event)) : "")),
    );
    node.addEventListener("pointerleave", () => point(() => ""));
  }

  function body({ axis, ...others }, { node: steps }) {
    const marks = h(
      "p",
      { class: "quiet" },
      "Orange rings: what the search tries from here. Ellipse: the level curve of Newton’s model " +
        "through this point, and a cross at its minimum; in pink or green, of the model that BFGS or L-BFGS has learnt.",
    );
    const controls = h("div", { class: "controls" }, ...Object.values(others));
    const legend = h(
      "div",
      { class: "legend", role: "group", "aria-label": "the solver to watch" },
      ...keys,
    );
    return h(
      "div",
      { class: "valley" },
      h("div", {}, plane, steps, readout, beyond, controls, marks, outcome),
      h("div", { class: "side" }, axis, legend, descent, ray, told),
    );
  }

  // ---- drawing

  function picture(state) {
    const k = view.now();
    const watched = lanes.find(({ method }) => method === state.method);
    const { rows, x: path, nit } = watched.trace;
    const at = Math.min(k, nit);
    const tried = search(loss, watched.trace, k);
    draw_plane(state, k, watched, tried);
    draw_descent(state, k);
    frames.ray = tried && draw_ray(tried);
    if (!tried) ray.replaceChildren();
    const alphas = tried?.alphas.map((v) => show(v)).join(", ");
    told.textContent = !tried
      ? "There is no step to show."
      : `The search of iteration ${Math.min(at + 1, nit)}, along ${state.method}’s direction: φ, its tangent (dashed), Armijo’s line (dotted). ${
          tried.alphas.length > 1 ? `Tried ${alphas}; took the last.` : `Took ${alphas}.`
        } ${tried.note}`;
    readout.textContent = pointed() || `${state.method}, ${at_point(path[at])}`;
    outcome.textContent = `${state.method}: ${watched.result?.message ?? "still running"} (iterations: ${nit}, evaluations: ${rows.at(-1).evaluations}).`;
  }

  function tables({ method: watched }) {
    const { trace } = lanes.find(({ method }) => method === watched);
    const tried = search(loss, trace, view.now());
    const now = trace.rows
      .slice(0, 200)
      .map(({ fun, gnorm, step, evaluations }, i) => [
        i,
        ...trace.x[i],
        fun,
        gnorm,
        step,
        evaluations,
      ]);
    const race = lanes.map(({ method, trace: { nit, rows }, result }) => [
      method,
      nit,
      rows.at(-1).evaluations,
      rows.at(-1).fun,
      result?.message ?? "…",
    ]);
    return [
      [["iteration", "x", "y", "loss", "gradient norm", "step", "evaluations"], now],
      [["solver", "iterations", "evaluations", "loss", "outcome"], race],
      [
        ["α tried", "φ(α)"],
        tried ? [0, ...tried.alphas].map((alpha) => [alpha, tried.phi(alpha)]) : [],
      ],
    ];
  }

  /** Level curves, models, paths, what the search tries, the start. */
  function draw_plane(state, k, watched, tried) {
    const { y: span, minima, lowest } = LOSSES[state.loss];
    const [x, y] = [scale(...SPAN), scale(...span)];
    const frame = (frames.plane = axes(map, x, y, {
      width: WIDTH,
      height: HEIGHT,
      left: 30,
      bottom: 22,
      canvas,
    }));
    const { X, Y, inside } = frame;
    const key = [
      state.loss,
      state.a,
      state.b,
      state.kappa,
      state.angle,
      canvas.clientWidth,
      canvas.clientHeight,
    ].join();
    if (key !== painted) level_curves(canvas, (u, v) => loss.fun([u, v]) - lowest, x, y);
    painted = key;
    const { nit, x: path } = watched.trace;
    const from = clamp(k, 0, Math.max(0, nit - 1));
    const z = path[from];
    const g = loss.jac(z);
    const newton = state.method === "newton";
    const model = (B, kind) => {
      // the quadratic's level curve through z, and its lowest point
      const p = times(-1, product(B, g));
      const curve = ellipse(plus(z, 1, p), B, Math.sqrt(-dot(g, p)));
      const look = { class: `model ${kind}`, style: `--c: ${COLORS[state.method]}` };
      const [u, v] = plus(z, 1, p);
      if (curve.length)
        inside.append(
          s("path", { ...look, d: trail(curve, X, Y) }),
          s("path", { ...look, d: `M${X(u) - 4} ${Y(v)}h8m-4 -4v8` }),
        );
    };
    model(inverse(loss.hess(z)), newton ? "" : "thin");
    if (state.method.endsWith("bfgs"))
      model(learnt(state.method, loss, watched.trace, from), "own");
    inside.append(
      ...minima(state).map(([u, v]) =>
        s("text", { class: "star", x: X(u), y: Y(v) + 6, "text-anchor": "middle" }, "★"),
      ),
    );
    for (const { method, trace } of [...lanes].sort((a, b) => (a === watched) - (b === watched))) {
      // the watched one on top
      const { x: points, nit } = trace;
      const own = trace === watched.trace;
      const gone = points.slice(0, k + 1);
      const look = { color: COLORS[method], kind: `dash${dash(method)}` };
      const here = { dots: [points[Math.min(k, nit)]], r: own ? 5 : 4 };
      inside.append(
        run(frame, points.slice(k), { ...look, kind: `${look.kind} ahead` }),
        run(frame, gone, { ...look, ...here }),
      );
      if (own) inside.append(run(frame, [], { ...look, dots: gone.slice(0, 60), r: 2.2 }));
    }
    const tries = tried?.alphas.map((alpha) => plus(tried.z, alpha, tried.p)) ?? [];
    inside.append(
      ...tries.map(([u, v]) => s("circle", { class: "trial", r: 4, cx: X(u), cy: Y(v) })),
    );
    Object.assign(grip.style, {
      left: percent(X(state.x), WIDTH),
      top: percent(Y(clamp(state.y, ...span)), HEIGHT),
    });
    const away = lanes.filter(
      ({ trace }) =>
        !trace.x.every(([u, v]) => Math.abs(u) <= SPAN[1] && v >= span[0] && v <= span[1]),
    );
    const highest = ({ rows }) =>
      show(rows.reduce((most, { fun }) => (fun > most ? fun : most), 0));
    const gone = ({ method, trace, result }) =>
      `${method}${result?.message.startsWith("diverged") ? " (it diverged)" : ""}, up to a loss of ${highest(trace)}`;
    beyond.textContent = away.length ? `Out of the picture: ${away.map(gone).join("; ")}.` : "";
  }

  /** Who has come how far. */
  function draw_descent({ axis, method: watched, loss: name }, k) {
    const height = ({ fun }) => Math.max(fun - LOSSES[name].lowest, 1e-16);
    const [last, second = last] = lanes
      .map(({ trace }) => count(trace.rows.at(-1), trace.nit))
      .sort((a, b) => b - a);
    const curves = lanes.flatMap(({ method, trace: { rows } }) => {
      const points = rows.map((row, i) => [count(row, i), height(row)]);
      const gone = points.slice(0, k + 1);
      const look = { color: COLORS[method], kind: `dash${dash(method)}` };
      return [
        { ...look, points, kind: `${look.kind} ahead` },
        { ...look, points: gone, dots: gone.slice(-1) },
      ];
    });
    frames.descent = chart(descent, curves, {
      xlabel: axis,
      ylabel: "loss above the minimum",
      xmax: Math.max(4, Math.min(last, 3 * second)),
      seen: [curves[0].points[0][1] / 30],
      depth: 1e-20,
      height: 215,
    });
    METHODS.forEach((method, i) => {
      const { trace, result } = lanes.find((lane) => lane.method === method) ?? {};
      keys[i].hidden = !trace;
      const end = !result ? "…" : result.success ? "" : result.nit === MAXITER ? "+" : " ✗";
      keys[i].textContent = trace
        ? `${method} ${count(trace.rows.at(-1), trace.nit)}${end}`
        : method;
      keys[i].setAttribute("aria-pressed", String(method === watched));
    });
  }

  /** φ along the direction, from φ(0) on, its tangent, Armijo's line, the lengths tried. */
  function draw_ray({ phi, slope, alphas }) {
    const taken = alphas.at(-1);
    const far = clamp(1.15 * Math.max(...alphas), 1.3 * taken, 9 * taken);
    const f = phi(0);
    const gain = (alpha) => phi(alpha) - f;
    const curve = Array.from({ length: 81 }, (_, i) => [(far * i) / 80, gain((far * i) / 80)]);
    const values = curve.map(([, v]) => v).filter(Number.isFinite);
    const low = Math.min(...values);
    const high = clamp(Math.max(...values), -0.15 * low, -6 * low);
    const upward = scale(low - 0.08 * (high - low), high);
    const frame = axes(ray, scale(0, far), upward, {
      xlabel: "α",
      ylabel: "φ(α) − φ(0)",
      height: 190,
    });
    const { X, Y, inside, top } = frame;
    const straight = (slope) => [
      [0, 0],
      [far, far * slope],
    ];
    for (const [kind, points] of Object.entries({
      slope: straight(slope),
      armijo: straight(C1 * slope),
      phi: curve,
    }))
      inside.append(s("path", { class: kind, d: trail(points, X, Y) }));
    inside.append(
      ...alphas.map((alpha) =>
        s("circle", {
          class: alpha === taken ? "here" : "trial",
          r: 4,
          cx: X(alpha),
          cy: Math.max(top + 5, Y(gain(alpha)) || 0),
        }),
      ),
    );
    return { ...frame, phi };
  }

  const view = live(el, {
    name: "valley",
    label: "The valley",
    fields: FIELDS,
    initial: INITIAL,
    first: traits?.get("first"),
    stories: STORIES,
    opening:
      "Five solvers leave the ring at once. Drag it, and every run is made anew. Who is first at the star: by iterations, and by evaluations?",
    body,
    build,
    work,
    picture,
    tables,
    last: () => Math.max(...lanes.map(({ trace }) => trace.nit)),
    arrive: () => view.play(view.state.at === MAXITER && !calm()),
  });
  return view.stop;
}

export default { render };
