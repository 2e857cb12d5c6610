// One explorer: controls, panels of SVG (panels.js), a reading of exact values, a table. What it
// shows was computed by Python: looked up in the page, or asked of a kernel where there is one.

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
        onkeydown: (e) => e.key === "Enter" && e.target.blur(), // JupyterLab keeps the key from making a change
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
  const root = h("div", { class: "soo-explorer", role: "group", "aria-label": `Explorer: ${words(name)}`, "data-name": name,
    "data-lm-suppress-shortcuts": "true" }, // JupyterLab leaves the keys to us
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
