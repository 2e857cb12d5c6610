// An exercise, typed where it stands: its answer, its check, and what is kept of it.
import { Ended, Python, megabytes } from "./client.js";
import { Field } from "./field.js";
import { give, notebookAt, take } from "./notebook.js";
import { element, show, showError } from "./show.js";

const SECONDS = 10; // for an answer and for its check, as in a notebook (hints.py)
const TOO_SLOW =
  `No answer within ${SECONDS} s: something in it never ends, or takes far too long. ` +
  "Python was stopped; the next check starts it anew.";

/** The problems of a set: the same for whoever opens the page with its name. */
function seedOf(set) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of set) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

const cellOf = (id) => document.getElementById(`cell-${id}`);
const button = (words, onclick, more = {}) =>
  element("button", { type: "button", onclick, ...more }, words);

/** What stands below a cell: buttons, a bar for what is fetched, a line of words. */
function below(cell, ...buttons) {
  const said = element("p", { class: "soo-said", role: "status" });
  const bar = element("progress", { max: 1, hidden: true, "aria-label": "Fetching Python" });
  cell.append(element("div", { class: "soo-tools" }, ...buttons), bar, said);
  return (words, share) => {
    said.textContent = words;
    bar.hidden = share === undefined;
    if (share !== undefined) bar.value = share;
  };
}

export function exercise(page, keyOf, keptOf) {
  const name = location.pathname.match(/([\w-]+)\.html$/)?.[1] ?? "exercise";
  let kept = keptOf(name);
  let tell = () => {}; // the words of whatever runs
  const python = page.runtime && new Python(page.runtime, (...words) => tell(...words));

  function keep(changes) {
    kept = { ...kept, ...changes };
    try {
      localStorage.setItem(keyOf(name), JSON.stringify(kept));
    } catch {
      tell("This browser keeps nothing of what you type here: Download does.");
    }
  }

  // ---- the answer

  const answer = new Field(cellOf("answer"), kept.text, {
    label: "Your answer",
    run: check,
    changed: (text) => keep({ text }),
  });
  const write = button("Write here", () => type(answer, write));
  const run = button("Check", () => (running ? python.stop() : check()), { class: "soo-main" });
  const file = element("input", {
    type: "file",
    accept: ".ipynb,.json",
    hidden: true,
    "aria-label": "A notebook to open",
    onchange: openFile,
  });
  const say = below(
    answer.cell,
    write,
    run,
    button("Undo", undo),
    button("Reset", reset),
    button("Download", download, { title: "The notebook with your answer in it" }),
    button("Open", () => file.click(), { title: "A notebook with your answer, to go on with" }),
    file,
  );
  const weight = page.runtime && megabytes(page.runtime.bytes);
  const first = `Check fetches Python the first time, ${weight} MB, and the browser keeps it.`;
  say(`${page.set && `Set “${page.set}”: problems of its own. `}${page.cannot || first}`);
  run.disabled = Boolean(page.cannot);
  answer.code.addEventListener("click", () => answer.editor || type(answer, write));

  async function type(field, pressed) {
    const editor = await field.open();
    pressed.remove();
    editor.focus();
  }

  async function reset() {
    const editor = await answer.open();
    keep({ before: editor.text() });
    editor.replace(answer.published);
    say("The answer is as it was at first. Undo brings yours back.");
  }

  async function undo() {
    const editor = await answer.open();
    const now = editor.text();
    editor.undo();
    if (editor.text() === now && kept.before) editor.replace(kept.before); // of an earlier visit
  }

  // Another tab with this page: what is typed there stands here too.
  addEventListener("storage", (event) => {
    if (event.key !== keyOf(name) || document.hasFocus()) return;
    const theirs = keptOf(name);
    if (theirs.text !== undefined && theirs.text !== kept.text) {
      answer.replace(theirs.text);
      say("This answer was changed in another tab, and here with it.");
    }
    kept = theirs;
  });

  // ---- the check

  const place = element("div", { class: "soo-verdict", role: "status", hidden: true });
  const printed = element("div");
  const cell = cellOf("check");
  cell.querySelectorAll(":scope > .cell_output").forEach((old) => old.remove());
  cell.append(element("div", { class: "cell_output docutils container" }, place, printed));
  const call = cell.querySelector(".cell_input pre");
  if (page.set) call.textContent = ofSet(call.textContent.trim());
  let running = false;

  function ofSet(source) {
    return page.set ? source.replace(/\)$/, `, seed=${seedOf(page.set)})`) : source;
  }

  /** Run cells, told about by `words`; `button` ends it meanwhile. Whether it came to an end. */
  async function through(cells, pressed, words, options) {
    const label = pressed.textContent;
    running = true;
    pressed.textContent = "Stop";
    tell = words;
    try {
      await python.start();
      const error = await python.run(cells, options);
      words("");
      return { error };
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      words(error.message);
      return { ended: error.message };
    } finally {
      running = false;
      pressed.textContent = label;
    }
  }

  /** The sources of cells by their ids: as published, or as typed. */
  async function sources(...ids) {
    const { cells } = await notebookAt(page.source);
    const typed = { answer: answer.text, plot: plot?.text };
    const found = (id) => typed[id] ?? cells.find((one) => one.id === id).source.join("");
    return ids.map((id) => ({ id, source: id === "check" ? ofSet(found(id)) : found(id) }));
  }

  async function check() {
    if (page.cannot || running) return;
    let clock = 0;
    let found = null;
    const on = ({ kind, cell: id, output, value }) => {
      // The clock is for the reader's code: not for the library's import, nor for a slow line.
      if (kind === "begin" && id !== "setup") {
        clock = setTimeout(() => python.stop(TOO_SLOW), 1000 * SECONDS);
      } else if (output === "verdict") found = value;
      else if (kind === "output") show(printed, output, value);
      else clearTimeout(clock);
      if (kind === "fetch") printed.replaceChildren(); // all begins again
    };
    try {
      const editor = await answer.open();
      write.remove();
      const cells = await sources("setup", "answer", "check");
      editor.unmark();
      printed.replaceChildren();
      const { error, ended } = await through(cells, run, say, { fresh: true, on });
      clearTimeout(clock);
      if (ended === TOO_SLOW) say("");
      if (ended === TOO_SLOW) judge({ hint: TOO_SLOW });
      if (error) {
        showError(printed, error, "answer");
        if (error.cell === "answer") editor.mark(error.line, `${error.name}: ${error.text}`);
        judge({ hint: "The check could not begin: your code ends with an error." });
      } else if (found) {
        if (found.line) editor.mark(found.line, found.hint);
        judge(found);
      }
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      say(error.message);
    }
  }

  function judge({ ok = false, hint, share = 0, line }) {
    place.hidden = false;
    place.className = `soo-verdict ${ok ? "soo-right" : "soo-wrong"}`;
    const where = line ? ` (line ${line})` : "";
    const part = !ok && share > 0 ? ` Of the points ${Math.round(100 * share)} % are earned.` : "";
    place.textContent = hint + where + part;
    if (ok) keep({ done: true, text: answer.text });
    if (ok && fold) fold.open = true;
    tellWhich();
  }

  // ---- the solution: after a right answer, or on request

  const fold = cellOf("solution")?.querySelector("details");
  const which = element("p", { class: "soo-which" });
  fold?.querySelector("summary").after(which);
  fold?.addEventListener("toggle", () => {
    if (fold.open && !kept.done) keep({ looked: true });
    tellWhich();
  });
  tellWhich();

  function tellWhich() {
    which.textContent = kept.done
      ? kept.looked
        ? "Your answer is right, after a look at this one."
        : "Your answer is right. This is one way to write it."
      : kept.looked
        ? "Shown at your wish, before your answer was right."
        : "";
    which.hidden = !which.textContent;
  }

  // ---- an open exercise goes on: a figure and a sentence

  const plot = cellOf("plot") && openPart(cellOf("plot"));
  const sentence = plot && sentenceBox();

  function openPart(here) {
    const field = new Field(here, kept.plot, {
      label: "Your figure",
      run: draw,
      changed: (text) => keep({ plot: text }),
    });
    const pen = button("Write here", () => type(field, pen));
    const go = button("Run", () => (running ? python.stop() : draw()), { class: "soo-main" });
    go.disabled = Boolean(page.cannot);
    const words = below(here, pen, go);
    const shown = element("div", { class: "cell_output docutils container" });
    here.append(shown);
    field.code.addEventListener("click", () => field.editor || type(field, pen));

    async function draw() {
      if (page.cannot || running) return;
      try {
        const editor = await field.open();
        pen.remove();
        editor.unmark();
        const cells = await sources("setup", "answer", "open", "plot");
        shown.replaceChildren();
        const { error } = await through(cells, go, words, {
          fresh: true,
          on({ kind, output, value }) {
            if (kind === "output") show(shown, output, value, "Your figure");
            else if (kind === "fetch") shown.replaceChildren(); // all begins again
          },
        });
        if (!error) return;
        showError(shown, error, "plot");
        if (error.cell === "plot") editor.mark(error.line, `${error.name}: ${error.text}`);
      } catch (error) {
        if (!(error instanceof Ended)) throw error;
        words(error.message);
      }
    }
    return field;
  }

  /** The paragraph with the sentence to defend becomes a field. */
  function sentenceBox() {
    const start = "My sentence:";
    const paragraph = [...document.querySelectorAll("article p")].find((p) =>
      p.textContent.startsWith(start),
    );
    if (!paragraph) return null;
    const box = element("textarea", { rows: 3, "aria-label": "Your sentence" });
    box.value = kept.sentence ?? "";
    box.oninput = () => keep({ sentence: box.value });
    paragraph.querySelector("em")?.remove();
    paragraph.after(element("div", { class: "soo-editor" }, box));
    return box;
  }

  // ---- the notebook: out and in again

  async function download() {
    try {
      const texts = { answer: answer.text };
      if (plot) texts.plot = plot.text;
      if (sentence?.value) texts.defence = `**My sentence:** ${sentence.value}`;
      give(await notebookAt(page.source), name, texts);
      say(`${name}.ipynb has your answer in it, as you would hand it in.`);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      say(error.message);
    }
  }

  async function openFile() {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    try {
      const id = name.replaceAll("-", "_");
      const marks = { answer: id, plot: "plot", defence: `defend_${id}` };
      const found = await take(chosen, marks);
      const editor = await answer.open();
      keep({ before: editor.text() });
      editor.replace(found.answer);
      if (plot && found.plot) plot.replace(found.plot);
      if (sentence && found.defence) sentence.value = found.defence.replace(/^\*\*.*?\*\*\s*/, "");
      if (plot) keep({ plot: plot.text, sentence: sentence?.value });
      say(`The answer of ${chosen.name} is here. Undo brings yours back.`);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      say(error.message);
    }
  }
}
