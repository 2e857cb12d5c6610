// The panels of an explorer, and its table: they draw what Python computed. Python puts this file
// before explorer.js, which uses it (soo_lib/explore.py).

const SVG = "http://www.w3.org/2000/svg";
const W = 360, H = 290, BOX = { left: 58, right: 350, top: 10, bottom: 248 };
const GRID = 500; // of the contours, as in explore.py

function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function s(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (text !== undefined) node.textContent = text;
  return node;
}

// ---- numbers

const numbers = (text) => text.startsWith("0:") ? [...Array(+text.slice(2)).keys()] : text ? text.split(" ").map(Number) : [];
const rows = (text) => (text === undefined ? undefined : text.split("|").map(numbers));
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const raised = (k) => String(k).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");
const words = (name) => name.replaceAll("_", " ");

function show(v) {
  if (!Number.isFinite(v)) return "–";
  if (Number.isInteger(v) && Math.abs(v) < 1e6) return String(v).replace("-", "−");
  const [digits, power] = v.toExponential(2).split("e");
  const plain = power >= -3 && power < 6;
  const text = plain ? String(Number(v.toPrecision(3))) : `${Number(digits)}·10${raised(Number(power))}`;
  return text.replace("-", "−");
}

function unpack(state, shared) {
  const text = (name) => (state[name]?.[0] === "@" ? shared[state[name].slice(1)] : state[name]);
  const flags = ["label", "color"];
  return {
    ...state,
    runs: state.runs.map((run) => Object.fromEntries(
      Object.entries(run).map(([k, v]) => [k, flags.includes(k) ? v : numbers(v)]))),
    contours: rows(text("contours")),
    trials: text("trials")?.split("|").map((row) => row.split("/").map(numbers)),
    ellipses: rows(text("ellipses")),
    points: rows(text("points")),
    answers: rows(text("answers")),
    image: state.image && { shape: state.image.shape, frames: state.image.data.map((d) => entries(d, state.image)) },
  };
}

function entries(text, { shape: [, n], symmetric }) {
  const given = text.includes(" ") ? numbers(text) : [...text].map(Number);
  if (!symmetric) return given; // else the lower triangle, row by row
  const at = (r, c) => given[(r * (r + 1)) / 2 + c];
  return [...Array(n * n).keys()].map((i) => at(Math.max(Math.floor(i / n), i % n), Math.min(Math.floor(i / n), i % n)));
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

function frame(svg, x, y, xlabel, ylabel, inset = 0) {
  const X = (v) => BOX.left + inset + x.at(v) * (BOX.right - BOX.left - 2 * inset);
  const Y = (v) => BOX.bottom - inset - y.at(v) * (BOX.bottom - BOX.top - 2 * inset);
  const mid = [(BOX.left + BOX.right) / 2, (BOX.top + BOX.bottom) / 2];
  for (const [v, text] of x.ticks) {
    svg.append(s("line", { class: "grid", x1: X(v), x2: X(v), y1: BOX.top, y2: BOX.bottom }));
    svg.append(s("text", { x: X(v), y: BOX.bottom + 16, "text-anchor": "middle" }, text));
  }
  for (const [v, text] of y.ticks) {
    svg.append(s("line", { class: "grid", x1: BOX.left, x2: BOX.right, y1: Y(v), y2: Y(v) }));
    svg.append(s("text", { x: BOX.left - 6, y: Y(v) + 4, "text-anchor": "end" }, text));
  }
  svg.append(s("path", { class: "axis", d: `M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}` }));
  svg.append(s("text", { x: mid[0], y: H - 6, "text-anchor": "middle" }, xlabel));
  svg.append(s("text", { x: -mid[1], y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, ylabel));
  const inside = s("svg", { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top,
    viewBox: `${BOX.left} ${BOX.top} ${BOX.right - BOX.left} ${BOX.bottom - BOX.top}` });
  svg.append(inside);
  return { X, Y, inside };
}

const trail = (xs, ys, X, Y) => {
  let d = "", pen = "M";
  for (let i = 0; i < xs.length; i++) {
    const [u, v] = [X(xs[i]), Y(ys[i])];
    if (Number.isFinite(u) && Number.isFinite(v)) (d += `${pen}${u.toFixed(1)} ${v.toFixed(1)}`), (pen = "L");
    else pen = "M";
  }
  return d;
};
const dot = (x, y, r, attributes) => s("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r, ...attributes });
// disc, triangle, cross: the classes of points
const MARKS = ["m-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0", "m0 -3.4l3.2 5.6h-6.4z", "m-6 0h12m-6 -6v12"];
const ink = (color) => `--c: ${color}`;

// ---- panels: each draws into its svg, and returns the places a reader can point at

function drawLines(svg, panel, now, kept, k, axis) {
  const column = panel.x.length > 1 ? axis : panel.x[0];
  const shown = now.at(k), other = kept ? kept.at(kept.k) : [];
  const logs = panel.scale === "log", all = [...shown, ...other];
  const values = all.flatMap((run) => run[panel.y]).filter((v) => Number.isFinite(v) && (!logs || v > 0));
  if (now.level !== undefined) values.push(now.level);
  let [low, high] = panel.ylim ?? [Math.min(...values), Math.max(...values)];
  if (!panel.ylim && logs) low = Math.max(low, 1e-16, high * 1e-17);
  if (!(low < high)) [low, high] = logs ? [low / 2, low * 2] : [low - 1, low + 1];
  const ends = all.flatMap((run) => [run[column][0], run[column].at(-1)]);
  const x = linear(Math.min(0, ...ends), Math.max(...ends) || 1);
  const y = logs ? logarithmic(low, high) : panel.scale === "linear" ? linear(low, high) : symlog(low, high, panel.scale);
  const label = panel.xlabel || (column === "seconds" ? "seconds, as measured" : column);
  const { X, Y, inside } = frame(svg, x, y, label, panel.ylabel, 5);
  if (now.level !== undefined)
    inside.append(s("line", { class: "level", x1: BOX.left, x2: BOX.right, y1: Y(now.level), y2: Y(now.level) }));
  const signed = typeof panel.scale === "number";
  const kinds = [...new Set(shown.map((run) => run.label))];
  for (const [group, name] of [[other, "run ghost"], [shown, "run"]])
    for (const run of group) {
      const many = group.filter((r) => r.label === run.label).length > 1;
      const g = s("g", { class: `${name}${many ? " many" : ""} dash${kinds.indexOf(run.label) % 4}`, style: ink(run.color) });
      if (!panel.dots) g.append(s("path", { d: trail(run[column], run[panel.y], X, Y) }));
      if (panel.dots || run[column].length <= 40)
        run[column].forEach((u, i) => {
          const v = Y(run[panel.y][i]);
          if (Number.isFinite(v)) g.append(dot(X(u), v, panel.dots ? 3 : 1.8, { class: signed ? (run[panel.y][i] < 0 ? "below" : "above") : "" }));
        });
      inside.append(g);
    }
  return shown.map((run, j) => run[column].map((u, i) => ({
    x: X(u), y: clamp(Y(run[panel.y][i]) || BOX.bottom, BOX.top, BOX.bottom), i, j,
    text: `${words(column)} ${show(u)}: ${panel.ylabel} ${show(run[panel.y][i])}${shown.length < 2 ? "" : kinds.length > 1 ? `, ${run.label}` : `, run ${j}`}`,
  })));
}

function drawPlane(svg, panel, now, kept, k) {
  const [[x0, x1], [y0, y1]] = [panel.xlim, panel.ylim];
  const { X, Y, inside } = frame(svg, linear(x0, x1), linear(y0, y1), panel.xlabel, panel.ylabel);
  if (now.contours) {
    now.drawn ??= now.contours.map((steps) => {
      let [u, v, d] = [0, 0, ""];
      for (let i = 0; i < steps.length; i += 2) {
        (u += steps[i]), (v += steps[i + 1]);
        d += `${i ? "L" : "M"}${X(x0 + ((x1 - x0) * u) / GRID).toFixed(1)} ${Y(y0 + ((y1 - y0) * v) / GRID).toFixed(1)}`;
      }
      return d;
    }).join("");
    inside.append(s("path", { class: "contour", d: now.drawn }));
  }
  const points = (now.points?.[0] ?? []).map((_, i) => now.points.map((row) => row[i]));
  const marks = points.map(([u, v, kind]) => s("path", { class: `point kind${kind}`, d: `M${X(u)} ${Y(v)}${MARKS[kind]}` }));
  inside.append(...marks);
  const names = panel.path ?? panel.cloud, places = [];
  for (const [state, name] of [[kept, "run ghost"], [now, "run"]])
    for (const [j, run] of (state?.runs ?? []).entries()) {
      const g = s("g", { class: `${name}${j ? " many" : ""}`, style: ink(run.color) });
      inside.append(g);
      if (panel.boundary) {
        const [b, u, v] = panel.boundary.map((n) => run[n][Math.min(name === "run" ? k : kept.k, run[n].length - 1)]);
        const ends = Math.abs(v) > Math.abs(u) * 1e-9
          ? [[x0, -(b + u * x0) / v], [x1, -(b + u * x1) / v]] : [[-b / u, y0], [-b / u, y1]];
        if (u || v) g.append(s("path", { d: trail(ends.map((e) => e[0]), ends.map((e) => e[1]), X, Y) }));
        const middle = v ? clamp(Y(-(b + (u * (x0 + x1)) / 2) / v), BOX.top, BOX.bottom) : (BOX.top + BOX.bottom) / 2;
        if (name === "run" && !j) places.push(run[panel.boundary[0]].map((_, i) => ({
          x: (BOX.left + BOX.right) / 2, y: middle, i, j: 0,
          text: `iteration ${i}: ${panel.boundary.map((n) => `${n} = ${show(run[n][i])}`).join(", ")}`,
        })));
      }
      if (!names) continue;
      const [us, vs] = names.map((n) => run[n]);
      if (panel.path) {
        g.append(s("path", { class: "ahead", d: trail(us.slice(k), vs.slice(k), X, Y) }));
        g.append(s("path", { d: trail(us.slice(0, name === "run" ? k + 1 : undefined), vs, X, Y) }));
      }
      us.forEach((_, i) => {
        if (Number.isFinite(X(us[i])) && Number.isFinite(Y(vs[i])))
          g.append(dot(X(us[i]), Y(vs[i]), panel.cloud ? 2.6 : 1.8, { class: panel.path && i > k && name === "run" ? "ahead" : "" }));
      });
      if (name === "run" && !j) places.push(us.map((u, i) => ({
        x: clamp(X(u), BOX.left, BOX.right), y: clamp(Y(vs[i]), BOX.top, BOX.bottom), i, j: 0,
        text: `${panel.path ? "iteration" : "draw"} ${i}: ${words(names[0])} = ${show(u)}, ${words(names[1])} = ${show(vs[i])}`,
      })));
    }
  inside.append(...marks.filter((_, i) => points[i][2] === 2)); // a cross lies on top
  if (panel.path) {
    const run = now.runs[0], at = panel.path.map((n) => run[n][k]);
    const [cx, cy, ...axes] = now.ellipses?.[k] ?? [];
    if (cx !== undefined) {
      const round = [...Array(73)].map((_, i) => (i * Math.PI) / 36);
      for (const share of [1, 0.5]) {
        const us = round.map((t) => cx + share * (axes[0] * Math.cos(t) + axes[2] * Math.sin(t)));
        const vs = round.map((t) => cy + share * (axes[1] * Math.cos(t) + axes[3] * Math.sin(t)));
        inside.append(s("path", { class: "model", d: trail(us, vs, X, Y) }));
      }
      inside.append(s("path", { class: "model target", d: `M${X(cx) - 4} ${Y(cy)}h8m-4 -4v8` }));
    }
    for (const [du, dv, ...shares] of now.trials?.[k + 1] ?? [])
      for (const share of du === undefined ? [] : [1, ...shares]) {
        const [u, v] = [X(at[0] + share * du), Y(at[1] + share * dv)];
        inside.append(s("line", { class: "ray", x1: X(at[0]), y1: Y(at[1]), x2: u, y2: v }), dot(u, v, 4, { class: "trial" }));
      }
    if (Number.isFinite(X(at[0]))) inside.append(dot(X(at[0]), Y(at[1]), 4.5, { class: "here" }));
  }
  return places;
}

function drawImage(svg, panel, now, kept, k) {
  const [m, n] = now.image.shape, values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
  const old = kept?.image?.shape.join() === now.image.shape.join()
    ? kept.image.frames[Math.min(kept.k, kept.image.frames.length - 1)] : null;
  const cell = Math.min((W - 40) / n, (H - 40) / m), left = (W - n * cell) / 2, top = 4;
  svg.setAttribute("viewBox", `0 0 ${W} ${Math.ceil(top + m * cell + (panel.rows ? 22 : 4))}`);
  const limit = Math.max(...values.map(Math.abs)) || 1, inner = panel.scale === "linear" ? null : panel.scale * limit;
  const bend = (v) => (inner ? Math.log10(1 + v / inner) / Math.log10(1 + limit / inner) : v / limit);
  values.forEach((v, i) => svg.append(s("rect", {
    class: v < 0 ? "cell below" : "cell above", x: (left + (i % n) * cell).toFixed(2),
    y: (top + Math.floor(i / n) * cell).toFixed(2), width: cell.toFixed(2), height: cell.toFixed(2),
    style: `--share: ${Math.round(100 * bend(Math.abs(v)))}%` })));
  svg.append(s("rect", { class: "border", x: left, y: top, width: n * cell, height: m * cell }));
  if (panel.rows) {
    svg.append(s("text", { x: W / 2, y: top + m * cell + 16, "text-anchor": "middle" }, panel.columns));
    svg.append(s("text", { x: -top - (m * cell) / 2, y: left - 8, transform: "rotate(-90)", "text-anchor": "middle" }, panel.rows));
  }
  return [...Array(m)].map((_, r) => [...Array(n)].map((_, c) => ({
    x: left + (c + 0.5) * cell, y: top + (r + 0.5) * cell, i: c, j: r, side: cell,
    text: `${panel.rows ? `${panel.rows} ${r}, ${panel.columns} ${c}` : `${panel.columns} ${r * n + c}`}: ${show(values[r * n + c])}${old ? `, kept ${show(old[r * n + c])}` : ""}`,
  })));
}

const DRAW = { lines: drawLines, plane: drawPlane, image: drawImage };

function drawPictures(list, panel, now, k) {
  list.replaceChildren(...panel.sources.map((source, i) => {
    const [truth, said] = [panel.names[panel.truth[i]], panel.names[now.answers[k][i]]];
    const right = truth === said;
    return h("li", { class: right ? "right" : "wrong" },
      h("img", { src: source, alt: `${truth}, ${right ? "recognised" : `taken for ${said}`}`, class: "photo" }),
      h("span", { "aria-hidden": "true" }, right ? "✓" : said));
  }));
}

function table(now, panels, k) {
  const named = now.runs.some((run) => run.label) && now.runs.length > 1;
  const names = Object.keys(now.runs[0]).filter((n) => n !== "label" && n !== "color");
  const head = [...(named ? ["run"] : []), ...names.map(words)];
  const body = now.at(k).flatMap((run) => run[names[0]].map((_, i) =>
    [...(named ? [run.label] : []), ...names.map((n) => show(run[n][i]))]));
  const tables = [[head, body]];
  if (now.image) {
    const [m, n] = now.image.shape, values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
    tables.push([["row", ...Array(n).keys()], [...Array(m)].map((_, r) => [r, ...values.slice(r * n, (r + 1) * n).map(show)])]);
  }
  const shown = panels.find((panel) => panel.kind === "pictures");
  if (shown) tables.push([["picture", "is", "taken for"], shown.truth.map((t, i) => [i, shown.names[t], shown.names[now.answers[k][i]]])]);
  return tables.map(([titles, lines]) => h("table", {},
    h("thead", {}, h("tr", {}, ...titles.map((t) => h("th", { scope: "col" }, String(t))))),
    h("tbody", {}, ...lines.map((line) => h("tr", {}, ...line.map((c) => h("td", {}, String(c))))))));
}
