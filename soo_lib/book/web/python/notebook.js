// The notebook that a page was made from: fetched when somebody runs it, given out with the
// reader's own cells in it, and read back.
import { Ended } from "./client.js";
import { element } from "./show.js";

const fetched = new Map();

/** The notebook at an address, fetched once. */
export async function notebookAt(address) {
  if (!fetched.has(address)) {
    const ask = fetch(address).then((found) => {
      if (!found.ok) throw new Error(`${found.status}`);
      return found.json();
    });
    fetched.set(address, ask);
  }
  try {
    return structuredClone(await fetched.get(address));
  } catch {
    fetched.delete(address);
    throw new Ended("The connection was lost. What you typed is kept: try again.");
  }
}

const lines = (text) => text.split(/(?<=\n)/);

/** Give out a notebook as the students' folder has it: filled in, without the solutions. */
export function give(notebook, name, texts) {
  const chapters = new URL("../", location.href).href;
  notebook.cells = notebook.cells.filter(
    ({ metadata }) => !(metadata.tags ?? []).includes("solution"),
  );
  for (const cell of notebook.cells) {
    if (texts[cell.id] !== undefined) cell.source = lines(texts[cell.id]);
    else if (cell.cell_type === "markdown") {
      cell.source = cell.source.map((line) => line.replaceAll("](../", `](${chapters}`));
    }
  }
  const text = JSON.stringify(notebook, null, 1);
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
  element("a", { href: address, download: `${name}.ipynb` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** What a reader's notebook has in the cells with these marks, `{ id: grade_id }`, by id. */
export async function take(file, marks) {
  let cells;
  try {
    ({ cells } = JSON.parse(await file.text()));
    if (!Array.isArray(cells)) throw new SyntaxError();
  } catch {
    throw new Ended(`${file.name} is no notebook.`);
  }
  const found = {};
  for (const { metadata, source } of cells) {
    const id = Object.keys(marks).find((key) => marks[key] === metadata?.nbgrader?.grade_id);
    if (id && metadata.nbgrader.solution) found[id] = [source].flat().join("");
  }
  if (!("answer" in found)) throw new Ended(`${file.name} has no answer to this exercise in it.`);
  return found;
}
