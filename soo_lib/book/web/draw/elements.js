// Elements of a page, numbers for a reader: what live pictures and recorded explorers share.

const SVG = "http://www.w3.org/2000/svg";

function made(node, props, children) {
  for (const [name, value] of Object.entries(props))
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  node.append(...children);
  return node;
}
export const h = (tag, props = {}, ...children) =>
  made(document.createElement(tag), props, children);
export const s = (tag, props = {}, ...children) =>
  made(document.createElementNS(SVG, tag), props, children);

/** A picture in lines, with its name; one in pixels, below such; and both as a place that a reader
 * moves in. */
export const image = (label) => s("svg", { class: "chart", role: "img", "aria-label": label });
export const pixels = (kind = "") => h("canvas", { class: kind, "aria-hidden": "true" });
export const area = (kind, label, ...layers) =>
  h(
    "div",
    { class: `area ${kind}`, tabindex: 0, role: "application", "aria-label": label },
    ...layers,
  );
export const key = (words, kind, color = "currentColor") =>
  h("span", { class: `key ${kind}`, style: `--c: ${color}` }, words);

export const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const raised = (k) => String(k).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

/** A number for a reader: three digits, powers of ten raised. */
export function show(v, digits = 3) {
  if (!Number.isFinite(v)) return v > 0 ? "∞" : "–";
  if (Number.isInteger(v) && Math.abs(v) < 1e6) return String(v).replace("-", "−");
  const [front, power] = v
    .toExponential(digits - 1)
    .split("e")
    .map(Number);
  const text =
    power >= -3 && power < 6
      ? String(Number(v.toPrecision(digits)))
      : `${front}·10${raised(power)}`.replace(/^(-?)1·/, "$1");
  return text.replace("-", "−");
}

export const button = (text, onclick, label = text, props = {}) =>
  h("button", { type: "button", "aria-label": label, title: label, onclick, ...props }, text);

/** A button that copies what link() gives, and the field that holds it where a page may not
 * copy. */
export function copier(link, say) {
  const field = h("input", {
    class: "address",
    readonly: true,
    hidden: true,
    "aria-label": "link to the present state",
  });
  const copy = button(
    "Copy link",
    async () => {
      field.value = link();
      try {
        await navigator.clipboard.writeText(field.value);
        say("Link copied.");
      } catch {
        // no leave to write there: the reader copies it from the field
        field.hidden = false;
        field.select();
      }
    },
    "Copy link",
    { class: "copy" },
  );
  return [copy, field];
}

export const table = (head, body) =>
  h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...head.map((t) => h("th", { scope: "col" }, t)))),
    h(
      "tbody",
      {},
      ...body.map((row) =>
        h("tr", {}, ...row.map((c) => h("td", {}, typeof c === "number" ? show(c) : c))),
      ),
    ),
  );
