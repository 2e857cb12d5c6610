// What the live pictures share: an address, frames, stories, controls, and the page's elements.

import { copier, button, h, table } from "../draw/elements.js";
import { address } from "./address.js";
import { control, stepper } from "./controls.js";
import { frames } from "./frames.js";
import { storyteller } from "./stories.js";

/**
 * A live picture in `el`. body(controls, steps), nodes by name, returns the picture's node; then
 * build(state) is called where a field that is not free has changed, work() as frames.js says, and
 * picture(state) where anything is new. Stories: { name, set, say }; arrive(story) whenever a state
 * has come whole: at first, by a story, a link, Reset. last(): the last iteration, of a picture with
 * a stepper; tables(): heads and bodies. Returns the view, by which a picture acts.
 */
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
  const told = stories.map((story) => ({ ...story, set: { ...initial, ...story.set } }));
  const show = () => root.scrollIntoView({ block: "start" });
  const place = address({ name, fields, usual, stories: told, take, show });
  let { state } = place.read();
  let story; // the one that is told, if any
  let arriving = false; // has a state come whole, for the next frame?

  // ---- a new state

  const say = (text) => (status.textContent = text);

  /** Some fields; `said` is null where it is not the reader who sets them. */
  function set(changes, said = "") {
    const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
    state = { ...state, ...changes };
    if (said !== null) say(said);
    frame.change(changed);
  }

  /** A whole state, and the story that it belongs to: runs begin anew, also in the same state. */
  function take({ state: whole, story: its, said = "" }) {
    [story, arriving] = [its, true];
    teller.tell(story);
    frame.change(fields.map((field) => field.name));
    set(whole, said);
    frame.now(); // at once: the next click, perhaps before a frame, is meant for this state
  }

  // ---- its frames

  const frame = frames({
    work,
    tick: () => steps?.tick(),
    build(changed) {
      const anew = fields.some((field) => !field.free && changed.has(field.name));
      if (anew) build(state);
      if (arriving) {
        arriving = false;
        arrive(story);
      }
      return anew;
    },
    draw(changed) {
      // Only where the state is another: a field is not taken from whoever types while runs go on.
      if (changed.size)
        for (const { update, node, field } of controls) {
          update(state);
          node.hidden = field.when ? !field.when(state) : false;
        }
      steps?.update();
      picture(state);
      if (details?.open) data.replaceChildren(...tables(state).map((one) => table(...one)));
    },
  });
  const resized = new ResizeObserver(frame.redraw); // a canvas has as many pixels as its place
  const view = {
    set,
    say,
    redraw: frame.redraw,
    get state() {
      return state;
    },
    stop() {
      resized.disconnect();
      frame.stop();
      place.stop();
    },
  };

  // ---- the page's elements

  const controls = fields
    .filter((field) => field.label)
    .map((field) => ({ field, ...control(field, (value) => set({ [field.name]: value }), say) }));
  const steps = last && stepper(view, last, fields.find((field) => field.name === "at").max);
  const teller = storyteller(told, opening, (one) => take({ state: one.set, story: one }));
  const status = h("p", { class: "status", role: "status" });
  const reset = button("Reset", () =>
    take({ state: usual, said: "Everything as it was at first." }),
  );
  const data = h("div", {
    class: "tables",
    tabindex: 0,
    role: "region",
    "aria-label": `${label}: data`,
  });
  const details =
    tables &&
    h("details", { ontoggle: frame.redraw }, h("summary", {}, "The numbers as tables"), data);
  const root = h(
    "div",
    {
      class: "soo-explorer soo-live",
      role: "group",
      "aria-label": label,
      "data-lm-suppress-shortcuts": "true", // JupyterLab leaves the keys to us
    },
    ...teller.nodes,
    body(Object.fromEntries(controls.map(({ field, node }) => [field.name, node])), steps),
    h("div", { class: "actions" }, reset, ...copier(() => place.link(state), say)),
    ...(details ? [details] : []),
    status,
  );
  el.append(root);
  resized.observe(root);
  frame.first(() => take(place.read())); // once the picture has its view
  return Object.assign(view, steps && { now: steps.now, play: steps.play });
}
