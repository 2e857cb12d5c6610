// What BFGS learns of the curvature, from steps that the reader chooses: a click makes a pair.

import { COLORS, axes, ellipse, level_curves, run, scale, shares, trail } from "../draw/draw.js";
import { area, button, clamp, h, image, pixels, s, show } from "../draw/elements.js";
import { dot, eigh, inverse, plus, product } from "../live/linalg.js";
import { Quadratic, Saddle } from "../live/losses/plane.js";
import { Rosenbrock } from "../live/losses/rosenbrock.js";
import { DIRECTIONS, believed } from "../live/solvers/directions.js";
import { LINE_SEARCHES, Ray } from "../live/solvers/line_search.js";
import { draggable } from "./controls.js";
import { live } from "./live.js";

const LOSSES = {
  quadratic: ({ kappa, angle }) => new Quadratic(kappa, (angle * Math.PI) / 180),
  valley: () => new Rosenbrock(1, 5),
  saddle: () => new Saddle(),
};
const START = "-1.3,0.4";
const ALL = "all";
const SIDE = 360;
const SPAN = [-2, 2];
const MOST = 24;
const RADIUS = 0.65;
const NUMBER = "-?(?:[01]?\\.\\d+|[012])";
const POINT = `${NUMBER},${NUMBER}`;
const FIELDS = [
  { name: "loss", label: "loss", options: Object.keys(LOSSES) },
  {
    name: "memory",
    label: "pairs kept",
    options: [ALL, "1", "2", "5"],
    words: { [ALL]: "all: BFGS" },
  },
  {
    name: "kappa",
    label: "condition κ",
    min: 1,
    max: 100,
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
  {
    name: "path",
    pattern: new RegExp(`^${POINT}(;${POINT}){0,${MOST - 1}}$`),
    words: `1 to ${MOST} points "x,y", numbers from −2 to 2, with semicolons between`,
  },
];
const INITIAL = { loss: "quadratic", memory: ALL, kappa: 12, angle: 30, path: START };
const STORIES = [
  {
    name: "Its own steps",
    set: {},
    say: "Press “Its own step” again and again: the direction that BFGS would take, as far as a strong Wolfe search goes. When does the coloured ellipse lie on the blue one?",
  },
  {
    name: "Always the same way",
    set: { path: "-1.3,0.4;-0.9,0.4;-0.4,0.4;0.2,0.4;0.8,0.4" },
    say: "Four steps along x, and the last three taught nothing new. Add one in another direction.",
  },
  {
    name: "A pair refused",
    set: { loss: "saddle", path: "-1.2,-0.3;-1,0.3" },
    say: "Over this step the slope falls: s·y is negative, no ellipse fits, and the pair is left out (dashed). How far up must the step end for the pair to count?",
  },
  {
    name: "Forgetting",
    set: { loss: "valley", memory: "1", path: "-1.4,1.6;-1.1,1.1;-0.8,0.7;-0.3,0.2;0.3,0.1" },
    say: "In a bent valley old pairs speak of another place. Compare one pair kept with all of them.",
  },
];

const points = (path) =>
  path.split(";").map((pair) => Float64Array.from(pair.split(",").map(Number)));
const written = (visits) =>
  visits.map((x) => [...x].map((v) => Number(v.toFixed(3))).join(",")).join(";");

/** The rule after its walk over the visits: H as columns, and each pair: s·y, and why it was left
 * out, if so. */
export function learn(loss, visits, memory) {
  const rule =
    memory === ALL ? new DIRECTIONS.bfgs() : new DIRECTIONS.lbfgs({ memory: Number(memory) });
  const g = visits.map((x) => loss.jac(x));
  const pairs = visits.slice(1).map((x, i) => {
    const step = plus(x, -1, visits[i]);
    rule.update(step, g[i], g[i + 1]);
    return { product: dot(step, plus(g[i + 1], -1, g[i])), note: rule.note };
  });
  return { rule, pairs, H: believed(rule) };
}

function render({ el }) {
  let painted = "";
  const canvas = pixels();
  const map = image("level curves, the points visited, and two ellipses of curvature");
  const plane = area(
    "regions learning",
    "The plane: a click steps there; the arrow keys move the last point",
    canvas,
    map,
  );
  const chart = s("svg", {
    role: "img",
    "aria-label": "learnt curvature over true curvature, pair by pair",
  });
  const told = h("div", { class: "told" });
  const visits = () => points(view.state.path);
  const put = (list) => view.set({ path: written(list.slice(0, MOST)) });
  // the picture fills its square: no margin for axes
  const kept = (event) => shares(event, map).map((share) => scale(...SPAN).at(share));
  draggable(
    plane,
    (event) => {
      const list = visits();
      put(
        event.type === "pointermove" ? [...list.slice(0, -1), kept(event)] : [...list, kept(event)],
      );
    },
    (dx, dy) =>
      put([
        ...visits().slice(0, -1),
        [0, 1].map((i) => clamp(visits().at(-1)[i] + 0.05 * [dx, dy][i], ...SPAN)),
      ]),
  );
  const back = () => put(visits().slice(0, Math.max(1, visits().length - 1)));
  plane.addEventListener("pointercancel", back); // a finger that scrolls the page made no step
  const own = () => {
    const list = visits();
    const loss = LOSSES[view.state.loss](view.state);
    const { rule } = learn(loss, list, view.state.memory);
    const x = list.at(-1);
    const [f, g] = loss.fun_and_jac(x);
    const found = LINE_SEARCHES.wolfe({ c2: rule.c2 })(
      new Ray(loss, x, f, g, rule.direction(loss, x, g)),
      rule.fresh ? 0.1 : 1,
    );
    if (!found || Math.hypot(...g) < 1e-3)
      return view.say("The gradient is 0 to three digits: it has arrived.");
    put([...list, found.x.map((v) => clamp(v, ...SPAN))]);
  };
  const buttons = [
    button("Its own step", own, "Its own step", { class: "primary" }),
    button("Take back", back),
    button("From the start", () => put(visits().slice(0, 1))),
  ];

  function picture(state) {
    const list = points(state.path);
    const loss = LOSSES[state.loss](state);
    const { H, pairs } = learn(loss, list, state.memory);
    const z = list.at(-1);
    const truth = loss.hess(z);
    const axis = scale(...SPAN);
    const { X, Y, inside, left, right, top, base } = axes(map, axis, axis, {
      width: SIDE,
      height: SIDE,
      left: 0,
      bottom: 0,
    });
    const key = [state.loss, state.kappa, state.angle].join();
    const color = COLORS[state.memory === ALL ? "bfgs" : "lbfgs"];
    map.setAttribute("viewBox", `${left} ${top} ${right - left} ${base - top}`);
    map.setAttribute("preserveAspectRatio", "none");
    if (key !== painted) level_curves(canvas, (u, v) => loss.fun([u, v]) + 0.25, axis, axis);
    painted = key;
    list.slice(1).forEach((x, i) =>
      inside.append(
        s("path", {
          class: `step${pairs[i].note ? " refused" : ""}`,
          d: trail([list[i], x], X, Y),
        }),
      ),
    );
    list.forEach((x) =>
      inside.append(s("circle", { class: "visit", cx: X(x[0]), cy: Y(x[1]), r: 3 })),
    );
    for (const [kind, B] of [
      ["", inverse(truth)],
      ["believed", H],
    ])
      inside.append(
        s("path", {
          class: `model ${kind}`,
          style: `--c: ${color}`,
          d: trail(ellipse(z, B, RADIUS), X, Y),
        }),
      );

    // what it believes over what is true, in the two directions where they differ most and least
    const ratios = list.map((_, k) => {
      const { values, vectors } = eigh(loss.hess(list[k]), 2);
      const L = (v) =>
        [0, 1].map((i) => Math.sqrt(values[i]) * dot(vectors.subarray(2 * i, 2 * i + 2), v));
      if (!(Math.min(...values) > 0)) return [NaN, NaN];
      const C = learn(loss, list.slice(0, k + 1), state.memory).H;
      const [p, q] = [0, 1].map((i) =>
        L(product(C, vectors.subarray(2 * i, 2 * i + 2))).map((v) => v * Math.sqrt(values[i])),
      );
      return [...eigh(Float64Array.of(p[0], p[1], q[0], q[1]), 2).values]
        .map((v) => 1 / v)
        .sort((a, b) => a - b);
    });
    const frame = axes(chart, scale(0, Math.max(4, list.length - 1)), scale(0.01, 100, true), {
      xlabel: "pairs",
      ylabel: "learnt / true curvature",
      height: 230,
      outside: 5,
    });
    frame.inside.append(
      s("path", {
        class: "level",
        d: trail(
          [
            [0, 1],
            [MOST, 1],
          ],
          frame.X,
          frame.Y,
        ),
      }),
    );
    for (const i of [0, 1]) {
      const line = ratios.map((pair, k) => [k, pair[i]]);
      frame.inside.append(run(frame, line, { color, dots: line, r: 2.4 }));
    }
    const last = pairs.at(-1);
    const words = (M) =>
      [...eigh(M, 2).values]
        .sort((a, b) => a - b)
        .map((v) => show(v))
        .join(" and ");
    told.replaceChildren(
      ...[
        `Curvatures at the last point: ${words(truth)}. Learnt: ${words(inverse(H))}.`,
        last
          ? `The last pair: s·y = ${show(last.product)}${last.note ? `, ${last.note}` : ""}.`
          : "No pair yet: it begins with the identity.",
        list.length >= MOST ? `The picture holds ${MOST} points.` : "",
      ].map((text) => h("p", {}, text)),
    );
  }

  function body(controls) {
    return h(
      "div",
      {},
      h(
        "div",
        { class: "stage" },
        h("div", {}, plane, h("div", { class: "actions" }, ...buttons)),
        h("div", {}, h("div", { class: "controls" }, ...Object.values(controls)), chart, told),
      ),
      h(
        "p",
        { class: "quiet" },
        "Click or tap where the next step shall lead; draw to move the point. Blue: the curvature as it is at the last point. Coloured: as it was learnt. Each ellipse joins the places where the quadratic rises equally.",
      ),
    );
  }

  const view = live(el, {
    name: "learning",
    label: "Learning the curvature",
    fields: FIELDS,
    initial: INITIAL,
    stories: STORIES,
    body,
    picture,
    opening:
      "A step shows one product with the Hessian. Choose a story, or choose the steps yourself.",
  });
  return view.stop;
}

export default { render };
