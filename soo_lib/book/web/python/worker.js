// The Python of a page, in a worker of its own, so that the page never waits for it.
//
// In: { kind: "start", base, packages, later, data } once, then { kind: "run", cells, fresh }.
// Out: "progress" { had, all, step }, "ready", "lost" or "failed" { words }; and of a run
// "begin" { cell }, "output" { cell, output, value }, "fetch" { cell } where it waits for a package
// and begins again with it, "end" { cell, error }, "done".
import { Lost, asked, fetchAll } from "./files.js";

let base, lock, pyodide, kernel;
const held = new Map(); // an address of the runtime to the bytes that were fetched for it
const say = (kind, more = {}) => postMessage({ kind, ...more });

// Pyodide asks for its files by address: they are here. Nothing else leaves the worker.
self.fetch = ((ask) => async (what, options) => {
  const address = new URL(what.url ?? what, base).href;
  const bytes = held.get(address);
  if (bytes) {
    const type = address.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(bytes, { headers: { "Content-Type": type } });
  }
  if (address.startsWith(new URL("..", base).href)) return ask(what, options);
  throw new TypeError(`Python in a page asks no other place for ${address}`);
})(self.fetch.bind(self));

const blobOf = (name) =>
  URL.createObjectURL(new Blob([held.get(base + name)], { type: "text/javascript" }));

/** The files of packages and of all that they need. */
function filesOf(packages, found = new Set()) {
  for (const name of packages) {
    if (found.has(name)) continue;
    found.add(name);
    filesOf(lock.packages[name].depends, found);
  }
  return [...found].map((name) => lock.files[lock.packages[name].file_name]);
}

async function bring(files, step) {
  const tell = (counted) => say("progress", { step, ...counted });
  for (const [name, bytes] of await fetchAll(base, files, tell)) held.set(base + name, bytes);
}

async function load(packages) {
  await bring(filesOf(packages), `Fetching ${packages.join(", ")}`);
  say("progress", { step: `Starting ${packages.join(", ")}` });
  await pyodide.loadPackage(packages, { checkIntegrity: false, messageCallback() {} });
}

async function start({ base: where, version, packages, later, data }) {
  base = where;
  lock = await (await asked(`${base}lock.json?v=${version}`)).json();
  held.set(`${base}pyodide-lock.json`, new TextEncoder().encode(JSON.stringify(lock)));
  const core = lock.core.map((name) => lock.files[name]);
  const [text] = await Promise.all([
    asked(new URL("kernel.py", import.meta.url)).then((found) => found.text()),
    bring(
      [...core, ...filesOf(packages), ...data.map((name) => lock.files[name])],
      "Fetching Python",
    ),
  ]);
  say("progress", { step: "Starting Python" });
  await import(blobOf("pyodide.asm.js"));
  const { loadPyodide } = await import(blobOf("pyodide.mjs"));
  pyodide = await loadPyodide({ indexURL: base });
  await pyodide.loadPackage(packages, { checkIntegrity: false, messageCallback() {} });
  for (const name of data) {
    const { at } = lock.files[name];
    pyodide.FS.mkdirTree(at.slice(0, at.lastIndexOf("/")));
    pyodide.FS.writeFile(at, held.get(base + name));
  }
  kernel = pyodide.runPython("import types; kernel = types.ModuleType('kernel'); kernel");
  pyodide.runPython("def define(text): exec(compile(text, 'kernel.py', 'exec'), kernel.__dict__)");
  pyodide.globals.get("define")(text);
  kernel.postpone(pyodide.toPy(later.flatMap((name) => lock.packages[name].imports)));
}

/** The package of the lock that has a module, if there is one. */
const packageOf = (module) =>
  Object.keys(lock.packages).find((name) => lock.packages[name].imports.includes(module));

async function runCell({ id, source }) {
  say("begin", { cell: id });
  const plain = (value) =>
    value?.toJs ? value.toJs({ dict_converter: Object.fromEntries }) : value;
  const error = plain(
    kernel.run(id, source, (output, value) =>
      say("output", { cell: id, output, value: plain(value) }),
    ),
  );
  return error ?? null;
}

async function run({ cells, fresh }) {
  if (fresh) kernel.fresh();
  for (let i = 0; i < cells.length; i++) {
    const error = await runCell(cells[i]);
    const name = error?.needs && packageOf(error.needs);
    if (name && !(name in pyodide.loadedPackages)) {
      say("fetch", { cell: cells[i].id });
      await load([name]);
      const here = Object.keys(pyodide.loadedPackages).filter((one) => lock.packages[one]);
      kernel.arrived(pyodide.toPy(here.flatMap((one) => lock.packages[one].imports)));
      // With the stand-ins went what was made from them: an exercise begins again.
      i = fresh ? -1 : i - 1;
      continue;
    }
    say("end", { cell: cells[i].id, error });
    if (error) break;
  }
  say("done");
}

onmessage = async ({ data }) => {
  try {
    await (data.kind === "start" ? start(data) : run(data));
    if (data.kind === "start") say("ready");
  } catch (error) {
    const words = String(error?.message ?? error);
    say(error instanceof Lost ? "lost" : "failed", { words, started: Boolean(kernel) });
  }
};
