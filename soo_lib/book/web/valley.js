// The valley: solvers on a loss of two variables, run to the end at every move of the reader's hand.

import { COLORS, axes, chart, clamp, h, level_curves, s, scale, show, table, trail } from "./live/draw.js";
import { button, codec, draggable, live, runner } from "./live/controls.js";
import { DIRECTIONS } from "./live/directions.js";
import { dot, eigh, plus, times } from "./live/linalg.js";
import { LINE_SEARCHES } from "./live/line_search.js";
import { Quadratic, Rosenbrock, Saddle } from "./live/losses.js";
import { iterate } from "./live/solvers.js";

const METHODS = Object.keys(DIRECTIONS), DASH = { gradient: 0, newton: 0, nlcg: 1, bfgs: 2, lbfgs: 3 };
const MAXITER = 3000, WIDTH = 390, HEIGHT = 310, LEFT = 30, BOTTOM = 22, C1 = 1e-4;
const LOSSES = {
  rosenbrock: { make: ({ a, b }) => new Rosenbrock(a, b), y: [-1.1, 2.1], lowest: 0, minima: ({ a }) => [[a, a * a]] },
  quadratic: { make: ({ kappa, angle }) => new Quadratic(kappa, (angle * Math.PI) / 180), y: [-1.6, 1.6], lowest: 0, minima: () => [[0, 0]] },
  saddle: { make: () => new Saddle(), y: [-1.6, 1.6], lowest: -0.25, minima: () => [[0, Math.SQRT1_2], [0, -Math.SQRT1_2]] },
};
const X_SPAN = [-2, 2];
const spectrum = (H) => eigh(H, 2);
const steepest = (state) => Math.max(...spectrum(LOSSES[state.loss].make(state).hess(LOSSES[state.loss].minima(state)[0])).values);
const FIELDS = [
  { name: "loss", label: "loss", options: Object.keys(LOSSES), words: { rosenbrock: "Rosenbrock’s" } },
  { name: "method", label: "solver", options: METHODS },
  { name: "race", label: "runners", options: ["all five", "this one alone"] },
  { name: "line_search", label: "step rule", options: Object.keys(LINE_SEARCHES) },
  { name: "step", label: "step, or first trial", min: 1e-4, max: 10, log: true, mark: (state) => ({ at: 2 / steepest(state), text: "2/λ_max" }) },
  { name: "b", label: "steepness b", min: 0.1, max: 1000, log: true, when: ({ loss }) => loss === "rosenbrock" },
  { name: "a", label: "minimum at x = a", min: -1.4, max: 1.4, when: ({ loss }) => loss === "rosenbrock" },
  { name: "kappa", label: "condition κ", min: 1, max: 1000, log: true, when: ({ loss }) => loss === "quadratic" },
  { name: "angle", label: "turned by, degrees", min: 0, max: 90, when: ({ loss }) => loss === "quadratic" },
  { name: "axis", label: "against", options: ["iterations", "evaluations"], free: true },
  { name: "x", min: -2, max: 2 }, { name: "y", min: -1.6, max: 2.1 },
  { name: "at", min: 0, max: MAXITER, whole: true, free: true }, // the iteration shown; free: the runs stay as they are
];
const INITIAL = { loss: "rosenbrock", method: "newton", race: "all five", line_search: "wolfe", step: 1, b: 50, a: 1, kappa: 20, angle: 30, axis: "iterations", x: -1.4, y: 1.8, at: MAXITER };
const ALONE = "this one alone";
const STORIES = [
  { name: "A step of 2/λ_max", set: { loss: "quadratic", method: "gradient", race: ALONE, line_search: "fixed", step: 0.1, x: -1.6, y: 0.2 },
    say: "λ_max = 20, and the step is 2/20: across the valley every step lands as high on the other wall, for ever. Draw the step a little below its mark, then a little above. Where is it quickest?" },
  { name: "Newton goes up first", set: { race: ALONE, line_search: "fixed", x: 0, y: 0 },
    say: "At (0, 0) the model, drawn as an ellipse, knows the valley’s width but not its bend. The first step leads up the wall, from a loss of 1 to 50. And the second?" },
  { name: "The search as insurance", set: { loss: "saddle", race: ALONE, line_search: "fixed", x: -1.4, y: 0.415 },
    say: "Where the curvature is nearly 0, Newton’s full step leads far out of the picture. Choose “backtracking”: what does the search pay here, and what when the start is nearer to the minimum?" },
  { name: "BFGS learns the floor", set: { method: "bfgs", race: ALONE, at: 2 },
    say: "The coloured ellipse is what BFGS believes of the loss, from gradients alone; the thin blue one is the truth, Newton’s model. Go on step by step: when do they agree?" },
  { name: "On the ridge", set: { loss: "saddle", line_search: "backtracking", x: -1.4, y: 0 },
    say: "Started exactly on the ridge, every solver comes to rest at the saddle and calls it converged: the gradient there is 0. Now press the arrow key up, once." },
].map((story) => ({ ...story, set: { ...INITIAL, at: 0, ...story.set } }));

/** A level curve through z of the model f + gᵀp + ½pᵀHp, as points, and its centre; `inverse`: the eigenvalues of H⁻¹. */
function model(z, g, inverse, vectors) {
  const rows = [vectors.subarray(0, 2), vectors.subarray(2, 4)], p = rows.reduce((sum, v, i) => plus(sum, -dot(v, g) * inverse[i], v), new Float64Array(2));
  const [u, v] = rows.map((row, i) => times(Math.sqrt(-dot(g, p) * inverse[i]), row)), centre = plus(z, 1, p);
  return { centre, points: Array.from({ length: 73 }, (_, t) => plus(plus(centre, Math.cos((t * Math.PI) / 36), u), Math.sin((t * Math.PI) / 36), v)) };
}

/** H⁻¹ as a quasi-Newton rule has learnt it in k iterations: it is shown the run once more. */
function learnt({ method, loss, trace }, k) {
  const rule = new DIRECTIONS[method](), g = trace.x.slice(0, k + 1).map((x) => loss.jac(x));
  for (let i = 0; i < k; i++) {
    if (trace.rows[i + 1].note.includes(rule.restarted)) rule.restart();
    rule.update(plus(trace.x[i + 1], -1, trace.x[i]), g[i], g[i + 1]);
  }
  const columns = [[1, 0], [0, 1]].map((e) => rule.direction(loss, null, Float64Array.from(e)));
  return rule.fresh || method === "nlcg" ? null : Float64Array.from(columns.flatMap((column) => [...times(-1, column)]));
}

/** The search of iteration k: p, and φ with its slope at 0 and what it tried, [α, φ(α)], the one taken last. */
function search({ loss, trace }, k) {
  const [z, next] = [trace.x[k], trace.x[k + 1]], { step, note } = trace.rows[k + 1], p = times(1 / step, plus(next, -1, z)), size = dot(p, p);
  if (!(size > 0 && Number.isFinite(size))) return null;
  const phi = (alpha) => loss.fun(plus(z, alpha, p)), along = (u) => dot(plus(u, -1, z), p) / size;
  const tried = trace.trials[k + 1].filter((u) => Math.abs((u[0] - z[0]) * p[1] - (u[1] - z[1]) * p[0]) <= 1e-6 * size * Math.abs(along(u)));
  return { z, p, phi, note, slope: dot(loss.jac(z), p), alphas: [...new Set([...tried.map(along).filter((alpha) => Math.abs(alpha - step) > 1e-9 * step), step])] };
}

function render({ model: traits, el }) {
  let view, lanes = [], loss, going = false, begun = 0, painted = "";

  function build(state) {
    const { make, y } = LOSSES[state.loss], x0 = [state.x, clamp(state.y, ...y)];
    loss = make(state);
    lanes = (state.race === ALONE ? [state.method] : METHODS).map((method) => ({ method, loss, trace: null, result: null,
      run: iterate(loss, x0, { method, line_search: state.line_search, step: state.step, maxiter: MAXITER, gtol: 1e-6 }) }));
    lanes.forEach(advance);
    for (let end = performance.now() + 10; compute() && performance.now() < end;);
    engine.start();
  }

  /** Fifty iterations more of a run. */
  function advance(lane) {
    for (let i = 0; i < 50 && !lane.result; i++) {
      const { done, value } = lane.run.next();
      if (done) lane.result = value;
      lane.trace = done ? value.trace : value;
    }
  }
  /** The same of the shortest run that has not ended; false once all have. */
  function compute() {
    const open = lanes.filter(({ result }) => !result).sort((a, b) => a.trace.nit - b.trace.nit);
    open.slice(0, 1).forEach(advance);
    return open.length > 0;
  }

  const last = () => Math.max(...lanes.map(({ trace }) => trace.nit));
  const TEMPO = 6, PACE = 3000, place = (k) => Math.log1p(k / TEMPO) / Math.log1p(Math.max(1, last()) / TEMPO); // the first iterations have more room, and more time
  const iteration = (share) => Math.round(TEMPO * Math.expm1(share * Math.log1p(last() / TEMPO)));
  function play(on) {
    const k = view.state.at;
    going = on;
    begun = performance.now() - PACE * Math.log1p((k < last() ? k : 0) / TEMPO);
    view.set({}, null);
    engine.start();
  }
  /** A slice of work: runs first; then, while it plays, the iteration that is due. */
  const engine = runner(() => {
    if (compute()) return true;
    if (!going) return false;
    const k = Math.floor(TEMPO * Math.expm1((performance.now() - begun) / PACE));
    if (k >= last()) going = false;
    view.set({ at: going ? k : MAXITER }, null);
    return going ? null : false;
  }, () => view.set({}, null));
  const go_to = (k) => { going = false; view.set({ at: clamp(k, 0, last()) >= last() ? MAXITER : Math.max(0, k) }); };

  // ---- the page's elements

  const canvas = h("canvas", { "aria-hidden": "true", style: `left:${(100 * LEFT) / WIDTH}%;top:${800 / HEIGHT}%;width:${(100 * (WIDTH - LEFT - 10)) / WIDTH}%;height:${(100 * (HEIGHT - BOTTOM - 8)) / HEIGHT}%` });
  const [map, descent, ray] = ["level curves, and the solvers’ paths", "loss above the minimum", "the loss along the search direction"].map((label) => s("svg", { role: "img", "aria-label": label }));
  const grip = h("span", { class: "grip" }), readout = h("p", { class: "readout" }), beyond = h("p", { class: "beyond" }), outcome = h("p", { class: "outcome" });
  const plane = h("div", { class: "valley-plane", tabindex: 0, role: "application", "aria-label": "The start of the runs: drag it, or move it with the arrow keys" }, canvas, map, grip);
  const slider = h("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": "iteration", oninput: () => go_to(iteration(Number(slider.value))) });
  const now = () => Math.min(view.state.at, last());
  slider.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (way) { event.preventDefault(); go_to(now() + way); }
  });
  const run = button("▶", () => play(!going), "Play or pause", { class: "primary" }), where = h("span", { class: "where" });
  const steps = h("div", { class: "steps" }, run, button("‹", () => go_to(now() - 1), "One iteration back"), slider, button("›", () => go_to(now() + 1), "One iteration on"), where);
  const legend = h("div", { class: "legend", role: "group", "aria-label": "solver to watch" }), tables = h("div", { class: "tables", tabindex: 0, role: "region", "aria-label": "data" });
  const details = h("details", { ontoggle: () => view.set({}, null) }, h("summary", {}, "The runs as tables"), tables), told = h("p", { class: "quiet" });

  const frames = {};
  const move = ([x, y]) => { going = false; view.set({ x: clamp(x, ...X_SPAN), y: clamp(y, ...LOSSES[view.state.loss].y), at: 0 }); };
  draggable(plane, (event) => move(frames.plane.place(event)), (dx, dy) => move([view.state.x + dx / 50, view.state.y + dy / 50]), grip);
  /** What the picture says where the pointer is. */
  const read = (node, frame, words) => {
    node.addEventListener("pointermove", (event) => { if (frames[frame]) readout.textContent = words(...frames[frame].place(event)); });
    node.addEventListener("pointerleave", () => view.set({}, null));
  };
  const at_point = (x, y) => {
    const z = Float64Array.of(x, y), [f, g] = loss.fun_and_jac(z);
    return `at (${show(x)}, ${show(y)}): loss ${show(f)}, gradient (${[...g].map((v) => show(v)).join(", ")}), curvatures ${[...spectrum(loss.hess(z)).values].sort((u, v) => u - v).map((v) => show(v)).join(" and ")}`;
  };
  read(plane, "plane", at_point);
  read(descent, "descent", (n) => `after ${Math.max(0, Math.round(n))} ${view.state.axis}: ${lanes.map(({ method, trace }) => `${method} ${show(trace.rows.findLast((row, k) => count(row, k) <= Math.max(0, n))?.fun ?? NaN)}`).join(", ")}`);
  read(ray, "ray", (alpha) => `φ(${show(Math.max(0, alpha))}) = ${show(frames.ray.phi(Math.max(0, alpha)))}`);
  const count = (row, k) => (view.state.axis === "iterations" ? k : row.evaluations);

  function body(controls, { reset, copy, address }) {
    const nodes = controls.map(({ node }) => node), axis = nodes[controls.findIndex(({ field }) => field.name === "axis")];
    return h("div", {}, h("div", { class: "valley" }, h("div", {}, plane, steps, readout, beyond, h("p", { class: "quiet" }, "Orange rings: what the search tries from here. Ellipse: the level curve of Newton’s model through this point; the cross, its minimum."), h("div", { class: "controls" }, ...nodes.filter((node) => node !== axis)), outcome),
      h("div", { class: "side" }, h("div", { class: "actions" }, axis), legend, descent, ray, told)),
      h("div", { class: "actions" }, reset, copy, address), details);
  }

  // ---- drawing

  function draw(state) {
    const k = now(), { y: span, minima, lowest } = LOSSES[state.loss], [x, y] = [scale(...X_SPAN), scale(...span)], watched = lanes.find(({ method }) => method === state.method);
    run.textContent = going ? "❚❚" : "▶";
    slider.value = place(k);
    slider.setAttribute("aria-valuetext", (where.textContent = `iteration ${k} of ${last()}`));

    // the plane: the models, the paths, the search's trials, the start
    const frame = (frames.plane = axes(map, x, y, { width: WIDTH, height: HEIGHT, left: LEFT, bottom: BOTTOM })), { X, Y, inside } = frame;
    const key = [state.loss, state.a, state.b, state.kappa, state.angle, canvas.clientWidth, canvas.clientHeight].join();
    if (key !== painted) level_curves(canvas, (u, v) => loss.fun([u, v]) - lowest, x, y);
    painted = key;
    const from = Math.min(k, watched.trace.nit - 1), tried = from < 0 ? null : search(watched, from), z = watched.trace.x[Math.max(0, from)], g = loss.jac(z), { values, vectors } = spectrum(loss.hess(z));
    const ellipse = (inverse, axes_of, kind, more = {}) => {
      const { centre, points } = model(z, g, inverse, axes_of);
      inside.append(s("path", { class: kind, d: trail(points, X, Y), ...more }), s("path", { class: kind, d: `M${X(centre[0]) - 4} ${Y(centre[1])}h8m-4 -4v8`, ...more }));
    };
    const convex = values.every((v) => v > 0), own = ["bfgs", "lbfgs"].includes(state.method) && learnt(watched, Math.max(0, from));
    if (convex) ellipse(values.map((v) => 1 / v), vectors, `model${state.method === "newton" ? "" : " thin"}`);
    if (own) { const B = spectrum(own); ellipse(B.values, B.vectors, "model own", { style: `--c: ${COLORS[state.method]}` }); }
    for (const point of minima(state)) inside.append(s("text", { class: "star", x: X(point[0]), y: Y(point[1]) + 6, "text-anchor": "middle" }, "★"));
    for (const lane of [...lanes].sort((a, b) => (a === watched) - (b === watched))) {
      const { trace: { x: path } } = lane, group = s("g", { class: `run dash${DASH[lane.method]}`, style: `--c: ${COLORS[lane.method]}` }), head = path[Math.min(k, path.length - 1)];
      group.append(s("path", { class: "ahead", d: trail(path.slice(k), X, Y) }), s("path", { d: trail(path.slice(0, k + 1), X, Y) }));
      if (lane === watched) for (const point of path.slice(0, Math.min(k, 60))) group.append(s("circle", { r: 2.2, cx: X(point[0]), cy: Y(point[1]) }));
      if (head.every(Number.isFinite)) group.append(s("circle", { r: lane === watched ? 5 : 4, cx: X(head[0]), cy: Y(head[1]) }));
      inside.append(group);
    }
    for (const alpha of tried?.alphas ?? []) { const [u, v] = plus(z, alpha, tried.p); inside.append(s("circle", { class: "trial", r: 4, cx: X(u), cy: Y(v) })); }
    Object.assign(grip.style, { left: `${(100 * X(state.x)) / WIDTH}%`, top: `${(100 * Y(clamp(state.y, ...span))) / HEIGHT}%` });

    // who has come how far
    const ends = lanes.map(({ trace }) => count(trace.rows.at(-1), trace.nit)).sort((a, b) => b - a), height = (f) => Math.max(f - lowest, 1e-16);
    frames.descent = chart(descent, lanes.map(({ method, trace }) => ({ class: `dash${DASH[method]}`, color: COLORS[method], points: trace.rows.map((row, i) => [count(row, i), height(row.fun)]) })),
      { xlabel: state.axis, ylabel: "loss above the minimum", xmax: Math.max(4, Math.min(ends[0], 3 * (ends[1] ?? ends[0]))), seen: [height(loss.fun(watched.trace.x[0])) / 30], depth: 1e-18, height: 215 });
    for (const { method, trace } of lanes) {
      const i = Math.min(k, trace.nit), group = s("g", { class: "run", style: `--c: ${COLORS[method]}` });
      group.append(s("circle", { r: 4, cx: frames.descent.X(count(trace.rows[i], i)), cy: frames.descent.Y(height(trace.rows[i].fun)) || -9 }));
      frames.descent.inside.append(group);
    }
    legend.replaceChildren(...lanes.map(({ method, trace, result }) => button(`${method} ${result ? "" : "…"}${count(trace.rows.at(-1), trace.nit)}${!result || result.success ? "" : result.nit === MAXITER ? "+" : " ✗"}`,
      () => view.set({ method }), undefined, { class: `key dash${DASH[method]}`, style: `--c: ${COLORS[method]}`, "aria-pressed": String(method === state.method) })));

    frames.ray = tried && slice(tried);
    if (!tried) ray.replaceChildren();
    told.textContent = tried ? `The search of iteration ${from + 1}, along ${state.method}’s direction: φ, its tangent (dashed), Armijo’s line (dotted). ${tried.alphas.length > 1 ? `Tried ${tried.alphas.map((v) => show(v)).join(", ")}; took the last.` : `Took ${show(tried.alphas[0])}.`} ${tried.note}`
      : "There is no step to show.";
    const { rows } = watched.trace;
    readout.textContent = `${state.method}, ${at_point(...watched.trace.x[Math.min(k, rows.length - 1)])}`;
    const away = lanes.filter(({ trace }) => trace.x.some(([u, v]) => !(Math.abs(X(u) - WIDTH / 2) < WIDTH && Math.abs(Y(v) - HEIGHT / 2) < HEIGHT)));
    beyond.textContent = away.length ? `${away.map(({ method, trace }) => `${method} leaves the picture, up to a loss of ${show(Math.max(...trace.rows.map((r) => r.fun)))}`).join("; ")}.` : "";
    outcome.textContent = `${state.method}: ${watched.result?.message ?? "still running"} (${watched.trace.nit} iterations, ${rows.at(-1).evaluations} evaluations).`;
    if (details.open) tables.replaceChildren(
      table(["iteration", "x", "y", "loss", "gradient norm", "step", "evaluations"], rows.slice(0, 200).map((r, i) => [i, ...watched.trace.x[i], r.fun, r.gnorm, r.step, r.evaluations])),
      table(["solver", "iterations", "evaluations", "loss", "outcome"], lanes.map(({ method, trace, result }) => [method, trace.nit, trace.rows.at(-1).evaluations, trace.rows.at(-1).fun, result?.message ?? "…"])),
      ...(tried ? [table(["α tried", "φ(α)"], [0, ...tried.alphas].map((alpha) => [alpha, tried.phi(alpha)]))] : []));
  }

  /** The second panel: φ along the direction, its tangent, Armijo's line, the trials. */
  function slice({ phi, slope, alphas }) {
    const taken = alphas.at(-1), far = clamp(1.15 * Math.max(...alphas), 1.3 * taken, 9 * taken), [f, at] = [phi(0), Array.from({ length: 81 }, (_, i) => (far * i) / 80)];
    const values = at.map(phi).filter(Number.isFinite), low = Math.min(...values), drop = f - low || 1e-300, high = clamp(Math.max(...values), f + 0.15 * drop, f + 6 * drop);
    const frame = axes(ray, scale(0, far), scale(low - 0.08 * (high - low), high), { xlabel: "α", ylabel: "φ(α)", height: 190 }), { X, Y, inside, top } = frame;
    const line = (kind, points) => inside.append(s("path", { class: kind, d: trail(points, X, Y) }));
    line("slope", [[0, f], [far, f + far * slope]]);
    line("armijo", [[0, f], [far, f + far * C1 * slope]]);
    line("phi", at.map((alpha) => [alpha, phi(alpha)]));
    for (const alpha of alphas) inside.append(s("circle", { class: alpha === taken ? "here" : "trial", r: 4, cx: X(alpha), cy: Math.max(top + 5, Y(phi(alpha)) || 0) }));
    return { ...frame, phi };
  }

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const given = Object.entries(traits?.get("first") ?? {}).map(([key, value]) => [`valley.${key}`, value]);
  live(el, { name: "valley", label: "The valley", fields: FIELDS, initial: codec("valley", FIELDS, INITIAL).read(new URLSearchParams(given)).state, body,
    said: "Five solvers leave the ring at once. Drag it, and every run is made anew. Who is first at the star: by iterations, and by evaluations?",
    stories: STORIES.map((story) => ({ ...story, then: () => story.set.at || calm() || play(true) })),
    draw(state, changed, self) {
      view = self;
      if ([...changed].some((name) => !FIELDS.find((field) => field.name === name)?.free)) build(state);
      draw(state);
    } });
  if (view.state.at === MAXITER && !calm()) play(true);
  return () => engine.stop();
}

export default { render };
