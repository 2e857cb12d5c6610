// The panels of an explorer, and its tables: they draw what Python computed.

import { MARKS, axes, dash, run, scale, trail } from "../draw/draw.js";
import { clamp, h, s, show } from "../draw/elements.js";

const GRID = 500; // of the contours, as in explore.py

export const disc = (x, y, r, attributes) => s("circle", { cx: x, cy: y, r, ...attributes });
// a black line is white on a dark page
export const ink = (color) => `--c: ${color === "black" ? "currentColor" : color}`;

// ---- numbers

const numbers = (text) =>
  text.startsWith("0:")
    ? [...Array(+text.slice(2)).keys()]
    : text
      ? text.split(" ").map(Number)
      : [];
const rows = (text) => (text === undefined ? undefined : text.split("|").map(numbers));
export const words = (name) => name.replaceAll("_", " ");

export function unpack(state, shared, columns) {
  const texts = Object.fromEntries(
    Object.entries(state).map(([k, v]) => [k, v?.[0] === "@" ? shared[v.slice(1)] : v]),
  );
  const runs = state.runs.map((run) =>
    Object.fromEntries(
      Object.entries(run).map(([k, v]) => [k, k === "label" || k === "color" ? v : numbers(v)]),
    ),
  );
  const now = { ...texts, runs, columns, at: (i) => (state.per_frame ? [runs[i]] : runs) };
  for (const name of ["contours", "points", "answers"]) now[name] = rows(texts[name]);
  now.trials = texts.trials?.split("|").map((row) => row.split("/").map(numbers));
  now.image = state.image && {
    ...state.image,
    frames: state.image.data.map((d) => entries(d, state.image)),
  };
  now.count = state.frames?.length ?? Math.max(...runs.map((run) => run[columns[0]].length));
  return now;
}

function entries(text, { shape: [, n], symmetric }) {
  const given = text.includes(" ") ? numbers(text) : [...text].map(Number);
  if (!symmetric) return given; // else the lower triangle, row by row
  const at = (r, c) => given[(r * (r + 1)) / 2 + c];
  return [...Array(n * n).keys()]
    .map((i) => [Math.floor(i / n), i % n])
    .map(([r, c]) => at(Math.max(r, c), Math.min(r, c)));
}

/** A scale as draw.js's: linear within `inner` of 0, and logarithmic on both sides. */
function symlog(low, high, inner) {
  const bend = (v) => Math.sign(v) * Math.log10(1 + Math.abs(v) / inner);
  const [a, b] = [bend(low), bend(high)];
  const ticks = [0];
  const first = Math.round(Math.log10(inner)) + 1;
  const last = Math.floor(Math.log10(Math.max(-low, high)));
  for (let k = first; k <= last; k += Math.max(1, Math.ceil((last - first) / 3)))
    ticks.push(10 ** k, -(10 ** k));
  return {
    of: (v) => (bend(v) - a) / (b - a || 1),
    ticks: ticks.filter((v) => v >= low && v <= high),
  };
}

const TOO_HIGH = 1e3;
const TALLEST = 300; // times the start's value, that a picture reaches up; pixels of an image
const pairs = (us, vs) => us.map((u, i) => [u, vs[i]]);
const CROSS = "m-6 0h12m-6 -6v12";

// ---- panels: each draws into its svg, and returns the places a reader can point at and, where
// something runs out of the picture, a sentence that says so

function drawLines(svg, size, panel, now, kept, k, axis) {
  const column = panel.x.length > 1 ? axis : panel.x[0];
  const logs = panel.scale === "log";
  const signed = typeof panel.scale === "number";
  const shown = now.at(k);
  const other = kept ? kept.at(kept.k) : [];
  const all = [...shown, ...other];
  const values = [...all.flatMap((run) => run[panel.y]), now.level].filter(
    (v) => Number.isFinite(v) && (!logs || v > 0),
  );
  let [low, high] = panel.ylim ?? [Math.min(...values), Math.max(...values)];
  const most = Math.max(...shown.flatMap((run) => run[panel.y]).filter(Number.isFinite));
  if (!panel.ylim) {
    // a run that diverges leaves the picture, or no other would be seen in it
    high = Math.min(
      high,
      Math.max(...all.map((run) => Math.abs(run[panel.y][0]))) * TOO_HIGH || Infinity,
    );
    if (logs) low = Math.max(low, 1e-16, high * 1e-17);
  }
  const ends = all.flatMap((run) => [run[column][0], run[column].at(-1)]);
  const x = scale(Math.min(0, ...ends), Math.max(...ends) || 1);
  const y = signed ? symlog(low, high, panel.scale) : scale(low, high, logs);
  const xlabel = panel.xlabel || (column === "seconds" ? "seconds, as measured" : column);
  const frame = axes(svg, x, y, { ...size, xlabel, ylabel: panel.ylabel, outside: 5 });
  const { X, Y, inside, left, right, top, base } = frame;
  if (now.level !== undefined)
    inside.append(
      s("line", { class: "level", x1: left, x2: right, y1: Y(now.level), y2: Y(now.level) }),
    );
  const kinds = [...new Set(shown.map((run) => run.label))];
  for (const [group, ghost] of [
    [other, "ghost"],
    [shown, ""],
  ])
    for (const { label, color, [column]: us, [panel.y]: vs } of group) {
      const many = group.filter((run) => run.label === label).length > 1 ? "many" : "";
      const points = pairs(us, vs);
      const dots =
        panel.dots || us.length <= 40
          ? points.map(([u, v]) => [u, v, !signed ? "" : v < 0 ? "below" : "above"])
          : [];
      inside.append(
        run(frame, panel.dots ? [] : points, {
          color,
          kind: `${ghost} ${many} dash${dash(label, kinds.indexOf(label))}`,
          dots,
          r: panel.dots ? 3 : 1.8,
        }),
      );
    }
  const places = shown.map(({ label, [column]: us, [panel.y]: vs }, j) =>
    us.map((u, i) => ({
      x: X(u),
      y: clamp(Y(vs[i]) || base, top, base),
      i,
      j,
      lacks: Number.isNaN(vs[i]),
      text: `${panel.xlabel || words(column)} ${show(u)}: ${panel.ylabel} ${show(vs[i])}${shown.length < 2 ? "" : kinds.length > 1 ? `, ${label}` : `, run ${j}`}`,
    })),
  );
  return { places, beyond: most > high ? `Out of the picture above: up to ${show(most)}.` : "" };
}

function drawPlane(svg, size, panel, now, kept, k) {
  const [[x0, x1], [y0, y1]] = [panel.xlim, panel.ylim];
  const { xlabel, ylabel } = panel;
  const { X, Y, inside, left, right, top, base } = axes(svg, scale(x0, x1), scale(y0, y1), {
    ...size,
    xlabel,
    ylabel,
  });
  if (now.contours && now.drawn?.size.width !== size.width)
    now.drawn = {
      size,
      d: now.contours
        .map((steps) => {
          let [u, v] = [0, 0]; // each point is a step from the one before
          const curve = steps.flatMap((_, i) =>
            i % 2 ? [] : [[(u += steps[i]), (v += steps[i + 1])]],
          );
          return trail(
            curve,
            (w) => X(x0 + ((x1 - x0) * w) / GRID),
            (w) => Y(y0 + ((y1 - y0) * w) / GRID),
          );
        })
        .join(""),
    };
  if (now.drawn) inside.append(s("path", { class: "contour", d: now.drawn.d }));
  const points = (now.points?.[0] ?? []).map((_, i) => now.points.map((row) => row[i]));
  const marks = points.map(([u, v, kind]) =>
    s("path", {
      class: `point kind${kind}`,
      d: `M${X(u)} ${Y(v)}${kind === 2 ? CROSS : MARKS[kind]}`,
    }),
  );
  inside.append(...marks);
  const names = panel.path ?? panel.cloud;
  const places = [];
  const named = (i) => now.frames?.[i] ?? `iteration ${i}`; // rows may have been left out
  let outside = 0;
  for (const [state, name] of [
    [kept, "run ghost"],
    [now, "run"],
  ])
    for (const [j, run] of (state?.runs ?? []).entries()) {
      const g = s("g", {
        class: `${name}${j ? " many" : ""} dash${dash(run.label)}`,
        style: ink(run.color),
      });
      inside.append(g);
      if (panel.boundary) {
        const at = Math.min(name === "run" ? k : kept.k, run[panel.boundary[0]].length - 1);
        const [b, u, v] = panel.boundary.map((n) => run[n][at]);
        const height = (x) => -(b + u * x) / v;
        const steep = Math.abs(u) * (x1 - x0) > Math.abs(v) * (y1 - y0);
        g.append(
          s("path", {
            d: trail(
              steep
                ? [y0, y1].map((y) => [-(b + v * y) / u, y])
                : [x0, x1].map((x) => [x, height(x)]),
              X,
              Y,
            ),
          }),
        );
        if (name === "run" && !j)
          places.push(
            run[panel.boundary[0]].map((_, i) => ({
              x: (left + right) / 2,
              y: clamp(Y(height((x0 + x1) / 2)) || base, top, base),
              i,
              j,
              text: `${named(i)}: ${panel.boundary.map((n) => `${n} = ${show(run[n][i])}`).join(", ")}`,
            })),
          );
      }
      if (!names) continue;
      const at = pairs(...names.map((n) => run[n]));
      const past = name === "run" ? k : at.length;
      if (name === "run")
        outside += at.filter(([u, v]) => !(u >= x0 && u <= x1 && v >= y0 && v <= y1)).length;
      if (panel.path)
        g.append(
          s("path", { class: "ahead", d: trail(at.slice(past), X, Y) }),
          s("path", { d: trail(at.slice(0, past + 1), X, Y) }),
        );
      at.forEach(
        ([u, v], i) =>
          Number.isFinite(X(u) + Y(v)) &&
          g.append(
            disc(X(u), Y(v), panel.cloud ? 2.6 : 1.8, {
              class: panel.path && i > past ? "ahead" : "",
            }),
          ),
      );
      if (name === "run" && !j)
        places.push(
          at.map(([u, v], i) => ({
            x: clamp(X(u), left, right),
            y: clamp(Y(v), top, base),
            i,
            j,
            text: `${panel.path ? named(i) : `draw ${i}`}: ${xlabel} = ${show(u)}, ${ylabel} = ${show(v)}`,
          })),
        );
    }
  inside.append(...marks.filter((_, i) => points[i][2] === 2)); // a cross lies on top
  if (panel.path) {
    const at = panel.path.map((n) => now.runs[0][n][k]);
    for (const [du, dv, ...shares] of now.trials?.[k + 1] ?? [])
      for (const share of du === undefined ? [] : [1, ...shares]) {
        const [u, v] = [X(at[0] + share * du), Y(at[1] + share * dv)];
        inside.append(
          s("line", { class: "ray", x1: X(at[0]), y1: Y(at[1]), x2: u, y2: v }),
          disc(u, v, 4, { class: "trial" }),
        );
      }
    if (Number.isFinite(X(at[0]))) inside.append(disc(X(at[0]), Y(at[1]), 4.5, { class: "here" }));
  }
  const counted = outside === 1 ? "One point lies" : `${outside} points lie`;
  return { places, beyond: outside ? `${counted} outside the picture.` : "" };
}

function drawImage(svg, { width: W }, panel, now, kept, k) {
  const [m, n] = now.image.shape;
  const values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
  const old =
    kept?.image?.shape.join() === now.image.shape.join()
      ? kept.image.frames[Math.min(kept.k, kept.image.frames.length - 1)]
      : null;
  const cell = Math.min((W - 44) / n, TALLEST / m);
  const left = (W - n * cell) / 2;
  const top = 4;
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${W} ${Math.ceil(top + m * cell + (panel.rows ? 22 : 4))}`);
  const limit = Math.max(...values.map(Math.abs)) || 1;
  const inner = panel.scale === "linear" ? null : panel.scale * limit;
  const bend = (v) =>
    inner ? Math.log10(1 + v / inner) / Math.log10(1 + limit / inner) : v / limit;
  const shades = new Map(); // one path a shade is drawn sooner than one square a value
  values.forEach((v, i) => {
    const shade = `${v < 0 ? "below" : "above"} ${bend(Math.abs(v)).toFixed(2)}`;
    const side = cell.toFixed(2);
    const corner = `${(left + (i % n) * cell).toFixed(2)} ${(top + Math.floor(i / n) * cell).toFixed(2)}`;
    shades.set(shade, `${shades.get(shade) ?? ""}M${corner}h${side}v${side}h-${side}z`);
  });
  for (const [shade, d] of shades)
    svg.append(
      s("path", { class: `cell ${shade.split(" ")[0]}`, "fill-opacity": shade.split(" ")[1], d }),
    );
  svg.append(s("rect", { class: "border", x: left, y: top, width: n * cell, height: m * cell }));
  if (panel.rows) {
    svg.append(
      s("text", { x: W / 2, y: top + m * cell + 16, "text-anchor": "middle" }, panel.columns),
    );
    svg.append(
      s(
        "text",
        {
          x: -top - (m * cell) / 2,
          y: left - 8,
          transform: "rotate(-90)",
          "text-anchor": "middle",
        },
        panel.rows,
      ),
    );
  }
  const places = [...Array(m)].map((_, r) =>
    [...Array(n)].map((_, c) => ({
      x: left + (c + 0.5) * cell,
      y: top + (r + 0.5) * cell,
      i: c,
      j: r,
      side: cell,
      text: `${panel.rows ? `${panel.rows} ${r}, ${panel.columns} ${c}` : `${panel.columns} ${r * n + c}`}: ${show(values[r * n + c])}${old ? `, kept ${show(old[r * n + c])}` : ""}`,
    })),
  );
  return { places, beyond: "" };
}

export const DRAW = { lines: drawLines, plane: drawPlane, image: drawImage };

export function drawPictures(list, panel, now, k) {
  list.replaceChildren(
    ...panel.sources.map((source, i) => {
      const [truth, said] = [panel.names[panel.truth[i]], panel.names[now.answers[k][i]]];
      const right = truth === said;
      return h(
        "li",
        { class: right ? "right" : "wrong" },
        h("img", {
          src: source,
          alt: `${truth}, ${right ? "recognised" : `taken for ${said}`}`,
          class: "photo",
        }),
        h("span", { "aria-hidden": "true" }, right ? "✓" : said),
      );
    }),
  );
}

/** The heads and bodies of what an explorer shows as tables. */
export function tabled(now, panels, k) {
  const named = now.runs.some((run) => run.label) && now.runs.length > 1;
  const names = now.columns;
  const tables = [
    [
      [...(named ? ["run"] : []), ...names.map(words)],
      now
        .at(k)
        .flatMap((run) =>
          run[names[0]].map((_, i) => [
            ...(named ? [run.label] : []),
            ...names.map((n) => run[n][i]),
          ]),
        ),
    ],
  ];
  if (now.image) {
    const [m, n] = now.image.shape;
    const values = now.image.frames[Math.min(k, now.image.frames.length - 1)];
    tables.push([
      ["row", ...Array(n).keys()],
      [...Array(m)].map((_, r) => [r, ...values.slice(r * n, (r + 1) * n)]),
    ]);
  }
  const shown = panels.find((panel) => panel.kind === "pictures");
  if (shown)
    tables.push([
      ["picture", "is", "taken for"],
      shown.truth.map((t, i) => [i, shown.names[t], shown.names[now.answers[k][i]]]),
    ]);
  return tables;
}
