// Controls that the live pictures share. A field is { name, label } and either options, a list; or
// min and max of a number, with log, whole, and mark(state), the critical value; or the pattern of a
// text, and in words what it asks for. when(state): is the field of use at all?

import { clamp, h, scale, show } from "./draw.js";

/** The value that a field takes from a text, or a complaint in words. */
export function parse({ label = "", ...field }, text) {
  field.label = label || field.name;
  if (field.options) {
    const found = field.options.find((option) => String(option) === text);
    return found === undefined ? { complaint: `${field.label} must be one of ${field.options.join(", ")}; got “${text}”` } : { value: found };
  }
  if (field.pattern)
    return field.pattern.test(text) ? { value: text } : { complaint: `${field.label} must be ${field.words}; got “${text}”` };
  const value = String(text).trim() === "" ? NaN : Number(String(text).replace("−", "-"));
  if (value >= field.min && value <= field.max && (!field.whole || Number.isInteger(value))) return { value };
  return { complaint: `${field.label} must be a ${field.whole ? "whole " : ""}number from ${show(field.min)} to ${show(field.max)}; got “${text}”` };
}

/** The state as a link's search part, ?name.field=value, and back with what was wrong in it; a link may
 * name a story too, ?name.story=its name, and fields that differ from it. */
export const codec = (name, fields, initial, stories = []) => ({
  write(state, search = "") {
    const query = new URLSearchParams(search);
    query.delete(`${name}.story`);
    for (const field of fields) {
      query.delete(`${name}.${field.name}`);
      if (state[field.name] !== initial[field.name]) query.set(`${name}.${field.name}`, state[field.name]);
    }
    return query.toString();
  },
  read(search) {
    const query = new URLSearchParams(search), asked = query.get(`${name}.story`), story = stories.find((one) => one.name === asked), state = { ...initial, ...story?.set }, complaints = [];
    if (asked !== null && !story) complaints.push(`The link's story must be one of ${stories.map((one) => one.name).join(", ")}; got “${asked}”.`);
    for (const field of fields) {
      if (!query.has(`${name}.${field.name}`)) continue;
      const { value, complaint } = parse(field, query.get(`${name}.${field.name}`));
      if (complaint) complaints.push(`The link's ${complaint}.`);
      else state[field.name] = value;
    }
    return { state, complaints, story };
  },
});

/** A labelled control of a field; `change(value)`, or `complain(text)`. Its update(state) follows. */
export function control(field, change, complain) {
  const take = (text) => {
    const { value, complaint } = parse(field, text);
    if (complaint) complain(complaint);
    else change(value);
  };
  if (field.options) {
    const names = field.options.map((option) => h("option", { value: option }, field.words?.[option] ?? String(option)));
    const list = h("select", { name: field.name, onchange: () => take(list.value) }, ...names);
    return { node: h("label", { class: "field" }, field.label, list), update: (state) => (list.value = state[field.name]) };
  }
  if (field.pattern) {
    const box = h("input", { type: "text", name: field.name, onchange: () => take(box.value) });
    return { node: h("label", { class: "field" }, field.label, box), update: (state) => (box.value = state[field.name]) };
  }
  const { of, at } = scale(field.min, field.max, field.log), fine = 1000;
  const value = (share) => (field.whole ? Math.round(at(share)) : Number(at(share).toPrecision(3)));
  const range = h("input", { type: "range", min: 0, max: fine, step: field.whole && !field.log ? fine / (field.max - field.min) : 1, "aria-label": field.label,
    oninput: () => change(clamp(value(range.value / fine), field.min, field.max)),
    onkeydown: (event) => { // on a log scale a key's share of the track may be less than one
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!way || !field.whole || !field.log) return;
      event.preventDefault();
      change(clamp(shown + way * Math.max(1, Math.round(shown / 20)), field.min, field.max));
    } });
  const box = h("input", { type: "text", inputmode: "decimal", name: field.name, "aria-label": `${field.label}, as a number`, onchange: () => take(box.value),
    onkeydown: (event) => event.key === "Enter" && take(box.value) });
  const mark = h("span", { class: "mark", hidden: true });
  let shown;
  return {
    node: h("div", { class: "field", role: "group", "aria-label": field.label }, h("span", { class: "name" }, field.label, box), h("span", { class: "track" }, range, mark)),
    update(state) {
      const now = state[field.name], critical = field.mark?.(state);
      range.value = fine * of(now);
      range.setAttribute("aria-valuetext", show(now));
      if (document.activeElement !== box || now !== shown) box.value = Number(now.toPrecision(4)); // leave alone what is being typed
      shown = now;
      mark.hidden = !(critical && critical.at >= field.min && critical.at <= field.max);
      if (mark.hidden) return;
      mark.style.setProperty("--at", of(critical.at));
      mark.textContent = critical.text;
      mark.title = `${critical.text}: ${show(critical.at)}`;
    },
  };
}

export const button = (text, onclick, label = text, props = {}) => h("button", { type: "button", "aria-label": label, title: label, onclick, ...props }, text);

/** Work in slices: each frame `work()` until its share is spent, or null: no more now, or false: ever. */
export function runner(work, draw, budget = 12) {
  let asked = 0;
  const frame = () => {
    const end = performance.now() + budget;
    let more = true;
    while (more && performance.now() < end) more = work();
    asked = more !== false && asked ? requestAnimationFrame(frame) : 0;
    draw();
  };
  return { start: () => (asked ||= requestAnimationFrame(frame)), stop: () => (asked = cancelAnimationFrame(asked) ?? 0) };
}

/** A node that a finger, a mouse or the arrow keys move: move(event) by pointer, nudge(dx, dy) by key. Where
 * there is a `grip` in it, a finger drags that, taps elsewhere, and else scrolls the page. */
export function draggable(node, move, nudge, grip = null) {
  node.addEventListener("pointerdown", (event) => {
    if (grip && event.pointerType === "touch" && event.target !== grip) return;
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    move(event);
  });
  if (grip) node.addEventListener("click", (event) => event.target !== grip && move(event));
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && move(event));
  node.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    nudge(...way.map((d) => d * (event.shiftKey ? 5 : 1)));
  });
}

/** The frame of every live picture: one state, one draw(state, changed, view), one codec, stories: lists
 * of { name, set, say, then }, and a status. body(controls, buttons) returns the node between them;
 * arrive() is called whenever a state has come whole: at first, by a story, a link, Reset. */
export function live(el, { name, label, fields, initial, stories = [], said: first = "", body, draw, arrive = () => {} }) {
  const { read, write } = codec(name, fields, initial, stories), status = h("p", { class: "status", role: "status" });
  let { state, complaints, story: asked } = read(location.search), waiting = 0, changed = new Set(fields.map((field) => field.name));
  const said = h("p", { class: "said", "aria-live": "polite" }, first);
  const controls = fields.filter((field) => field.label).map((field) => ({ ...control(field, (value) => set({ [field.name]: value }), say), field }));
  function say(text) { status.textContent = text; }
  function set(changes, told = "") {
    for (const key in changes) if (state[key] !== changes[key]) changed.add(key);
    state = { ...state, ...changes };
    if (told !== null) say(told); // null: it is not the reader who sets
    waiting ||= requestAnimationFrame(render);
  }
  function render() {
    waiting = 0;
    for (const { update, node, field } of controls) { update(state); node.hidden = field.when ? !field.when(state) : false; }
    const before = changed;
    changed = new Set();
    draw(state, before, view);
  }
  const introduce = (story) => {
    for (const other of told.children) other.setAttribute("aria-pressed", String(other.dataset.story === story?.name));
    said.textContent = story?.say ?? first;
  };
  const tell = (story, its = { ...initial, ...story?.set }, said = "") => { introduce(story); set(its, said); story?.then?.(); arrive(); };
  const told = h("div", { class: "stories", role: "group", "aria-label": "Stories" },
    ...stories.map((story) => button(story.name, () => tell(story), story.name, { "aria-pressed": "false", "data-story": story.name })));
  // A link in the page's text to a state of this picture: the picture takes it, and comes into view.
  const follow = (event) => {
    if (!root.isConnected) return document.removeEventListener("click", follow, true);
    const link = event.target.closest?.(`a[href*="?${name}."]`), lab = "jpThemeLight" in document.body.dataset;
    if (!link || !(lab || link.pathname === location.pathname) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!lab) history.pushState(null, "", link.href); // "back" leads back to the text
    const found = read(link.search);
    root.scrollIntoView({ block: "start" });
    tell(found.story, found.state, found.complaints.join(" "));
  };
  document.addEventListener("click", follow, true);
  const address = h("input", { class: "address", readonly: true, hidden: true, "aria-label": "link to the present state" });
  const copy = button("Copy link", async () => {
    address.value = Object.assign(new URL(location.href), { search: write(state, location.search), hash: "" }).href;
    try { await navigator.clipboard.writeText(address.value); say("Link copied."); } catch { address.hidden = false; address.select(); }
  }, "Copy link", { class: "copy" });
  const reset = button("Reset", () => tell(null, { ...initial }, "Everything as it was at first."));
  const root = h("div", { class: "soo-explorer soo-live", role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" },
    ...(stories.length ? [told, said] : []), body(controls, { reset, copy, address }), status);
  el.append(root);
  say(complaints.join(" "));
  const view = { set, say, root, get state() { return state; } };
  introduce(asked);
  render();
  asked?.then?.();
  arrive();
  return view;
}
