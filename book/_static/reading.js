// What helps to read: a term shows its meaning, a figure grows when tapped, what scrolls says so.
// Without this file a term is a link, a figure is a figure, and boxes scroll.
(() => {
  const article = document.querySelector(".bd-article");
  if (!article) return;
  const h = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // ---- Terms: the glossary is fetched once, when the first of them is asked for

  const TERM = 'a.reference.internal[href*="#term-"]';
  const note = h("div", { id: "term-note", className: "term-note", role: "tooltip", hidden: true });
  let glossary, shown, timer;

  async function meaning(link) {
    const [page, id] = link.href.split("#");
    glossary ??= fetch(page)
      .then((answer) => answer.text())
      .then((text) => new DOMParser().parseFromString(text, "text/html"));
    const told = (await glossary).getElementById(decodeURIComponent(id))?.nextElementSibling;
    return [...(told?.cloneNode(true).childNodes ?? [])];
  }

  async function show(link) {
    shown = link;
    const found = await meaning(link).catch(() => []); // no network, or the page is itself a file
    if (shown !== link || !found.length) return;
    note.replaceChildren(...found);
    for (const inner of note.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
    if (note.querySelector(".math")) await window.MathJax?.typesetPromise?.([note]);
    if (shown !== link) return;
    note.hidden = false;
    link.setAttribute("aria-describedby", note.id);
    const at = link.getClientRects()[0];
    const frame = article.getBoundingClientRect();
    const left = Math.min(at.left, document.documentElement.clientWidth - note.offsetWidth - 8);
    const below = at.bottom + note.offsetHeight + 8 < innerHeight || at.top < note.offsetHeight + 8;
    note.style.left = `${Math.max(left, 8) - frame.left}px`;
    note.style.top = `${(below ? at.bottom : at.top - note.offsetHeight) - frame.top}px`;
  }

  function hide() {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = undefined;
    note.hidden = true;
  }
  const later = (what, wait) => {
    clearTimeout(timer);
    timer = setTimeout(what, wait);
  };

  if (article.querySelector(TERM)) {
    article.append(note);
    for (const link of article.querySelectorAll(TERM)) {
      // A finger follows the link; a mouse that rests on it, and the keyboard, see the meaning.
      link.addEventListener("pointerenter", (event) => {
        if (event.pointerType === "mouse") later(() => shown === link || (hide(), show(link)), 120);
      });
      link.addEventListener("pointerleave", () => later(hide, 200));
      link.addEventListener("focus", () => link.matches(":focus-visible") && (hide(), show(link)));
      link.addEventListener("blur", hide);
    }
    note.addEventListener("pointerenter", () => clearTimeout(timer)); // it stays while it is read
    note.addEventListener("pointerleave", () => later(hide, 200));
    document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  }

  // ---- Figures

  const figures = [...article.querySelectorAll("figure:has(> img, > a > img)")];
  if (figures.length) {
    const close = h("button", {
      type: "button",
      className: "enlarged-close",
      textContent: "Close",
    });
    const held = h("div", { className: "enlarged-held", tabIndex: 0 });
    const words = h("div", { className: "enlarged-words" });
    const dialog = h("dialog", { className: "enlarged" }, close, held, words);
    held.setAttribute("role", "group");
    article.append(dialog);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    for (const figure of figures) {
      const image = figure.querySelector("img");
      const name = figure.querySelector(".caption-number")?.textContent.trim() ?? "the figure";
      const button = h("button", { type: "button", className: "enlarge", textContent: "Enlarge" });
      button.setAttribute("aria-label", `Enlarge ${name}`);
      const open = () => {
        dialog.setAttribute("aria-label", name);
        held.setAttribute("aria-label", `${name}, enlarged`);
        const large = image.cloneNode();
        large.loading = "eager";
        held.replaceChildren(large);
        words.replaceChildren(
          ...[...(figure.querySelector("figcaption")?.childNodes ?? [])].map((part) =>
            part.cloneNode(true),
          ),
        );
        words.querySelectorAll(".headerlink").forEach((link) => link.remove());
        dialog.showModal(); // Escape closes, and the focus goes back to where it was
        close.focus();
      };
      button.addEventListener("click", open);
      if (!image.closest("a")) image.addEventListener("click", () => (button.focus(), open()));
      image.after(button);
    }
  }

  // ---- What is wider than its box: reached by keyboard, and seen to go on

  const WIDE =
    ".pst-scrollable-table-container, div.math, :is(p, li, dd) > span.math, " +
    "div.highlight > pre, .output.text_html";
  const boxes = new WeakMap(); // of a formula, what MathJax has made of it
  function look(place) {
    const box = place.matches("div.math") ? place.querySelector("mjx-container") : place;
    if (!box) return;
    if (boxes.get(place) !== box) {
      boxes.set(place, box);
      box.addEventListener("scroll", () => look(place), { passive: true });
    }
    const rest = box.scrollWidth - box.clientWidth;
    box.classList.toggle("goes-on", rest > 2 && box.scrollLeft < rest - 2);
    if (rest > 2 && !box.hasAttribute("tabindex")) box.tabIndex = 0;
  }
  // A table grows inside its box, as its formulas are set: the box does not.
  const sizes = new ResizeObserver((seen) =>
    seen.forEach(({ target }) => look(target.closest(WIDE))),
  );
  const places = [...article.querySelectorAll(WIDE)];
  for (const place of places)
    for (const sized of [place, ...place.querySelectorAll("table")]) sizes.observe(sized);
  // same box, other letters
  document.fonts.addEventListener("loadingdone", () => places.forEach(look));
})();
