// The stories of a live picture: each sets a state, and says what to look for in it.

import { button, h } from "../draw/elements.js";

/** Buttons for stories, { name, say }, and the words of the one that is told: `opening` at first. */
export function storyteller(stories, opening, choose) {
  const about = h("p", { class: "said", "aria-live": "polite" });
  const buttons = stories.map((story) =>
    button(story.name, () => choose(story), story.name, { "data-story": story.name }),
  );
  const row = h("div", { class: "stories", role: "group", "aria-label": "Stories" }, ...buttons);
  return {
    nodes: stories.length ? [row, about] : [],
    tell(story) {
      about.textContent = story?.say ?? opening;
      for (const one of buttons)
        one.setAttribute("aria-pressed", String(one.dataset.story === story?.name));
      // On a phone the stories are a row that scrolls: the one told to its middle.
      const told = buttons.find((one) => one.dataset.story === story?.name);
      row.scrollLeft = told
        ? told.offsetLeft - row.offsetLeft - (row.clientWidth - told.offsetWidth) / 2
        : 0;
    },
  };
}
