// What a cell gives, as elements of the page.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made[key] = value;
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Add an output to a place, in the theme's own look. */
export function show(place, output, value, words = "A figure that this cell drew") {
  if (output === "text") {
    const last = place.lastElementChild;
    const same = value.error ? "soo-stderr" : "soo-stdout";
    const held = last?.classList.contains(same)
      ? last.querySelector("pre")
      : place.appendChild(
          element(
            "div",
            { class: `output stream highlight-myst-ansi notranslate ${same}` },
            element("div", { class: "highlight" }, element("pre", { tabindex: 0 })),
          ),
        ).firstChild.firstChild;
    held.textContent = overwritten(held.textContent + value.text);
  } else if (output === "image") {
    const source = URL.createObjectURL(new Blob([value], { type: "image/svg+xml" }));
    place.append(element("img", { src: source, alt: words }));
  } else if (output === "html") {
    const box = element("div", { class: "output text_html" });
    box.innerHTML = value;
    place.append(box);
  } else if (output === "table") {
    place.append(tableOf(value));
  }
}

/** A line that is written again after a carriage return, as a progress bar is. */
const overwritten = (text) => text.replace(/\r\n/g, "\n").replace(/[^\n]*\r(?=[^\n])/g, "");

/** A Markdown table as a table; other Markdown as its text. */
function tableOf(text) {
  const rows = text
    .trim()
    .split("\n")
    .map((line) =>
      line
        .trim()
        .replace(/^\||\|$/g, "")
        .split("|")
        .map((cell) => cell.trim()),
    );
  if (!/^[\s|:-]+$/.test(text.trim().split("\n")[1] ?? "")) {
    return element("div", { class: "output" }, element("p", {}, text));
  }
  const [head, , ...body] = rows;
  const line = (cells, kind) => element("tr", {}, ...cells.map((c) => element(kind, {}, spans(c))));
  const table = element(
    "table",
    { class: "table" },
    element("thead", {}, line(head, "th")),
    element("tbody", {}, ...body.map((cells) => line(cells, "td"))),
  );
  return element("div", { class: "output pst-scrollable-table-container" }, table);
}

/** The emphasis within a table's cell. */
function spans(text) {
  const made = document.createDocumentFragment();
  for (const part of text.split(/(\*\*[^*]+\*\*|`[^`]+`|\*[^*]+\*)/)) {
    if (part.startsWith("**")) made.append(element("strong", {}, part.slice(2, -2)));
    else if (part.startsWith("`")) made.append(element("code", {}, part.slice(1, -1)));
    else if (part.startsWith("*")) made.append(element("em", {}, part.slice(1, -1)));
    else made.append(part);
  }
  return made;
}

/** An error: where it is in the reader's cell and what it says; the whole trace folded. */
export function showError(place, error, own) {
  const where = error.line && error.cell === own ? `Line ${error.line}: ` : "";
  place.append(
    element(
      "div",
      { class: "soo-error" },
      element("p", {}, `${where}${error.name}: ${error.text}`),
      element(
        "details",
        {},
        element("summary", {}, "The whole message"),
        element("pre", { tabindex: 0 }, error.trace),
      ),
    ),
  );
}
