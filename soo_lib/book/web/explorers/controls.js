// What the live pictures share: fields, links, stories, the frame in which they work and are drawn.
// A field is { name, label } and either options, a list; or min and max of a number, with log,
// whole,
// and mark(state), the critical value; or the pattern of a text, and in words what it asks for.
// when(state): is the field of use at all? free: what was built for the other fields stays as it
// is.

import { scale } from "../draw/draw.js";
import { button, clamp, copier, h, show, table } from "../draw/elements.js";

const BUDGET = 8; // ms of a frame that may go into work: the rest is the picture's
const TEMPO = 6;
const PACE = 3000; // iterations, ms: the first iterations take more of the slider, and of the time
const bent = (k) => Math.log1p(k / TEMPO);
const straight = (share) => TEMPO * Math.expm1(share);

/** Does the reader want things to stand still? */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const clipped = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** The value that a field takes from a text, or a complaint in words. */
function parse(field, text) {
  const wanted = (words) => ({
    complaint: `${field.label || field.name} must be ${words}; got “${clipped(text)}”`,
  });
  if (field.options)
    return field.options.includes(text)
      ? { value: text }
      : wanted(`one of ${field.options.join(", ")}`);
  if (field.pattern) return field.pattern.test(text) ? { value: text } : wanted(field.words);
  const value = Number(text.trim().replace("−", "-") || NaN);
  if (value >= field.min && value <= field.max && (!field.whole || Number.isInteger(value)))
    return { value };
  return wanted(
    `a ${field.whole ? "whole " : ""}number from ${show(field.min)} to ${show(field.max)}`,
  );
}

/** The state as a link's search part, ?name.field=value where it differs from `usual`, and back
 * with what was wrong in it; a link may name a story too, ?name.story=its name, and fields that
 * differ from it. */
const codec = (name, fields, usual, stories) => ({
  write(state, search) {
    const query = new URLSearchParams(search);
    query.delete(`${name}.story`);
    for (const { name: key } of fields)
      if (state[key] === usual[key]) query.delete(`${name}.${key}`);
      else query.set(`${name}.${key}`, state[key]);
    return query.toString();
  },
  read(search) {
    const query = new URLSearchParams(search);
    const asked = query.get(`${name}.story`);
    const complaints = [];
    const story = stories.find((one) => one.name === asked);
    const state = { ...usual, ...story?.set };
    if (asked !== null && !story)
      complaints.push(
        `The link's story must be one of ${stories.map((one) => one.name).join(", ")}; got “${clipped(asked)}”.`,
      );
    for (const field of fields) {
      const text = query.get(`${name}.${field.name}`);
      const { value = state[field.name], complaint } = text === null ? {} : parse(field, text);
      state[field.name] = value;
      if (complaint) complaints.push(`The link's ${complaint}.`);
    }
    return { state, complaints, story };
  },
});

/** [right, up] of an arrow key, which then does nothing else; with Alt, Control or Meta it is the
 * browser's. */
function arrow(event) {
  const way =
    !(event.altKey || event.ctrlKey || event.metaKey) &&
    { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (way) event.preventDefault();
  return way;
}

/** A labelled control of a field; `change(value)`, or `complain(text)`. Its update(state)
 * follows. */
function control(field, change, complain) {
  const { name, label, min, max, log, whole } = field;
  const take = ({ target }) => {
    const { value, complaint } = parse(field, target.value);
    if (complaint) complain(complaint);
    else change(value);
  };
  if (field.options || field.pattern) {
    const options = field.options?.map((option) =>
      h("option", { value: option }, field.words?.[option] ?? option),
    );
    const box = options
      ? h("select", { name, onchange: take }, ...options)
      : h("input", { type: "text", name, onchange: take });
    return {
      node: h("label", { class: "field" }, label, box),
      update: (state) => (box.value = state[name]),
    };
  }
  const { of, at } = scale(min, max, log);
  const fine = 1000;
  const set = (value) =>
    change(clamp(whole ? Math.round(value) : Number(value.toPrecision(3)), min, max));
  let shown;
  const range = h("input", {
    type: "range",
    min: 0,
    max: fine,
    step: whole && !log ? fine / (max - min) : 1,
    "aria-label": label,
    oninput: () => set(at(range.value / fine)),
    onkeydown(event) {
      // on a log scale a key's share of the track may be less than one
      const way = whole && log && arrow(event);
      if (way) set(shown + (way[0] + way[1]) * Math.max(1, Math.round(shown / 20)));
    },
  });
  const box = h("input", {
    type: "text",
    inputmode: "decimal",
    name,
    "aria-label": `${label}, as a number`,
    onchange: take,
    onkeydown: (event) => event.key === "Enter" && take(event),
  });
  const mark = h("span", { class: "mark", hidden: true });
  return {
    node: h(
      "div",
      { class: "field", role: "group", "aria-label": label },
      h("span", { class: "name" }, label, box),
      h("span", { class: "track" }, range, mark),
    ),
    update(state) {
      const now = state[name];
      const critical = field.mark?.(state);
      range.value = fine * of(now);
      range.setAttribute("aria-valuetext", show(now));
      // leave alone what is being typed
      if (document.activeElement !== box || now !== shown) box.value = Number(now.toPrecision(4));
      shown = now;
      mark.hidden = !(critical && critical.at >= min && critical.at <= max);
      if (mark.hidden) return;
      mark.style.setProperty("--at", of(critical.at));
      mark.textContent = critical.text;
      mark.title = `${critical.text}: ${show(critical.at)}`;
    },
  };
}

/** A node that a finger, a mouse or the arrow keys move: move(event) by pointer, nudge(dx, dy) by
 * key. Where there is a `grip` in it, a finger drags that, taps elsewhere, and else scrolls the
 * page; `hover`: a pointer that is not pressed moves it too. */
export function draggable(node, move, nudge, { grip = null, hover = false } = {}) {
  node.addEventListener("pointerdown", (event) => {
    // a menu's button moves nothing
    if (event.button || (grip && event.pointerType === "touch" && event.target !== grip)) return;
    node.setPointerCapture(event.pointerId);
    node.focus({ preventScroll: true });
    move(event);
  });
  if (grip) node.addEventListener("click", (event) => event.target !== grip && move(event));
  node.addEventListener(
    "pointermove",
    (event) => (hover || node.hasPointerCapture(event.pointerId)) && move(event),
  );
  node.addEventListener("keydown", (event) => {
    const way = arrow(event);
    if (way) nudge(...way.map((d) => d * (event.shiftKey ? 5 : 1)));
  });
}

/** Buttons and a slider that lead through a run's iterations, 0 to last(), and play them; state.at
 * is the one shown, and stays at `most` where the reader wants the last, whatever its number. */
function stepper(view, last, most) {
  let begun = null; // when an iteration 0 would have been shown, while it plays
  const now = () => Math.min(view.state.at, last());
  const show_at = (k) => view.set({ at: k >= last() ? most : Math.max(0, k) }, null);
  const go = (k) => {
    play(false);
    show_at(k);
  };
  const play = (on) => {
    begun = on ? performance.now() - PACE * bent(now() < last() ? now() : 0) : null;
    view.redraw();
  };
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: "any",
    "aria-label": "iteration",
    oninput: () => go(Math.round(straight(slider.value * bent(last())))),
    onkeydown(event) {
      const way = arrow(event);
      if (way) go(now() + way[0] + way[1]);
    },
  });
  const run = button("▶", () => play(begun === null), "Play or pause", { class: "primary" });
  const where = h("span", { class: "where" });
  return {
    now,
    play,
    node: h(
      "div",
      { class: "steps" },
      run,
      button("‹", () => go(now() - 1), "One iteration back"),
      slider,
      button("›", () => go(now() + 1), "One iteration on"),
      where,
    ),
    /** Shows the iteration that is due; is there one to come? */
    tick() {
      if (begun === null) return false;
      show_at(Math.floor(straight((performance.now() - begun) / PACE)));
      if (view.state.at === most) begun = null;
      return begun !== null;
    },
    update() {
      run.textContent = begun === null ? "▶" : "❚❚";
      slider.value = bent(now()) / bent(Math.max(1, last()));
      slider.setAttribute(
        "aria-valuetext",
        (where.textContent = `iteration ${now()} of ${last()}`),
      );
    },
  };
}

/** The frame of every live picture. body(controls, steps), nodes by name, returns the picture's
 * node; then, at most once a frame, build(state) where a field that is not free has changed,
 * work() while there is time (true: there is more; "on": and nothing new yet; null: not now;
 * false: no more) and picture(state) where anything is new. Stories: lists of { name, set, say };
 * arrive(story) whenever a state has come whole: at first, by a story, a link, Reset. last(): the
 * last iteration, of a picture with a stepper; tables(): heads and bodies. Returns the view, by
 * which a picture acts. */
export function live(
  el,
  {
    name,
    label,
    fields,
    initial,
    first = {},
    stories = [],
    opening = "",
    body,
    picture,
    tables = null,
    last = null,
    build = () => {},
    work = () => false,
    arrive = () => {},
  },
) {
  const usual = { ...initial, ...first };
  const tales = stories.map((story) => ({ ...story, set: { ...initial, ...story.set } }));
  const { read, write } = codec(name, fields, usual, tales);
  const found = read(location.search);
  let { state, story } = found;
  let arriving;
  let asked;
  let stale = true;
  let late = false;
  let changed = new Set();
  let address = location.search; // whose state was last taken

  const ask = () => (asked ||= requestAnimationFrame(frame));
  const say = (text) => (status.textContent = text);
  const redraw = () => {
    stale = true;
    ask();
  };
  function set(changes, said = "") {
    for (const key in changes)
      if (state[key] !== changes[key]) {
        changed.add(key);
        stale = true;
      }
    state = { ...state, ...changes };
    if (said !== null) say(said); // null: it is not the reader who sets
    ask();
  }
  function frame() {
    const end = performance.now() + BUDGET;
    asked = cancelAnimationFrame(asked);
    if (fields.some((field) => !field.free && changed.has(field.name))) {
      late = false;
      build(state);
    } // new runs work first
    if (arriving) {
      arriving = false;
      arrive(story);
    }
    const playing = steps?.tick();
    let more = late;
    if (!late)
      do {
        more = work();
        stale ||= more === true;
      } while (more && performance.now() < end);
    // long work: the picture gets a frame of its own
    late = stale && !late && !changed.size && performance.now() > end + BUDGET;
    if (stale && !late) {
      // Only where the state is another: a field is not taken from whoever types in it while runs
      // go on.
      if (changed.size)
        for (const { update, node, field } of controls) {
          update(state);
          node.hidden = field.when ? !field.when(state) : false;
        }
      steps?.update();
      picture(state);
      if (details?.open) data.replaceChildren(...tables(state).map((one) => table(...one)));
    }
    stale &&= late;
    changed.clear();
    if (more !== false || playing || late) ask();
  }
  function tell(it, its, said) {
    for (const other of told.children)
      other.setAttribute("aria-pressed", String(other.dataset.story === it?.name));
    // on a phone the stories are a row that scrolls: to its middle
    const pressed = told.querySelector("[aria-pressed=true]");
    told.scrollLeft =
      pressed &&
      pressed.offsetLeft - told.offsetLeft - (told.clientWidth - pressed.offsetWidth) / 2;
    about.textContent = it?.say ?? opening;
    [story, arriving, stale, changed] = [
      it,
      true,
      true,
      new Set(fields.map((field) => field.name)),
    ]; // runs begin anew, also in the same state
    set(its, said);
    frame(); // at once: the next click, perhaps before a frame, is meant for this state
  }
  const own = (search) =>
    [...new URLSearchParams(search)].filter(([key]) => key.startsWith(`${name}.`)).join();
  function take(search) {
    const there = read((address = search));
    tell(there.story, there.state, there.complaints.join(" "));
  }
  // A link in the page's text to a state of this picture: the picture takes it, and comes into
  // view.
  const follow = (event) => {
    const link = event.target.closest?.(`a[href*="?${name}."]`);
    const lab = "jpThemeLight" in document.body.dataset;
    if (
      !link ||
      !(lab || link.pathname === location.pathname) ||
      event.ctrlKey ||
      event.metaKey ||
      event.shiftKey
    )
      return;
    event.preventDefault();
    event.stopPropagation();
    if (!lab) history.pushState(null, "", link.href); // "back" leads back to the text
    root.scrollIntoView({ block: "start" });
    take(link.search);
  };
  // back or forward
  const turn = () => own(location.search) !== own(address) && take(location.search);
  const life = new AbortController();
  const { signal } = life;
  document.addEventListener("click", follow, { capture: true, signal });
  addEventListener("popstate", turn, { signal });
  const resized = new ResizeObserver(redraw); // a canvas has as many pixels as its place

  const view = {
    set,
    say,
    redraw,
    root: null,
    get state() {
      return state;
    },
    stop() {
      resized.disconnect();
      cancelAnimationFrame(asked);
      life.abort();
    },
  };
  const controls = fields
    .filter((field) => field.label)
    .map((field) => ({ field, ...control(field, (value) => set({ [field.name]: value }), say) }));
  const steps = last && stepper(view, last, fields.find((field) => field.name === "at").max);
  const status = h("p", { class: "status", role: "status" });
  const about = h("p", { class: "said", "aria-live": "polite" });
  const told = h(
    "div",
    { class: "stories", role: "group", "aria-label": "Stories" },
    ...tales.map((it) =>
      button(it.name, () => tell(it, it.set, ""), it.name, { "data-story": it.name }),
    ),
  );
  const link = () =>
    Object.assign(new URL(location.href), { search: write(state, location.search), hash: "" }).href;
  const reset = button("Reset", () => tell(undefined, usual, "Everything as it was at first."));
  const data = h("div", {
    class: "tables",
    tabindex: 0,
    role: "region",
    "aria-label": `${label}: data`,
  });
  const details =
    tables && h("details", { ontoggle: redraw }, h("summary", {}, "The numbers as tables"), data);
  const root = h(
    "div",
    {
      class: "soo-explorer soo-live",
      role: "group",
      "aria-label": label,
      "data-lm-suppress-shortcuts": "true",
    },
    ...(tales.length ? [told, about] : []),
    body(Object.fromEntries(controls.map(({ field, node }) => [field.name, node])), steps),
    h("div", { class: "actions" }, reset, ...copier(link, say)),
    ...(details ? [details] : []),
    status,
  );
  el.append(root);
  resized.observe(root);
  // once the picture has its view
  asked = requestAnimationFrame(() => tell(story, state, found.complaints.join(" ")));
  return Object.assign(view, steps && { now: steps.now, play: steps.play });
}
