// One explorer: controls, panels of SVG, a reading of exact values, a table. It draws what Python
// computed (soo_lib/explore.py): looked up in the page, or asked of a kernel where there is one.

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
  const first = Math.ceil(a - 1e-9), last = Math.floor(b + 1e-9), ticks = [];
  const stride = Math.max(1, Math.ceil((last - first) / 6));
  for (let k = first; k <= last; k += stride) ticks.push([10 ** k, `10${raised(k)}`]);
  if (last - first < 1)
    for (const m of [1, 2, 3, 5])
      for (const k of [first - 1, first])
        if (m * 10 ** k >= low && m * 10 ** k <= high && !(m === 1 && k === first && ticks.length))
          ticks.push([m * 10 ** k, show(m * 10 ** k)]);
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
  if (now.points) {
    const [u, v, kind] = now.points;
    u.forEach((_, i) => inside.append(kind[i] === 1
      ? s("path", { class: "point kind1", d: `M${X(u[i])} ${Y(v[i]) - 3.4}l3.2 5.6h-6.4z` })
      : kind[i] === 2
        ? s("path", { class: "point kind2", d: `M${X(u[i]) - 6} ${Y(v[i])}h12m-6 -6v12` })
        : dot(X(u[i]), Y(v[i]), 2.6, { class: "point kind0" })));
  }
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
    tables.push([["", ...Array(n).keys()], [...Array(m)].map((_, r) => [r, ...values.slice(r * n, (r + 1) * n).map(show)])]);
  }
  const shown = panels.find((panel) => panel.kind === "pictures");
  if (shown) tables.push([["picture", "is", "taken for"], shown.truth.map((t, i) => [i, shown.names[t], shown.names[now.answers[k][i]]])]);
  return tables.map(([titles, lines]) => h("table", {},
    h("thead", {}, h("tr", {}, ...titles.map((t) => h("th", { scope: "col" }, String(t))))),
    h("tbody", {}, ...lines.map((line) => h("tr", {}, ...line.map((c) => h("td", {}, String(c))))))));
}

function render({ model, el }) {
  const { name, controls, panels, initial, at = Infinity } = model.get("spec");
  const shared = model.get("shared"), packed = { ...model.get("states") }, unpacked = {};
  const axes = panels.find((panel) => panel.x?.length > 1)?.x;
  let choice = { ...initial }, axis = axes?.[0], k = at ?? Infinity, kept = null, live = false, timer = null, asked = null;

  // ---- what is chosen, and what is known of it

  const keyOf = (c) => Object.entries(controls).map(([n, values]) =>
    values.includes(c[n]) ? values.indexOf(c[n]) : `=${c[n]}`).join(".");
  const say = (c) => Object.entries(controls).map(([n]) => `${words(n)} ${c[n]}`).join(", ");
  function state(key = keyOf(choice)) {
    if (!unpacked[key] && packed[key]) {
      const now = (unpacked[key] = unpack(packed[key], shared));
      const longest = Math.max(...now.runs.map((run) => Object.values(run)[2].length));
      now.count = now.frames?.length ?? longest;
      now.at = (i) => (now.per_frame ? [now.runs[i]] : now.runs);
      now.follows = !now.per_frame; // a row is a step
    }
    return unpacked[key];
  }
  // The page has not every combination: the nearest that keeps what the reader has just chosen.
  function nearest(changed) {
    const want = keyOf(choice).split("."), place = Object.keys(controls).indexOf(changed);
    const start = keyOf(initial).split(".");
    const score = (key) => key.split(".").reduce((sum, v, i) => sum + 2 * (v === want[i]) + (v === start[i]), 0);
    const best = Object.keys(packed).filter((key) => key.split(".")[place] === want[place])
      .sort((a, b) => score(b) - score(a))[0];
    Object.entries(controls).forEach(([n, values], i) => (choice[n] = values[best.split(".")[i]]));
  }
  function choose(changed, value) {
    choice = { ...choice, [changed]: value };
    if (!packed[keyOf(choice)] && !live) {
      nearest(changed);
      return update(`The page has no such combination: now ${say(choice)}. `);
    }
    update();
  }

  // ---- the page's elements

  const selects = {}, fields = {};
  const bar = h("div", { class: "controls" });
  for (const [n, values] of Object.entries(controls)) {
    selects[n] = h("select", { name: n, onchange: (e) => choose(n, values[e.target.selectedIndex]) },
      ...values.map((v) => h("option", {}, String(v))));
    bar.append(h("label", {}, words(n), selects[n]));
    if (values.length && values.every((v) => typeof v === "number")) {
      fields[n] = h("input", { type: "number", step: "any", hidden: true, "aria-label": `any ${words(n)}`,
        onchange: (e) => e.target.value !== "" && choose(n, Number(e.target.value)) });
      bar.lastChild.append(fields[n]);
    }
  }
  const switcher = axes && h("select", { name: "axis", onchange: (e) => { axis = e.target.value; update(); } },
    ...axes.map((a) => h("option", {}, a)));
  if (axes) bar.append(h("label", {}, "axis", switcher));

  const plots = panels.map((panel, p) => {
    const title = panel.title ?? (panel.kind === "plane" ? `${panel.ylabel} against ${panel.xlabel}`
      : `${panel.ylabel} against ${panel.xlabel || "the axis"}`);
    if (panel.kind === "pictures") {
      const list = h("ul", { class: "pictures", "aria-label": title });
      return { panel, list, node: h("div", { class: "panel" }, h("p", { class: "title" }, title), list) };
    }
    const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
    const plot = h("div", { class: "plot", tabindex: 0, role: "slider", "aria-label": `${title}: read values with the arrow keys`,
      "aria-valuemin": 0, onkeydown: (e) => read(view, e), onpointermove: (e) => point(view, e), onpointerdown: (e) => point(view, e),
      onpointerleave: () => { view.at = null; mark(view); }, onblur: () => { view.at = null; mark(view); } }, svg);
    const readout = h("p", { class: "readout" });
    const view = { panel, svg, plot, readout, at: null, places: [],
      node: h("div", { class: "panel" }, h("p", { class: "title" }, panel.title ?? ""), plot, readout) };
    return view;
  });

  const button = (text, label, onclick) => h("button", { type: "button", "aria-label": label, title: label, onclick }, text);
  const range = h("input", { type: "range", min: 0, step: 1, "aria-label": "step", oninput: (e) => { stop(); k = +e.target.value; update(); } });
  const where = h("span", { class: "where" });
  const play = button("▶", "Play", () => (timer ? stop() : start()));
  const steps = h("div", { class: "steps" }, button("‹", "One step back", () => go(-1)), play,
    button("›", "One step on", () => go(1)), range, where);
  const keep = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    kept = kept ? null : { ...state(), k: Math.min(k, state().count - 1), said: say(choice) };
    update();
  } }, "Keep to compare");
  const reset = h("button", { type: "button", onclick: () => { stop(); choice = { ...initial }; axis = axes?.[0]; k = at ?? Infinity; kept = null; update("Reset: "); } }, "Reset");
  const address = h("input", { class: "address", readonly: true, hidden: true, "aria-label": "link to the present choice" });
  const copy = h("button", { type: "button", onclick: async () => {
    address.value = link();
    try {
      await navigator.clipboard.writeText(address.value);
      status.textContent = "Link copied.";
    } catch { // no leave to write there: the reader copies it from the field
      address.hidden = false;
      address.select();
    }
  } }, "Copy link");
  const legend = h("p", { class: "legend" });
  const status = h("p", { class: "status", role: "status" });
  const holder = h("div", { class: "tables", tabindex: 0, role: "region", "aria-label": "data" });
  const details = h("details", { ontoggle: () => tabulate() }, h("summary", {}, "Data as a table"), holder);
  const root = h("div", { class: "soo-explorer", role: "group", "aria-label": `Explorer: ${words(name)}`, "data-name": name },
    bar, h("div", { class: "panels" }, ...plots.map((view) => view.node)), legend, steps,
    h("div", { class: "actions" }, keep, reset, copy, address), status, details);
  el.append(root);

  // ---- drawing

  function tabulate() {
    holder.replaceChildren(...(details.open && state() ? table(state(), panels, Math.min(k, state().count - 1)) : []));
  }
  function mark(view) {
    for (const old of view.svg.querySelectorAll(".cursor")) old.remove();
    const at = view.at, now = Math.min(k, state().count - 1);
    const place = at ? view.places[at.j]?.[at.i] : view.panel.kind !== "image" && state().follows ? view.places[0]?.[now] : null;
    view.readout.textContent = place?.text ?? "";
    view.plot.setAttribute("aria-valuemax", view.places.length * (view.places[0]?.length ?? 1) - 1);
    view.plot.setAttribute("aria-valuenow", place ? place.j * view.places[0].length + place.i : 0);
    view.plot.setAttribute("aria-valuetext", place?.text ?? "no value read yet");
    if (!place) return;
    view.svg.append(place.side
      ? s("rect", { class: "cursor", x: place.x - place.side / 2, y: place.y - place.side / 2, width: place.side, height: place.side })
      : dot(place.x, place.y, 6, { class: "cursor" }));
  }
  function update(prefix = "") {
    const key = keyOf(choice), now = state(key);
    for (const [n, values] of Object.entries(controls)) {
      selects[n].selectedIndex = values.indexOf(choice[n]);
      if (fields[n]) fields[n].value = values.includes(choice[n]) ? "" : choice[n];
    }
    if (axes) switcher.value = axis;
    root.setAttribute("aria-busy", !now);
    if (!now) {
      status.textContent = `Computing ${say(choice)} …`;
      asked = key;
      model.send({ ask: "state", key, choice });
      return;
    }
    const last = now.count - 1, i = Math.min(k, last);
    range.max = last;
    range.value = i;
    steps.hidden = last < 1;
    where.textContent = now.frames ? now.frames[i] : `iteration ${i} of ${last}`;
    range.setAttribute("aria-valuetext", where.textContent);
    for (const view of plots) {
      if (view.list) { drawPictures(view.list, view.panel, now, i); continue; }
      view.svg.replaceChildren();
      view.places = DRAW[view.panel.kind](view.svg, view.panel, now, kept, i, axis);
      mark(view);
    }
    const labels = [...new Map(now.at(i).map((run) => [run.label, run])).values()].filter((run) => run.label);
    legend.replaceChildren(...labels.map((run, j) => h("span", { class: `key dash${j % 4}`, style: ink(run.color) }, run.label)),
      ...panels.flatMap((panel) => (panel.classes ?? []).map((c, j) => c && h("span", { class: `key kind${j}` }, c)).filter(Boolean)),
      ...(kept ? [h("span", { class: "key ghost" }, `kept: ${kept.said}`)] : []));
    keep.setAttribute("aria-pressed", String(!!kept));
    keep.textContent = kept ? "Let go" : "Keep to compare";
    status.textContent = prefix + (Array.isArray(now.note) ? now.note[i] : now.note ?? say(choice));
    tabulate();
  }

  // ---- reading, stepping, playing

  function read(view, event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-1e9, 0], End: [1e9, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const from = view.at ?? { i: view.panel.kind === "image" || !state().follows ? -move[0] : Math.min(k, state().count - 1), j: 0 };
    const j = clamp(from.j + move[1], 0, view.places.length - 1);
    const i = clamp(from.i + move[0], 0, view.places[j].length - 1);
    settle(view, { i, j });
  }
  function settle(view, at) {
    view.at = at;
    if (state().follows && view.panel.kind !== "image" && at.i < state().count) { stop(); k = at.i; update(); }
    else mark(view);
  }
  function point(view, event) {
    const box = view.svg.getBoundingClientRect(), x = ((event.clientX - box.left) * W) / box.width, y = ((event.clientY - box.top) * H) / box.height;
    let best = null, least = Infinity;
    for (const place of view.places.flat()) {
      const away = (place.x - x) ** 2 + (place.y - y) ** 2;
      if (away < least) [best, least] = [place, away];
    }
    if (!best) return;
    if (event.type === "pointerdown") settle(view, best);
    else { view.at = best; mark(view); }
  }
  function go(by) {
    stop();
    k = clamp(Math.min(k, state().count - 1) + by, 0, state().count - 1);
    update();
  }
  function start() {
    const last = state().count - 1;
    k = k >= last ? 0 : k;
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      if (k >= state().count - 1) return stop();
      k += 1;
      update();
    }, clamp(6000 / last, 80, 600));
    update();
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  }

  // ---- a link holds the choice: ?rosenbrock.solver=newton&rosenbrock.axis=seconds

  function link() {
    const url = new URL(location.href);
    for (const [n, v] of Object.entries({ ...choice, ...(axes && { axis }), at: Math.min(k, state().count - 1) }))
      url.searchParams.set(`${name}.${n}`, v);
    url.hash = "";
    return url.href;
  }
  function restore() {
    const asked = new URLSearchParams(location.search);
    const given = (n) => asked.get(`${name}.${n}`);
    for (const [n, values] of Object.entries(controls)) choice[n] = values.find((v) => String(v) === given(n)) ?? choice[n];
    if (axes?.includes(given("axis"))) axis = given("axis");
    if (given("at") !== null && Number.isInteger(+given("at"))) k = clamp(+given("at"), 0, 1e6);
    if (!packed[keyOf(choice)]) choice = { ...initial };
    return Object.keys(controls).some((n) => given(n) !== null);
  }

  // ---- the kernel, where there is one

  function hear(message) {
    if (message.tell === "live") {
      live = true;
      copy.hidden = true;
      for (const field of Object.values(fields)) field.hidden = false;
    } else if (message.tell === "state") {
      packed[message.key] = message.state;
      if (message.key === keyOf(choice)) update();
    } else if (message.key === asked) {
      status.textContent = `No picture for ${say(choice)}: ${message.error}`;
      root.setAttribute("aria-busy", "false");
    }
  }
  model.on("msg:custom", hear);
  const linked = restore();
  update();
  if (linked) root.scrollIntoView();
  model.send({ ask: "hello" });
  return () => { stop(); model.off("msg:custom", hear); };
}

export default { render };
