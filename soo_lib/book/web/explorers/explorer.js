// One explorer: controls, panels of SVG (panels.js), a reading of exact values, a table. What it
// shows was computed by Python: looked up in the page, or asked of a kernel where there is one.

import { dash } from "../draw/draw.js";
import { button, clamp, copier, h, s, table } from "../draw/elements.js";
import { DRAW, disc, drawPictures, ink, tabled, unpack, words } from "./panels.js";

function render({ model, el }) {
  const { name, order, columns, controls, panels, initial, at } = model.get("spec");
  const names = order; // a stored page sorts its keys
  const shared = model.get("shared");
  const packed = { ...model.get("states") };
  const unpacked = {};
  const axes = panels.find((panel) => panel.x?.length > 1)?.x;
  let choice, axis, k, kept; // what the reader has set
  let now;
  let drawn;
  let timer;
  let live = false; // the state on show, and its choice

  const restart = () => {
    choice = { ...initial };
    axis = axes?.[0];
    k = at ?? Infinity;
    kept = null;
  };
  const keyOf = (c) =>
    names
      .map((n) => (controls[n].includes(c[n]) ? controls[n].indexOf(c[n]) : `=${c[n]}`))
      .join(".");
  const say = (c) => names.map((n) => `${words(n)} ${c[n]}`).join(", ");
  const step = () => Math.min(k, now.count - 1);
  const numeric = (v) => typeof v === "number";
  // A slider, where the choices are three numbers or more, each larger; the last may be a word.
  const ordered = (all) =>
    all.length > 2 &&
    all.slice(0, -1).every(numeric) &&
    all.every((v, i) => !i || !numeric(v) || v > all[i - 1]);
  // Panels one below the other are low, so that a phone shows them and the steps at once.
  const sizeOf = (width) => ({
    width,
    height: Math.round(
      clamp((panels.length > 1 && root.clientWidth > 570 ? 0.78 : 0.56) * width, 200, 340),
    ),
  });

  function choose(changed, value) {
    choice = { ...choice, [changed]: value };
    if (packed[keyOf(choice)] || live) return update();
    // The page has not every combination: the nearest that keeps what the reader has just chosen.
    const want = keyOf(choice).split(".");
    const start = keyOf(initial).split(".");
    const place = names.indexOf(changed);
    const score = (key) =>
      key.split(".").reduce((sum, v, i) => sum + 2 * (v === want[i]) + (v === start[i]), 0);
    const best = Object.keys(packed)
      .filter((key) => key.split(".")[place] === want[place])
      .sort((a, b) => score(b) - score(a))[0];
    names.forEach((n, i) => (choice[n] = controls[n][best.split(".")[i]]));
    update(`The page has no such combination: now ${say(choice)}. `);
  }

  // ---- the page's elements

  const selects = {};
  const said = {};
  const fields = {};
  const bar = h("div", { class: "controls" });
  for (const n of names) {
    const values = controls[n];
    const label = h("label", {}, words(n));
    if (ordered(values)) {
      said[n] = h("output", {});
      selects[n] = h("input", {
        type: "range",
        name: n,
        min: 0,
        max: values.length - 1,
        step: 1,
        oninput: (e) => choose(n, values[e.target.value]),
      });
      label.className = "slid";
      label.replaceChildren(h("span", {}, words(n), " ", said[n]), selects[n]);
    } else {
      selects[n] = h(
        "select",
        { name: n, onchange: (e) => choose(n, values[e.target.selectedIndex]) },
        ...values.map((v) => h("option", {}, String(v))),
      );
      label.append(selects[n]);
    }
    bar.append(label);
    if (!values.every(numeric)) continue;
    fields[n] = h("input", {
      type: "number",
      step: "any",
      hidden: true,
      "aria-label": `any ${words(n)}`,
      // JupyterLab keeps the key from making a change
      onkeydown: (e) => e.key === "Enter" && e.target.blur(),
      onchange: (e) => e.target.value !== "" && choose(n, Number(e.target.value)),
    });
    bar.lastChild.append(fields[n]);
  }
  const switcher = h(
    "select",
    {
      name: "axis",
      onchange: (e) => {
        axis = e.target.value;
        update();
      },
    },
    ...(axes ?? []).map((a) => h("option", {}, a)),
  );
  if (axes) bar.append(h("label", {}, "axis", switcher));

  const views = panels.map((panel) => {
    const title = panel.title ?? `${panel.ylabel} against ${panel.xlabel || "the axis chosen"}`;
    const heading = h("p", { class: "title" }, panel.title ?? "");
    const readout = h("p", { class: "readout" });
    if (panel.kind === "pictures") {
      const list = h("ul", { class: "pictures", "aria-label": title });
      return { panel, list, node: h("div", { class: "panel" }, heading, list) };
    }
    const svg = s("svg", { "aria-hidden": "true" });
    const beyond = h("p", { class: "beyond" });
    const leave = () => {
      view.at = null;
      mark(view);
    };
    const plot = h(
      "div",
      {
        class: "plot",
        tabindex: 0,
        role: "slider",
        "aria-valuemin": 0,
        onblur: leave,
        onpointerleave: leave,
        "aria-label": `${title}: read values with the arrow keys`,
        onkeydown: (e) => read(view, e),
        onpointermove: (e) => point(view, e),
        onpointerdown: (e) => point(view, e),
      },
      svg,
    );
    const view = {
      panel,
      svg,
      plot,
      readout,
      beyond,
      node: h("div", { class: "panel" }, heading, plot, readout, beyond),
    };
    return view;
  });

  const range = h("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "step",
    oninput: (e) => go(+e.target.value),
  });
  const where = h("span", { class: "where" });
  const play = button("▶", () => (timer ? stop() : start()), "Play or pause");
  const steps = h(
    "div",
    { class: "steps" },
    button("‹", () => go(step() - 1), "One step back"),
    play,
    button("›", () => go(step() + 1), "One step on"),
    range,
    where,
  );
  const kind = h(
    "span",
    { class: "kind", title: "Every choice was computed beforehand, by Python" },
    "recorded",
  );
  const keep = h("button", {
    type: "button",
    onclick: () => {
      kept = kept ? null : { ...now, k: step(), said: say(drawn) };
      update();
    },
  });
  const reset = button("Reset", () => {
    stop();
    restart();
    update("Reset: ");
  });
  const [copy, address] = copier(link, (text) => (status.textContent = text));
  const legend = h("p", { class: "legend" });
  const status = h("p", { class: "status", role: "status" });
  const tables = h("div", { class: "tables", tabindex: 0, role: "region", "aria-label": "data" });
  const details = h(
    "details",
    { ontoggle: () => tabulate() },
    h("summary", {}, "Data as a table"),
    tables,
  );
  // The last attribute: JupyterLab leaves the keys to us.
  const root = h(
    "div",
    {
      class: "soo-explorer",
      role: "group",
      "aria-label": `Explorer: ${words(name)}`,
      "data-lm-suppress-shortcuts": "true",
    },
    bar,
    h("div", { class: "panels" }, ...views.map((view) => view.node)),
    legend,
    steps,
    h("div", { class: "actions" }, keep, reset, copy, address),
    status,
    kind,
    details,
  );

  // ---- drawing

  function update(prefix = "") {
    const key = keyOf(choice);
    for (const n of names) {
      const at = controls[n].indexOf(choice[n]); // -1 where a kernel computes what is in no list
      if (said[n]) {
        if (at >= 0) selects[n].value = at;
        said[n].textContent = choice[n];
        selects[n].setAttribute("aria-valuetext", choice[n]);
      } else selects[n].selectedIndex = at;
      if (fields[n]) fields[n].value = controls[n].includes(choice[n]) ? "" : choice[n];
    }
    switcher.value = axis;
    root.setAttribute("aria-busy", !packed[key]);
    if (!packed[key]) {
      status.textContent = `Computing ${say(choice)} …`;
      return model.send({ ask: "state", key, choice });
    }
    now = unpacked[key] ??= unpack(packed[key], shared, columns);
    drawn = { ...choice };
    const last = now.count - 1;
    const i = step();
    Object.assign(range, { max: last, value: i });
    steps.hidden = last < 1;
    where.textContent = now.frames ? now.frames[i] : `iteration ${i} of ${last}`;
    range.setAttribute("aria-valuetext", where.textContent);
    for (const view of views) {
      if (view.list) {
        drawPictures(view.list, view.panel, now, i);
        continue;
      }
      const size = (view.size = sizeOf(view.plot.clientWidth || 340));
      const { places, beyond } = DRAW[view.panel.kind](
        view.svg,
        size,
        view.panel,
        now,
        kept,
        i,
        axis,
      );
      view.places = places;
      view.beyond.textContent = beyond;
      mark(view);
    }
    const labels = new Map(now.at(i).map((run) => [run.label, run.color]));
    labels.delete("");
    legend.replaceChildren(
      ...[...labels].map(([label, color], j) =>
        h("span", { class: `key dash${dash(label, j)}`, style: ink(color) }, label),
      ),
      ...panels
        .flatMap((panel) => panel.classes ?? [])
        .map((c, j) => (c ? h("span", { class: `key kind${j}` }, c) : "")),
      kept ? h("span", { class: "key ghost" }, `kept: ${kept.said}`) : "",
    );
    keep.setAttribute("aria-pressed", String(!!kept));
    keep.textContent = kept ? "Let go" : "Keep to compare";
    status.textContent =
      prefix + (Array.isArray(now.note) ? now.note[i] : (now.note ?? say(choice)));
    tabulate();
  }
  const tabulate = () =>
    tables.replaceChildren(
      ...(details.open ? tabled(now, panels, step()).map((one) => table(...one)) : []),
    );

  // ---- reading, stepping, playing

  // its places are the steps
  const follows = (view) => view.panel.kind !== "image" && !now.per_frame;
  function mark(view) {
    view.svg.querySelector(".cursor")?.remove();
    const place = view.at
      ? view.places[view.at.j]?.[view.at.i]
      : follows(view)
        ? view.places[0]?.[step()]
        : null;
    const width = view.places[0]?.length ?? 1;
    const { side } = place ?? {};
    view.readout.textContent = place?.text ?? "";
    view.plot.setAttribute("aria-valuemax", Math.max(1, view.places.length * width - 1));
    view.plot.setAttribute("aria-valuenow", place ? place.j * width + place.i : 0);
    view.plot.setAttribute("aria-valuetext", place?.text ?? "no value read yet");
    if (place && !place.lacks)
      view.svg.append(
        side
          ? s("rect", {
              class: "cursor",
              x: place.x - side / 2,
              y: place.y - side / 2,
              width: side,
              height: side,
            })
          : disc(place.x, place.y, 6, { class: "cursor" }),
      );
  }
  function read(view, event) {
    const move = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      Home: [-1e9, 0],
      End: [1e9, 0],
    }[event.key];
    if (!move || !view.places.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const from = view.at ?? { i: follows(view) ? step() : -move[0], j: 0 };
    const j = clamp(from.j + move[1], 0, view.places.length - 1);
    settle(view, { j, i: clamp(from.i + move[0], 0, view.places[j].length - 1) });
  }
  function point(view, event) {
    const box = view.svg.getBoundingClientRect();
    const unit = view.size.width / box.width;
    const far = (p) =>
      (p.x - (event.clientX - box.left) * unit) ** 2 +
      (p.y - (event.clientY - box.top) * unit) ** 2;
    const at = view.places
      .flat()
      .reduce((best, p) => (best && far(best) <= far(p) ? best : p), null);
    if (event.type === "pointerdown") return settle(view, at);
    view.at = at;
    mark(view);
  }
  function settle(view, at) {
    view.at = at;
    if (follows(view) && at.i < now.count) go(at.i);
    else mark(view);
  }
  function go(i) {
    stop();
    k = clamp(i, 0, now.count - 1);
    update();
  }
  function start() {
    k = step() === now.count - 1 ? 0 : step();
    play.textContent = "❚❚";
    timer = setInterval(
      () => {
        if (k >= now.count - 1) return stop();
        k += 1;
        update();
      },
      clamp(6000 / now.count, 80, 600),
    );
    update();
  }
  function stop() {
    timer = clearInterval(timer);
    play.textContent = "▶";
  }

  // ---- a link holds the choice: ?rosenbrock.solver=newton&rosenbrock.axis=seconds

  function link() {
    const url = Object.assign(new URL(location.href), { hash: "" });
    for (const [n, v] of Object.entries({ ...choice, axis: axis ?? "", at: step() }))
      url.searchParams.set(`${name}.${n}`, v);
    return url.href;
  }
  function restore() {
    const given = (n) => new URLSearchParams(location.search).get(`${name}.${n}`);
    for (const n of names) choice[n] = controls[n].find((v) => String(v) === given(n)) ?? choice[n];
    if (!packed[keyOf(choice)]) choice = { ...initial };
    axis = axes?.find((a) => a === given("axis")) ?? axis;
    if (/^\d+$/.test(given("at"))) k = +given("at");
    const asked = names.filter((n) => given(n) !== null);
    if (asked.length)
      return asked.every((n) => String(choice[n]) === given(n))
        ? ""
        : `The page has not all that the link asks for: now ${say(choice)}. `;
  }

  // ---- the kernel, where there is one

  function hear({ tell, key, state, error }) {
    if (tell === "live") {
      live = copy.hidden = kind.hidden = true;
      for (const n in fields) fields[n].hidden = false;
    } else if (tell === "state") packed[key] = state;
    if (key !== keyOf(choice)) return;
    if (tell === "error") choice = { ...drawn };
    update(tell === "error" ? `No picture of that: ${error}. Still: ` : "");
  }
  model.on("msg:custom", hear);
  restart();
  const linked = restore();
  el.append(root); // first: a picture is as wide as the place it has
  update(linked);
  const resized = new ResizeObserver(
    () => now && views.some((v) => v.svg && v.size?.width !== v.plot.clientWidth) && update(),
  );
  resized.observe(root);
  if (linked !== undefined) root.scrollIntoView();
  model.send({ ask: "hello" });
  return () => {
    stop();
    resized.disconnect();
    model.off("msg:custom", hear);
  };
}

export default { render };
