// A chapter's cells, edited and run where they stand. A cell that runs has those before it run
// first, hidden ones too; what stands below a change is marked as not of this run.
import { Ended, Python, megabytes } from "./client.js";
import { Field } from "./field.js";
import { notebookAt } from "./notebook.js";
import { element, show, showError } from "./show.js";

const button = (words, onclick, more = {}) =>
  element("button", { type: "button", onclick, ...more }, words);

// Which run it is that a cell shows.
const HERE = "Of your run.";
const EDITED = "Of your run, before this code was changed.";
const OLD = "Of your run, before a cell above ran again.";
const ENDED = "Of a run that has ended: Python has begun anew since.";
const PUBLISHED = "Of the published run: the code was changed since.";

const MINUTE = 60; // a chapter that takes longer says so before

const PATIENCE = 20; // seconds, after which a running cell is said to take long
const LONG = `That is ${PATIENCE} s so far. Stop ends it, and forgets all that ran.`;

/** A code cell of the chapter: its text, whether it has run, what it gave. */
class Cell {
  constructor(chapter, { id, source }) {
    Object.assign(this, { chapter, id, source: source.join(""), field: null, ran: null });
    this.place = document.getElementById(`cell-${id}`);
    this.published = [...(this.place?.querySelectorAll(".cell_output") ?? [])];
    this.widget = Boolean(this.place?.querySelector("script[type*='widget-view']"));
    this.given = null;
    this.word = null;
  }

  get text() {
    return this.field?.editor ? this.field.text : this.source;
  }

  get changed() {
    return this.text !== this.source;
  }

  /** Whether the text above it asks the reader to change it. */
  get invites() {
    return Boolean(this.place?.classList.contains("tag_try"));
  }

  /** Whether what it gave is what it would give now. */
  get current() {
    return this.ran === this.text;
  }

  begin() {
    this.ran = null;
    this.images = 0;
    this.field?.editor?.unmark();
    if (!this.place || this.widget) return;
    this.given?.remove();
    this.given = element("div", { class: "cell_output docutils container soo-given" });
    if (this.published.length) this.published.at(-1).after(this.given);
    else this.place.append(this.given);
    for (const old of this.published) old.hidden = true;
  }

  /** A figure comes in the place of the published one, with its caption. */
  output(kind, value) {
    if (!this.given) return;
    if (kind !== "image") return show(this.given, kind, value);
    const old = this.published.flatMap((one) => [...one.querySelectorAll("img")])[this.images++];
    show(this.given, kind, value, old?.alt);
    const figure = old?.closest("figure");
    if (!figure) return;
    const again = figure.cloneNode(true);
    again.querySelector("img").replaceWith(this.given.lastElementChild);
    this.given.append(again);
  }

  /** Which run its output is of, where code above it may have been `changed`. */
  which(changed) {
    if (this.ran === null) {
      return this.given ? ENDED : changed || this.changed ? PUBLISHED : "";
    }
    return this.ran === "" ? OLD : this.current ? HERE : EDITED;
  }

  say(words) {
    const shown = this.given ?? this.published.at(-1);
    if (!shown || this.widget || !shown.childNodes.length) return;
    this.word ??= element("p", { class: "soo-of" });
    shown.after(this.word);
    this.word.textContent = words;
    this.place.classList.toggle("soo-stale", words !== HERE && words !== "");
  }

  /** As it was published: the text if `text`, and what it gave. */
  restore(text) {
    if (text && this.field) this.field.replace(this.source);
    this.given?.remove();
    this.given = this.ran = null;
    for (const old of this.published) old.hidden = false;
  }
}

class Chapter {
  constructor(page) {
    this.page = page;
    this.running = false;
    this.cells = null;
    this.python = new Python(page.runtime, (words, share) => this.tell(words, share));
    this.tools = new Map();
    this.at = null; // the cell below which words are said
  }

  async read() {
    const { cells } = await notebookAt(this.page.source);
    this.cells ??= cells
      .filter(({ cell_type, id }) => cell_type === "code" && id !== "colab")
      .map((cell) => new Cell(this, cell));
    return this.cells;
  }

  tell(words, share) {
    const { said, bar } = this.tools.get(this.at);
    said.textContent = words;
    bar.hidden = share === undefined;
    if (share !== undefined) bar.value = share;
  }

  /** Make a cell of the page, an element, one that can be typed into and run. */
  async open(place) {
    let cell;
    try {
      cell = (await this.read()).find((one) => one.place === place);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      place.querySelector(".soo-edit").textContent = error.message;
      return;
    }
    place.querySelector(".soo-edit")?.remove();
    cell.field ??= new Field(place, undefined, {
      label: "The code of this cell",
      run: () => this.runOn(cell),
      changed: () => this.mark(),
    });
    if (!this.tools.has(cell)) this.equip(cell);
    this.at = cell;
    const { bytes, seconds } = this.page.runtime;
    const long =
      seconds > MINUTE
        ? ` All cells of this chapter take about ${Math.ceil(seconds / 60)} minutes: cell by cell is quicker.`
        : "";
    if (!this.python.worker) {
      const weight = megabytes(bytes);
      this.tell(
        `Run fetches Python the first time, ${weight} MB, and the browser keeps it.${long}`,
      );
    }
    (await cell.field.open()).focus();
  }

  equip(cell) {
    const said = element("p", { class: "soo-said", role: "status" });
    const bar = element("progress", { max: 1, hidden: true, "aria-label": "So far" });
    const run = button("Run", () => (this.running ? this.python.stop() : this.runOn(cell)), {
      class: "soo-main",
    });
    const all = button("Run all", () => this.run(this.cells.at(-1), cell));
    const anew = button("Start anew", () => this.anew(cell), {
      title: "Forget all that ran, and show what was published",
    });
    const back = button("As published", () => {
      cell.restore(true);
      this.mark();
    });
    const tools = element("div", { class: "soo-tools" }, run, all, anew, back);
    cell.field.code.after(tools, bar, said);
    this.tools.set(cell, { said, bar, run, others: [all, anew, back] });
  }

  /** Run a cell; where the reader was invited to change it, on to the next output that shows. */
  runOn(cell) {
    const from = this.cells.indexOf(cell);
    const shows = cell.invites && this.cells.slice(from).find((one) => one.published.length);
    return this.run(shows || cell, cell);
  }

  /** Run what has not run yet up to a cell, and the cell; words are said below `from`. */
  async run(cell, from = cell) {
    if (this.running) return;
    this.at = from;
    this.busy(true);
    const last = this.cells.indexOf(cell);
    // What ran after a cell that runs now saw other values.
    const first = this.cells.findIndex((one, i) => i === last || !one.current);
    const due = this.cells.slice(first, last + 1);
    const byId = new Map(due.map((one) => [one.id, one]));
    const byText = new Map(due.map((one) => [one.id, one.text])); // typing goes on meanwhile
    let clock = 0;
    const on = ({ kind, cell: id, output, value, error }) => {
      const one = byId.get(id);
      if (kind === "begin") {
        one.begin();
        const [place, many] = [due.indexOf(one), due.length > 1];
        const words = many
          ? `Running the cells up to this one: ${place + 1} of ${due.length}`
          : "Running";
        const share = many ? place / due.length : undefined;
        this.tell(words, share);
        clock = setTimeout(() => this.tell(`${words}. ${LONG}`, share), 1000 * PATIENCE);
      } else if (output === "glue") this.glued(value);
      else if (kind === "output") one.output(output, value);
      else clearTimeout(clock);
      if (kind === "end") one.ran = error ? null : byText.get(id);
    };
    try {
      await this.python.start();
      const sources = due.map(({ id }) => ({ id, source: byText.get(id) }));
      const error = await this.python.run(sources, { on });
      this.tell("");
      if (error) this.failed(byId, error, from);
      const after = error ? due.findIndex((one) => one.ran === null) + first : last;
      for (const one of this.cells.slice(after + 1)) if (one.ran !== null) one.ran = "";
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      for (const one of this.cells) one.ran = null;
      this.tell(error.message);
    } finally {
      clearTimeout(clock);
      this.busy(false);
      this.mark();
    }
  }

  failed(byId, error, from) {
    const cell = [...byId.values()].find((one) => one.ran === null);
    const hidden = !cell.given;
    if (hidden) this.tell(`A cell that the page does not show (${cell.id}) ends with an error.`);
    else if (cell !== from) this.tell("Another cell ends with an error.");
    showError(hidden ? (from.given ?? from.place) : cell.given, error, cell.id);
    if (!hidden) cell.given.scrollIntoView({ block: "nearest" });
    if (error.cell === cell.id) cell.field?.editor?.mark(error.line, error.text);
  }

  busy(is) {
    this.running = is;
    for (const { run, others } of this.tools.values()) {
      run.textContent = is ? "Stop" : "Run";
      for (const other of others) other.disabled = is;
    }
  }

  /** Say of each cell's output which run it is of. */
  mark() {
    let changed = false;
    for (const cell of this.cells) {
      cell.say(cell.which(changed));
      changed ||= cell.changed;
    }
  }

  /** A number of the text that a cell has set anew: what stands there is the published run's. */
  glued(name) {
    if (!this.cells.some((cell) => cell.changed)) return;
    const known = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    for (const number of document.querySelectorAll(`.glue-${known}`)) {
      number.classList.add("soo-of-published");
      number.title = "Of the published run, not of yours";
    }
  }

  anew(cell) {
    this.python.close();
    for (const one of this.cells) one.restore(false);
    for (const number of document.querySelectorAll(".soo-of-published")) {
      number.classList.remove("soo-of-published");
      number.removeAttribute("title");
    }
    this.at = cell;
    this.tell("Python starts anew with the next run. What you typed is still here.");
    this.mark();
  }
}

let held = null;

export function chapter(page) {
  return (held ??= new Chapter(page));
}
