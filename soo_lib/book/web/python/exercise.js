// An exercise, typed where it stands: its answer, its check, what is kept of it, its notebook.
import { Ended, Python, megabytes } from "./client.js";
import { edit } from "./editor.js";
import { element, show, showError } from "./show.js";

const SECONDS = 10; // for a whole check, as in a notebook (hints.py)
const TOO_SLOW =
  `No answer within ${SECONDS} s: something in it never ends, or takes far too long. ` +
  "Python was stopped; the next check starts it anew.";

/** The problems of a set: the same for whoever opens the page with its name. */
function seedOf(set) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of set) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

const button = (words, onclick, more = {}) =>
  element("button", { type: "button", onclick, ...more }, words);

export function exercise(page, keyOf, keptOf) {
  const cellOf = (id) => document.getElementById(`cell-${id}`);
  const name = location.pathname.match(/([\w-]+)\.html$/)?.[1] ?? "exercise";
  const answer = cellOf("answer");
  const check = cellOf("check");
  const code = answer.querySelector(".cell_input");
  const block = code.querySelector("pre");
  const stub = block.textContent.replace(/\n$/, "");
  let kept = keptOf(name);
  let editor = null;
  let opening = null;
  let source = null; // the notebook, once it was asked for
  let running = false;

  // ---- what stands below the answer

  const said = element("p", { class: "soo-said", role: "status" });
  const bar = element("progress", { max: 1, hidden: true, "aria-label": "Fetching Python" });
  const tell = (words, share) => {
    said.textContent = words;
    bar.hidden = share === undefined;
    if (share !== undefined) bar.value = share;
  };
  const python = page.runtime && new Python(page.runtime, tell);
  const write = button("Write here", () => open().then((made) => made.focus()));
  const run = button("Check", () => (running ? stop() : checkAnswer()), { class: "soo-main" });
  const more = element(
    "span",
    { class: "soo-more" },
    button("Undo", undo),
    button("Reset", reset),
    button("Download", download, { title: "The notebook with your answer in it" }),
    button("Open", () => file.click(), { title: "A notebook with your answer, to go on with" }),
  );
  const file = element("input", {
    type: "file",
    accept: ".ipynb,.json",
    hidden: true,
    "aria-label": "A notebook to open",
    onchange: openFile,
  });
  const tools = element("div", { class: "soo-tools" }, write, run, more, file);
  answer.append(tools, bar, said);
  const verdict = element("div", { class: "cell_output docutils container soo-verdicts" });
  const place = element("div", { class: "soo-verdict", role: "status", hidden: true });
  check.querySelectorAll(":scope > .cell_output").forEach((old) => old.replaceWith(verdict));
  if (!verdict.isConnected) check.append(verdict);
  verdict.append(place);
  const printed = element("div");
  verdict.append(printed);

  const weight = page.runtime ? `${megabytes(page.runtime.bytes)} MB` : "";
  const idle = page.cannot
    ? page.cannot
    : `Check fetches Python the first time: ${weight}, which the browser keeps.`;
  said.textContent = page.set ? `Set “${page.set}”: problems of its own. ${idle}` : idle;
  run.disabled = Boolean(page.cannot);
  if (kept.text !== undefined) block.textContent = kept.text;
  code.addEventListener("click", () => editor || open().then((made) => made.focus()));
  if (page.set) {
    const call = check.querySelector(".cell_input pre");
    call.textContent = checkSource(call.textContent.trim());
  }
  told();

  // ---- typing

  function open() {
    opening ??= edit(code.firstElementChild, kept.text ?? stub, {
      label: "Your answer",
      run: checkAnswer,
      changed: () => keep({ text: editor.text() }),
    }).then((made) => {
      write.remove();
      return (editor = made);
    });
    return opening;
  }

  function keep(changes) {
    kept = { ...kept, ...changes };
    try {
      localStorage.setItem(keyOf(name), JSON.stringify(kept));
    } catch {
      tell("This browser keeps nothing of what you type here: Download does.");
    }
  }

  async function reset() {
    const made = await open();
    keep({ before: made.text() });
    made.replace(stub);
    said.textContent = "The answer is as it was at first. Undo brings yours back.";
  }

  async function undo() {
    const made = await open();
    const now = made.text();
    made.undo();
    if (made.text() === now && kept.before) made.replace(kept.before); // from an earlier visit
  }

  // Another tab with this page: what is typed there is typed here, unless both are in use.
  addEventListener("storage", (event) => {
    if (event.key !== keyOf(name)) return;
    const theirs = keptOf(name);
    if (theirs.text === kept.text || theirs.text === undefined) return void (kept = theirs);
    if (document.hasFocus()) return;
    kept = theirs;
    if (editor) editor.replace(theirs.text);
    else block.textContent = theirs.text;
    said.textContent = "This answer was changed in another tab, and here with it.";
  });

  // ---- the check

  async function notebook() {
    source ??= fetch(page.source).then((found) => {
      if (!found.ok) throw new Ended("The page's notebook cannot be fetched: try again.");
      return found.json();
    });
    try {
      return structuredClone(await source);
    } catch (error) {
      source = null;
      throw error instanceof Ended
        ? error
        : new Ended("The connection was lost: try again, nothing that you typed is.");
    }
  }

  function checkSource(text) {
    return page.set ? text.replace(/\)$/, `, seed=${seedOf(page.set)})`) : text;
  }

  function stop() {
    python.stop();
  }

  function busy(is) {
    running = is;
    run.textContent = is ? "Stop" : "Check";
    bar.hidden = true;
  }

  async function checkAnswer() {
    if (page.cannot || running) return;
    busy(true);
    let clock = 0;
    try {
      const [made, { cells }] = await Promise.all([open(), notebook()]);
      made.unmark();
      await python.start();
      const sourceOf = (id) => cells.find((cell) => cell.id === id).source.join("");
      const all = [
        { id: "setup", source: sourceOf("setup") },
        { id: "answer", source: made.text() },
        { id: "check", source: checkSource(sourceOf("check")) },
      ];
      printed.replaceChildren();
      let found = null;
      const error = await python.run(all, {
        fresh: true,
        on({ kind, cell, output, value }) {
          if (kind === "begin") {
            clearTimeout(clock);
            clock = setTimeout(() => python.stop(TOO_SLOW), 1000 * SECONDS);
            if (cell === "check") tell("Checking");
          } else if (kind === "output" && output === "verdict") found = value;
          else if (kind === "output") show(printed, output, value);
        },
      });
      tell("");
      if (error) {
        showError(printed, error, "answer");
        if (error.cell === "answer") made.mark(error.line, `${error.name}: ${error.text}`);
        judge(false, "The check could not begin: your code ends with an error.");
      } else if (found) judge(found.ok, found.hint, found.share);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      tell(error.message === TOO_SLOW ? "" : error.message);
      if (error.message === TOO_SLOW) judge(false, TOO_SLOW);
    } finally {
      clearTimeout(clock);
      busy(false);
    }
  }

  function judge(ok, hint, share = 0) {
    place.hidden = false;
    place.className = `soo-verdict ${ok ? "soo-right" : "soo-wrong"}`;
    const part = !ok && share > 0 ? ` Of the points ${Math.round(100 * share)} % are earned.` : "";
    place.textContent = hint + part;
    if (ok && !kept.done) keep({ done: true, text: editor.text() });
    if (ok) reveal();
    told();
  }

  // ---- the solution: after a right answer, or on request

  function folds() {
    return [cellOf("solution")?.querySelector("details")].filter(Boolean);
  }

  function reveal() {
    for (const fold of folds()) fold.open = true;
    const why = [...document.querySelectorAll("article .admonition.dropdown")].at(-1);
    if (why && "open" in why) why.open = true;
  }

  function told() {
    const [fold] = folds();
    if (!fold) return;
    const words = kept.done
      ? kept.looked
        ? "Your answer was right, after a look at this one."
        : "Your answer is right. This is one way to write it."
      : kept.looked
        ? "Shown at your wish, before your answer was right."
        : "";
    let line = fold.querySelector(".soo-which");
    if (!line) fold.querySelector("summary").after((line = element("p", { class: "soo-which" })));
    line.textContent = words;
    line.hidden = !words;
  }

  for (const fold of folds()) {
    fold.addEventListener("toggle", () => {
      if (fold.open && !kept.done && !kept.looked) keep({ looked: true });
      told();
    });
  }

  // ---- the notebook: out and in again

  async function download() {
    try {
      const made = await notebook();
      made.cells = made.cells.filter(
        ({ metadata }) => !(metadata.tags ?? []).includes("solution"),
      );
      const here = new URL("../", location.href).href;
      for (const cell of made.cells) {
        if (cell.id === "answer") cell.source = lines(editor?.text() ?? kept.text ?? stub);
        if (cell.cell_type === "markdown") {
          cell.source = cell.source.map((line) => line.replaceAll("](../", `](${here}`));
        }
      }
      const text = JSON.stringify(made, null, 1);
      const address = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
      const link = element("a", { href: address, download: `${name}.ipynb` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      said.textContent = `${name}.ipynb has your answer in it, as you would hand it in.`;
    } catch (error) {
      said.textContent = error.message;
    }
  }

  const lines = (text) => text.split(/(?<=\n)/);

  async function openFile() {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    try {
      const { cells } = JSON.parse(await chosen.text());
      const id = name.replaceAll("-", "_");
      const theirs = cells.find(
        ({ metadata }) => metadata?.nbgrader?.solution && metadata.nbgrader.grade_id === id,
      );
      if (!theirs) throw new Error(`${chosen.name} has no answer to this exercise in it.`);
      const text = [theirs.source].flat().join("");
      const made = await open();
      keep({ before: made.text() });
      made.replace(text);
      said.textContent = `The answer of ${chosen.name} is here. Undo brings yours back.`;
    } catch (error) {
      said.textContent =
        error instanceof SyntaxError ? `${chosen.name} is no notebook.` : error.message;
    }
  }
}
