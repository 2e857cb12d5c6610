// The state of a live picture as a link, and the links that lead to a state.

import { clipped, parse } from "./controls.js";

/**
 * A link says ?name.field=value where the state differs from `usual`; it may name a story too,
 * ?name.story=its name, and fields that differ from that. `take` is handed what a link says, when
 * the reader follows one in the page's text or goes back or forward; `show` brings the picture into
 * view. Returns read(), link(state) and stop().
 */
export function address({ name, fields, usual, stories, take, show }) {
  const key = (field) => `${name}.${field}`;
  const own = (search) =>
    [...new URLSearchParams(search)].filter(([field]) => field.startsWith(key(""))).join();
  let last = location.search; // whose state was last taken

  /** What a search part says: a state, the story that it names, and what was wrong, in words. */
  function read(search = location.search) {
    const query = new URLSearchParams(search);
    const asked = query.get(key("story"));
    const story = stories.find((one) => one.name === asked);
    const state = { ...usual, ...story?.set };
    const complaints = [];
    if (asked !== null && !story) {
      const known = stories.map((one) => one.name).join(", ");
      complaints.push(`The link's story must be one of ${known}; got “${clipped(asked)}”.`);
    }
    for (const field of fields) {
      const text = query.get(key(field.name));
      if (text === null) continue;
      const { value = state[field.name], complaint } = parse(field, text);
      state[field.name] = value;
      if (complaint) complaints.push(`The link's ${complaint}.`);
    }
    return { state, story, said: complaints.join(" ") };
  }

  function link(state) {
    const query = new URLSearchParams(location.search);
    query.delete(key("story"));
    for (const { name: field } of fields)
      if (state[field] === usual[field]) query.delete(key(field));
      else query.set(key(field), state[field]);
    return Object.assign(new URL(location.href), { search: query.toString(), hash: "" }).href;
  }

  /** A link in the page's text to a state of this picture; in JupyterLab it leads to no page. */
  function follow(event) {
    const there = event.target.closest?.(`a[href*="?${key("")}"]`);
    const lab = "jpThemeLight" in document.body.dataset;
    if (!there || !(lab || there.pathname === location.pathname)) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!lab) history.pushState(null, "", there.href); // "back" leads back to the text
    show();
    take(read((last = there.search)));
  }

  /** Back or forward, to another state of this picture. */
  function turn() {
    if (own(location.search) !== own(last)) take(read((last = location.search)));
  }

  const life = new AbortController();
  const { signal } = life;
  document.addEventListener("click", follow, { capture: true, signal });
  addEventListener("popstate", turn, { signal });
  return { read, link, stop: () => life.abort() };
}
