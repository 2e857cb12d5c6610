// What a reader sets a live picture with: controls of its fields, places to drag in, a slider for
// its iterations.
//
// A field is { name, label } and either options, a list; or min and max of a number, with log,
// whole, and mark(state), the critical value; or the pattern of a text, and in words what it asks
// for. when(state): is the field of use at all? free: what was built for the other fields stays.

import { scale } from "../draw/draw.js";
import { button, clamp, h, show } from "../draw/elements.js";

// Played and on the slider, the first iterations take more room than the later ones.
const TEMPO = 6; // iterations
const PACE = 3000; // ms
const bent = (k) => Math.log1p(k / TEMPO);
const straight = (share) => TEMPO * Math.expm1(share);

/** Does the reader want things to stand still? */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const clipped = (text) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** The value that a field takes from a text, or a complaint in words. */
export function parse(field, text) {
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
export function control(field, change, complain) {
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
export function stepper(view, last, most) {
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
