// Drawing that the live pictures share: axes and paths in SVG, fields and level curves on canvas.

import { eigh, plus, times } from "../live/linalg.js";
import { clamp, h, s, show } from "./elements.js";

/** The solvers' colours, as in plots.py, and their dashes: places in DASHES there. */
export const COLORS = {
  gradient: "#6e6e6e",
  newton: "#0072b2",
  nlcg: "#d55e00",
  bfgs: "#cc79a7",
  lbfgs: "#009e73",
  sgd: "#6e6e6e",
  momentum: "#56b4e9",
  adam: "#d55e00",
  kronecker: "#0072b2",
};
const DASH = {
  gradient: 0,
  newton: 0,
  nlcg: 1,
  bfgs: 2,
  lbfgs: 3,
  sgd: 0,
  momentum: 1,
  adam: 0,
  kronecker: 0,
};

/** The dash of the solver that a label starts with; of another run that of its place. */
export const dash = (label, place = 0) => DASH[label.toLowerCase().split(/[ ,:]/)[0]] ?? place % 4;

/** Colours of classes, blue, orange and green, and their marks: disc, triangle, square. */
export const INKS = [
  [0, 114, 178],
  [213, 94, 0],
  [0, 158, 115],
];
export const MARKS = [
  "m-2.2 0a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0 -4.4 0",
  "m0 -3l2.8 4.9h-5.6z",
  "m-2 -2h4v4h-4z",
];

/** A scale: of(v) is a share of [low, high], at(share) a value, ticks the values to write. */
export function scale(low, high, log = false) {
  if (!(high > low)) [low, high] = log ? [low / 2, low * 2] : [low - 1, low + 1];
  const bend = log ? Math.log10 : (v) => v;
  const back = log ? (v) => 10 ** v : (v) => v;
  const [a, b] = [bend(low), bend(high)];
  const rough = (b - a) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = log
    ? Math.max(1, Math.round(rough))
    : [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= 0.8 * rough); // at least two ticks
  const ticks = [];
  const parts = log && b - a < 2 ? (b - a < 1 ? [1, 2, 3, 5, 7] : [1, 2, 5]) : [1]; // of a decade
  for (let k = (log ? Math.floor : Math.ceil)(a / step - 1e-9); k * step <= b + 1e-9 * step; k++)
    ticks.push(
      ...parts
        .map((part) => part * back(Number((k * step).toPrecision(12))))
        .filter((v) => !log || (v >= low * 0.999 && v <= high * 1.001)),
    );
  return {
    of: (v) => (bend(v) - a) / (b - a),
    at: (share) => back(a + share * (b - a)),
    ticks,
    low,
    high,
  };
}

export const percent = (part, whole) => `${(100 * part) / whole}%`;

/** Axes in `svg`, emptied first, and `canvas` below them; X and Y place a value, `inside` takes
 * what is drawn, clipped so much outside the axes; `left` makes room for the longest number where
 * it is not given. */
export function axes(
  svg,
  x,
  y,
  {
    xlabel = "",
    ylabel = "",
    width = 360,
    height = 260,
    left,
    bottom = 38,
    outside = 0,
    canvas = null,
  } = {},
) {
  const [down, across] = [y, x].map(({ ticks, words = show }) => ticks.map((v) => [v, words(v)]));
  left ??= Math.max(60, ...down.map(([, text]) => 24 + 7.2 * text.length));
  const right = width - 10;
  const top = 8;
  const base = height - bottom;
  const [wide, high] = [right - left, base - top];
  const X = (v) => clamp(left + x.of(v) * wide, -1e5, 1e5);
  const Y = (v) => clamp(base - y.of(v) * high, -1e5, 1e5);
  const clip = {
    x: left - outside,
    y: top - outside,
    width: wide + 2 * outside,
    height: high + 2 * outside,
  };
  const inside = s("svg", { ...clip, viewBox: Object.values(clip).join(" ") });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(
    ...down.flatMap(([v, text]) => [
      s("line", { class: "grid", x1: left, x2: right, y1: Y(v), y2: Y(v) }),
      s("text", { class: "tick up", x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, text),
    ]),
    ...across.flatMap(([v, text]) => [
      s("line", { class: "grid along", x1: X(v), x2: X(v), y1: top, y2: base }),
      s(
        "text",
        {
          class: "tick along",
          x: Math.min(X(v), width - 3.9 * text.length),
          y: base + 16,
          "text-anchor": "middle",
        },
        text,
      ),
    ]),
    s("path", { class: "axis", d: `M${left} ${top}V${base}H${right}` }),
    inside,
    s("text", { x: (left + right) / 2, y: height - 4, "text-anchor": "middle" }, xlabel),
    s(
      "text",
      { x: -(top + base) / 2, y: 12, transform: "rotate(-90)", "text-anchor": "middle" },
      ylabel,
    ),
  );
  if (canvas)
    Object.assign(canvas.style, {
      left: percent(left, width),
      top: percent(top, height),
      width: percent(wide, width),
      height: percent(high, height),
    });
  // from a pointer's place on the screen to values
  const place = (event) => {
    const [u, v] = shares(event, svg);
    return [x.at((u * width - left) / wide), y.at((v * height - bottom) / high)];
  };
  return { X, Y, inside, place, left, right, top, base };
}

/** Where a pointer is in a node: shares of its width, and of its height from below. */
export function shares({ clientX, clientY }, node) {
  const { left, top, width, height } = node.getBoundingClientRect();
  return [(clientX - left) / width, 1 - (clientY - top) / height].map((share) =>
    clamp(share, 0, 1),
  );
}

/** A run in axes: the line through its points, and circles of radius r at those of `dots`, each
 * with its kind. */
export const run = ({ X, Y }, points, { color, kind = "", dots = [], r = 4 }) =>
  s(
    "g",
    { class: `run ${kind}`, style: `--c: ${color}` },
    s("path", { d: trail(points, X, Y) }),
    ...dots
      .filter(([u, v]) => Number.isFinite(X(u) + Y(v)))
      .map(([u, v, own = ""]) => s("circle", { class: own, r, cx: X(u), cy: Y(v) })),
  );

/** The ellipse vᵀBv = r² around a centre, as points, for B's inverse; none where that has an
 * eigenvalue below 0. */
export function ellipse(centre, inverse, r) {
  const { values, vectors } = eigh(inverse, 2);
  const turns = Array.from({ length: 73 }, (_, t) => (t * Math.PI) / 36);
  const [u, v] = [0, 1].map((i) =>
    times(r * Math.sqrt(values[i]), vectors.subarray(2 * i, 2 * i + 2)),
  );
  return Math.min(...values) > 0
    ? turns.map((t) => plus(plus(centre, Math.cos(t), u), Math.sin(t), v))
    : [];
}

// pixels out of the picture, where a run that diverges ends: a longer line's dashes take time
const FAR = 4e3;

/** Path data through the points, without those that no eye tells apart; a gap where one is not
 * finite. */
export function trail(points, X, Y) {
  let pen = "M";
  let last = [NaN, NaN];
  return points
    .map(([u, v], i) => {
      const [px, py] = [X(u), Y(v)].map((at) => clamp(at, -FAR, FAR));
      const finite = Number.isFinite(px + py);
      if (
        finite &&
        pen === "L" &&
        i < points.length - 1 &&
        Math.abs(px - last[0]) < 0.5 &&
        Math.abs(py - last[1]) < 0.5
      )
        return "";
      const text = finite ? `${pen}${px.toFixed(1)} ${py.toFixed(1)}` : "";
      pen = finite ? "L" : "M";
      last = [px, py];
      return text;
    })
    .join("");
}

/** Runs in axes of their own, in bounds whatever diverges: curves of { points, color, kind, dots };
 * no value above `most` nor, on a log scale, below `depth` of the highest; `seen`: values that the
 * axis must hold. */
export function chart(
  svg,
  curves,
  { xlabel, ylabel, xmax, log = true, seen = [], most = 1e4, depth = 1e-7, height = 230 },
) {
  const shown = curves.map((curve) => ({
    ...curve,
    points: curve.points.filter(([u]) => u <= xmax),
  }));
  const values = [...seen, ...shown.flatMap(({ points }) => points.map(([, v]) => v))].filter(
    (v) => Number.isFinite(v) && (!log || v > 0),
  );
  const top = Math.min(
    most,
    values.reduce((a, b) => Math.max(a, b), -Infinity),
  );
  const base = Math.max(
    log ? top * depth : -most,
    values.reduce((a, b) => Math.min(a, b), top),
  );
  const frame = axes(
    svg,
    scale(0, xmax),
    scale(log ? base / 1.1 : base, log ? top * 1.1 : top, log),
    { xlabel, ylabel, height, outside: 5 },
  );
  frame.inside.append(...shown.map((curve) => run(frame, curve.points, curve)));
  return frame;
}

/** Sets every pixel of an n × m canvas: colour(i, j) is [r, g, b, alpha], the top row first. */
export function paint(canvas, n, m, colour) {
  Object.assign(canvas, { width: n, height: m });
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, m);
  for (let j = 0, t = 0; j < m; j++)
    for (let i = 0; i < n; i++, t += 4) image.data.set(colour(i, j), t);
  context.putImageData(image, 0, 0);
}

/** Filled level curves of f(u, v) >= 0 over x and y (scales): `levels` in equal ratios over four
 * decades. */
export function level_curves(canvas, f, x, y, levels = 14, n = 150) {
  const m = n + 1;
  const F = new Float64Array(m * m).map((_, t) =>
    f(x.at((t % m) / n), y.at(1 - Math.floor(t / m) / n)),
  );
  const high = F.reduce((a, b) => Math.max(a, b));
  const T = F.map((v) => levels * clamp(1 + Math.log10(v / high) / 4, 0.01, 1));
  const shade = h("canvas");
  const lines = new Path2D();
  const dense = Math.min(2, window.devicePixelRatio || 1);
  const width = (canvas.clientWidth || 360) * dense;
  const height = (canvas.clientHeight || 260) * dense;
  // the style sheet turns it round where the page is dark
  paint(shade, m, m, (i, j) => [16, 62, 99, 6.5 * T[j * m + i]]);
  for (let j = 0; j < n; j++)
    for (let i = 0; i < n; i++) {
      const t = j * m + i;
      const corners = [t, t + 1, t + m + 1, t + m];
      const low = Math.min(T[t], T[t + 1], T[t + m], T[t + m + 1]);
      const most = Math.max(T[t], T[t + 1], T[t + m], T[t + m + 1]);
      for (let k = Math.ceil(low); k <= most && k < levels; k++) {
        // where this level crosses the cell's sides: marching squares
        const level = high * 10 ** (4 * (k / levels - 1));
        let pen = "moveTo";
        corners.forEach((p, side) => {
          const q = corners[(side + 1) % 4];
          const share = (level - F[p]) / (F[q] - F[p]);
          if (!(share >= 0 && share < 1)) return;
          const at = (from, to) => from + share * (to - from);
          const [u, v] = [at(p % m, q % m), at(Math.floor(p / m), Math.floor(q / m))];
          lines[pen]((u / n) * width, (v / n) * height);
          pen = pen === "moveTo" ? "lineTo" : "moveTo";
        });
      }
    }
  Object.assign(canvas, { width, height, className: "levels" });
  const context = canvas.getContext("2d");
  context.drawImage(shade, 0, 0, width, height);
  Object.assign(context, { strokeStyle: "rgb(16 62 99 / 0.3)", lineWidth: dense });
  context.stroke(lines);
}
