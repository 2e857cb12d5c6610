// The panels of an explorer, and its tables: they draw what Python computed.

import { clamp, h, raised, s, show } from "./live/elements.js";

const GRID = 500; // of the contours, as in explore.py
// Where the axes stand in a picture of W by H pixels: letters have one size on every screen.
const boxOf = ({ W, H }) => ({ left: 54, right: W - 10, top: 10, bottom: H - 42 });

// ---- numbers

const numbers = (text) => text.startsWith("0:") ? [...Array(+text.slice(2)).keys()] : text ? text.split(" ").map(Number) : [];
const rows = (text) => (text === undefined ? undefined : text.split("|").map(numbers));
export const words = (name) => name.replaceAll("_", " ");

export function unpack(state, shared, columns) {
  const texts = Object.fromEntries(Object.entries(state).map(([k, v]) => [k, v?.[0] === "@" ? shared[v.slice(1)] : v]));
  const runs = state.runs.map((run) => Object.fromEntries(
    Object.entries(run).map(([k, v]) => [k, k === "label" || k === "color" ? v : numbers(v)])));
  const now = { ...texts, runs, columns, at: (i) => (state.per_frame ? [runs[i]] : runs) };
  for (const name of ["contours", "points", "answers"]) now[name] = rows(texts[name]);
  now.trials = texts.trials?.split("|").map((row) => row.split("/").map(numbers));
  now.image = state.image && { ...state.image, frames: state.image.data.map((d) => entries(d, state.image)) };
  now.count = state.frames?.length ?? Math.max(...runs.map((run) => run[columns[0]].length));
  return now;
}

function entries(text, { shape: [, n], symmetric }) {
  const given = text.includes(" ") ? numbers(text) : [...text].map(Number);
  if (!symmetric) return given; // else the lower triangle, row by row
  const at = (r, c) => given[(r * (r + 1)) / 2 + c];
  return [...Array(n * n).keys()].map((i) => [Math.floor(i / n), i % n]).map(([r, c]) => at(Math.max(r, c), Math.min(r, c)));
}

// ---- scales: a position for a number, and the numbers to write beside the axis

function linear(low, high) {
  const raw = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * unit >= raw) * unit, ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  return { at: (v) => (v - low) / (high - low), ticks: ticks.map((v) => [v, show(v)]) };
}

function logarithmic(low, high) {
  const [a, b] = [Math.log10(low), Math.log10(high)];
  const first = Math.ceil(a - 1e-9), last = Math.floor(b + 1e-9);
  const stride = Math.max(1, Math.ceil((last - first) / 6)), ticks = [];
  for (let k = first; k <= last; k += stride) ticks.push([10 ** k, `10${raised(k)}`]);
  if (ticks.length < 2) return { ...linear(low, high), at: (v) => (Math.log10(v) - a) / (b - a) }; // hardly a decade
  return { at: (v) => (Math.log10(v) - a) / (b - a), ticks };
}

function symlog(low, high, inner) {
  const bend = (v) => Math.sign(v) * Math.log10(1 + Math.abs(v) / inner);
  const [a, b] = [bend(low), bend(high)], ticks = [[0, "0"]];
  const first = Math.round(Math.log10(inner)) + 1, last = Math.floor(Math.log10(Math.max(-low, high)));
  for (let k = first; k <= last; k += Math.max(1, Math.ceil((last - first) / 3)))
    for (const [v, text] of [[10 ** k, `10${raised(k)}`], [-(10 ** k), `−10${raised(k)}`]])
      if (v >= low && v <= high) ticks.push([v, text]);
  return { at: (v) => (bend(v) - a) / (b - a), ticks };
}

function frame(svg, size, x, y, xlabel, ylabel, inset = 0) {
  const { left, right, top, bottom } = boxOf(size), width = right - left, height = bottom - top;
  const X = (v) => left + inset + x.at(v) * (width - 2 * inset), Y = (v) => bottom - inset - y.at(v) * (height - 2 * inset);
  for (const [v, text] of x.ticks)
    svg.append(s("line", { class: "grid", x1: X(v), x2: X(v), y1: top, y2: bottom }),
      s("text", { class: "tick along", x: X(v), y: bottom + 16, "text-anchor": "middle" }, text));
  for (const [v, text] of y.ticks)
    svg.append(s("line", { class: "grid", x1: left, x2: right, y1: Y(v), y2: Y(v) }),
      s("text", { class: "tick up", x: left - 6, y: Y(v) + 4, "text-anchor": "end" }, text));
  const inside = s("svg", { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}` });
  svg.append(s("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` }), inside,
    s("text", { x: left + width / 2, y: bottom + 36, "text-anchor": "middle" }, xlabel),
    s("text", { x: -top - height / 2, y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, ylabel));
  return { X, Y, inside };
}

const FAR = 1e3, TALLEST = 300; // times the start's value, that a picture reaches up; pixels of an image
const near = (v) => clamp(v, -1e5, 1e5); // a run may diverge; a path's numbers may not
const trail = (points, X, Y) => points.map(([u, v]) => [near(X(u)), near(Y(v))]).map(([u, v], i, all) =>
  (Number.isFinite(u + v) ? `${i && Number.isFinite(all[i - 1][0] + all[i - 1][1]) ? "L" : "M"}${u.toFixed(1)} ${v.toFixed(1)}` : "")).join("");
const pairs = (us, vs) => us.map((u, i) => [u, vs[i]]);
export const dot = (x, y, r, attributes) => s("circle", { cx: near(x).toFixed(1), cy: near(y).toFixed(1), r, ...attributes });
// disc, triangle, cross: the classes of points
const MARKS = ["m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0", "m0 -3.4l3.2 5.6h-6.4z", "m-6 0h12m-6 -6v12"];
export const ink = (color) => `--c: ${color}`;

// ---- panels: each draws into its svg, and returns the places a reader can point at and, where
// something runs out of the picture, a sentence that says so

function drawLines(svg, size, panel, now, kept, k, axis) {
  const box = boxOf(size);
  const column = panel.x.length > 1 ? axis : panel.x[0];
  const shown = now.at(k), other = kept ? kept.at(kept.k) : [];
  const logs = panel.scale === "log", all = [...shown, ...other];
  const values = all.flatMap((run) => run[panel.y]).filter((v) => Number.isFinite(v) && (!logs || v > 0));
  if (now.level !== undefined) values.push(now.level);
  let [low, high] = panel.ylim ?? [Math.min(...values), Math.max(...values)];
  const top = Math.max(...shown.flatMap((run) => run[panel.y]).filter(Number.isFinite));
  if (!panel.ylim) { // a run that diverges leaves the picture, or no other would be seen in it
    high = Math.min(high, Math.max(...all.map((run) => Math.abs(run[panel.y][0]))) * FAR || Infinity);
    if (logs) low = Math.max(low, 1e-16, high * 1e-17);
  }
  if (!(low < high)) [low, high] = logs ? [low / 2, low * 2] : [low - 1, low + 1];
  const ends = all.flatMap((run) => [run[column][0], run[column].at(-1)]);
  const x = linear(Math.min(0, ...ends), Math.max(...ends) || 1);
  const y = logs ? logarithmic(low, high) : panel.scale === "linear" ? linear(low, high) : symlog(low, high, panel.scale);
  const label = panel.xlabel || (column === "seconds" ? "seconds, as measured" : column);
  const { X, Y, inside } = frame(svg, size, x, y, label, panel.ylabel, 5);
  if (now.level !== undefined)
    inside.append(s("line", { class: "level", x1: box.left, x2: box.right, y1: Y(now.level), y2: Y(now.level) }));
  const signed = typeof panel.scale === "number";
  const kinds = [...new Set(shown.map((run) => run.label))];
  for (const [group, name] of [[other, "run ghost"], [shown, "run"]])
    for (const run of group) {
      const many = group.filter((r) => r.label === run.label).length > 1;
      const g = s("g", { class: `${name}${many ? " many" : ""} dash${kinds.indexOf(run.label) % 4}`, style: ink(run.color) });
      if (!panel.dots) g.append(s("path", { d: trail(pairs(run[column], run[panel.y]), X, Y) }));
      if (panel.dots || run[column].length <= 40)
        run[column].forEach((u, i) => {
          const v = Y(run[panel.y][i]);
          if (Number.isFinite(v)) g.append(dot(X(u), v, panel.dots ? 3 : 1.8, { class: signed ? (run[panel.y][i] < 0 ? "below" : "above") : "" }));
        });
      inside.append(g);
    }
  const places = shown.map((run, j) => run[column].map((u, i) => ({
    x: X(u), y: clamp(Y(run[panel.y][i]) || box.bottom, box.top, box.bottom), i, j,
    text: `${words(column)} ${show(u)}: ${panel.ylabel} ${show(run[panel.y][i])}${shown.length < 2 ? "" : kinds.length > 1 ? `, ${run.label}` : `, run ${j}`}`,
  })));
  return { places, beyond: top > high ? `Out of the picture above: up to ${show(top)}.` : "" };
}

function drawPlane(svg, size, panel, now, kept, k) {
  const [[x0, x1], [y0, y1]] = [panel.xlim, panel.ylim], box = boxOf(size);
  const { X, Y, inside } = frame(svg, size, linear(x0, x1), linear(y0, y1), panel.xlabel, panel.ylabel);
  if (now.contours && now.drawn?.size.W !== size.W) now.drawn = { size, d: now.contours.map((steps) => {
    let [u, v] = [0, 0]; // each point is a step from the one before
    const curve = steps.flatMap((_, i) => (i % 2 ? [] : [[(u += steps[i]), (v += steps[i + 1])]]));
    return trail(curve, (w) => X(x0 + ((x1 - x0) * w) / GRID), (w) => Y(y0 + ((y1 - y0) * w) / GRID));
  }).join("") };
  if (now.drawn) inside.append(s("path", { class: "contour", d: now.drawn.d }));
  const points = (now.points?.[0] ?? []).map((_, i) => now.points.map((row) => row[i]));
  const marks = points.map(([u, v, kind]) => s("path", { class: `point kind${kind}`, d: `M${X(u)} ${Y(v)}${MARKS[kind]}` }));
  inside.append(...marks);
  const names = panel.path ?? panel.cloud, places = [];
  let outside = 0;
  for (const [state, name] of [[kept, "run ghost"], [now, "run"]])
    for (const [j, run] of (state?.runs ?? []).entries()) {
      const g = s("g", { class: `${name}${j ? " many" : ""}`, style: ink(run.color) });
      inside.append(g);
      if (panel.boundary) {
        const at = Math.min(name === "run" ? k : kept.k, run[panel.boundary[0]].length - 1);
        const [b, u, v] = panel.boundary.map((n) => run[n][at]), height = (x) => -(b + u * x) / v;
        const ends = Math.abs(v) > 1e-9 * Math.abs(u) ? [[x0, height(x0)], [x1, height(x1)]] : [[-b / u, y0], [-b / u, y1]];
        g.append(s("path", { d: trail(ends, X, Y) }));
        if (name === "run" && !j) places.push(run[panel.boundary[0]].map((_, i) => ({
          x: (box.left + box.right) / 2, y: clamp(Y(height((x0 + x1) / 2)) || box.bottom, box.top, box.bottom), i, j,
          text: `iteration ${i}: ${panel.boundary.map((n) => `${n} = ${show(run[n][i])}`).join(", ")}`,
        })));
      }
      if (!names) continue;
      const at = pairs(...names.map((n) => run[n])), past = name === "run" ? k : at.length;
      if (name === "run") outside += at.filter(([u, v]) => !(u >= x0 && u <= x1 && v >= y0 && v <= y1)).length;
      if (panel.path)
        g.append(s("path", { class: "ahead", d: trail(at.slice(past), X, Y) }), s("path", { d: trail(at.slice(0, past + 1), X, Y) }));
      at.forEach(([u, v], i) => Number.isFinite(X(u) + Y(v))
        && g.append(dot(X(u), Y(v), panel.cloud ? 2.6 : 1.8, { class: panel.path && i > past ? "ahead" : "" })));
      if (name === "run" && !j) places.push(at.map(([u, v], i) => ({
        x: clamp(X(u), box.left, box.right), y: clamp(Y(v), box.top, box.bottom), i, j,
        text: `${panel.path ? "iteration" : "draw"} ${i}: ${words(names[0])} = ${show(u)}, ${words(names[1])} = ${show(v)}`,
      })));
    }
  inside.append(...marks.filter((_, i) => points[i][2] === 2)); // a cross lies on top
  if (panel.path) {
    const run = now.runs[0], at = panel.path.map((n) => run[n][k]);
    for (const [du, dv, ...shares] of now.trials?.[k + 1] ?? [])
      for (const share of du === undefined ? [] : [1, ...shares]) {
        const [u, v] = [X(at[0] + share * du), Y(at[1] + share * dv)];
        inside.append(s("line", { class: "ray", x1: near(X(at[0])), y1: near(Y(at[1])), x2: near(u), y2: near(v) }), dot(u, v, 4, { class: "trial" }));
      }
    if (Number.isFinite(X(at[0]))) inside.append(dot(X(at[0]), Y(at[1]), 4.5, { class: "here" }));
  }
  const counted = outside === 1 ? "One point lies" : `${outside} points lie`;
  return { places, beyond: outside ? `${counted} outside the picture.` : "" };
}

function drawImage(svg, { W }, panel, now, kept, k) {
  const [m, n] = now.image.shape, values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
  const old = kept?.image?.shape.join() === now.image.shape.join()
    ? kept.image.frames[Math.min(kept.k, kept.image.frames.length - 1)] : null;
  const cell = Math.min((W - 44) / n, TALLEST / m), left = (W - n * cell) / 2, top = 4;
  svg.setAttribute("viewBox", `0 0 ${W} ${Math.ceil(top + m * cell + (panel.rows ? 22 : 4))}`);
  const limit = Math.max(...values.map(Math.abs)) || 1, inner = panel.scale === "linear" ? null : panel.scale * limit;
  const bend = (v) => (inner ? Math.log10(1 + v / inner) / Math.log10(1 + limit / inner) : v / limit);
  const shades = new Map(); // one path a shade is drawn sooner than one square a value
  values.forEach((v, i) => {
    const shade = `${v < 0 ? "below" : "above"} ${bend(Math.abs(v)).toFixed(2)}`, side = cell.toFixed(2);
    const corner = `${(left + (i % n) * cell).toFixed(2)} ${(top + Math.floor(i / n) * cell).toFixed(2)}`;
    shades.set(shade, `${shades.get(shade) ?? ""}M${corner}h${side}v${side}h-${side}z`);
  });
  for (const [shade, d] of shades) svg.append(s("path", { class: `cell ${shade.split(" ")[0]}`, "fill-opacity": shade.split(" ")[1], d }));
  svg.append(s("rect", { class: "border", x: left, y: top, width: n * cell, height: m * cell }));
  if (panel.rows) {
    svg.append(s("text", { x: W / 2, y: top + m * cell + 16, "text-anchor": "middle" }, panel.columns));
    svg.append(s("text", { x: -top - (m * cell) / 2, y: left - 8, transform: "rotate(-90)", "text-anchor": "middle" }, panel.rows));
  }
  const places = [...Array(m)].map((_, r) => [...Array(n)].map((_, c) => ({
    x: left + (c + 0.5) * cell, y: top + (r + 0.5) * cell, i: c, j: r, side: cell,
    text: `${panel.rows ? `${panel.rows} ${r}, ${panel.columns} ${c}` : `${panel.columns} ${r * n + c}`}: ${show(values[r * n + c])}${old ? `, kept ${show(old[r * n + c])}` : ""}`,
  })));
  return { places, beyond: "" };
}

export const DRAW = { lines: drawLines, plane: drawPlane, image: drawImage };

export function drawPictures(list, panel, now, k) {
  list.replaceChildren(...panel.sources.map((source, i) => {
    const [truth, said] = [panel.names[panel.truth[i]], panel.names[now.answers[k][i]]];
    const right = truth === said;
    return h("li", { class: right ? "right" : "wrong" },
      h("img", { src: source, alt: `${truth}, ${right ? "recognised" : `taken for ${said}`}`, class: "photo" }),
      h("span", { "aria-hidden": "true" }, right ? "✓" : said));
  }));
}

/** The heads and bodies of what an explorer shows as tables. */
export function tabled(now, panels, k) {
  const named = now.runs.some((run) => run.label) && now.runs.length > 1, names = now.columns;
  const tables = [[[...(named ? ["run"] : []), ...names.map(words)], now.at(k).flatMap((run) =>
    run[names[0]].map((_, i) => [...(named ? [run.label] : []), ...names.map((n) => run[n][i])]))]];
  if (now.image) {
    const [m, n] = now.image.shape, values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
    tables.push([["row", ...Array(n).keys()], [...Array(m)].map((_, r) => [r, ...values.slice(r * n, (r + 1) * n)])]);
  }
  const shown = panels.find((panel) => panel.kind === "pictures");
  if (shown) tables.push([["picture", "is", "taken for"], shown.truth.map((t, i) => [i, shown.names[t], shown.names[now.answers[k][i]]])]);
  return tables;
}
