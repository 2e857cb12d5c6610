// Puts the buttons in the page. Nothing that runs Python is fetched before one of them is pressed.
(() => {
  const about = JSON.parse(document.getElementById("python-page").textContent);
  const from = new URL(".", document.currentScript.src);
  const set = (new URLSearchParams(location.search).get("set") ?? "").replace(/[^\w-]/g, "");
  const cannot =
    location.protocol === "file:"
      ? "A page that is opened as a file cannot run Python. From a site it can: `make serve` is one."
      : about.kind !== "list" && !about.runtime
        ? "This copy of the book was built without the Python that runs in a page. " +
          "The rocket at the top opens the page on Binder."
        : about.runtime?.lacks.length
          ? `This chapter's code needs ${about.runtime.lacks.join(" and ")}, which no browser has. ` +
            "The rocket at the top opens it on Binder."
          : "";
  const page = { ...about, set, cannot };

  /** What is kept of an exercise: its text, whether it is done, whether the solution was seen. */
  const keyOf = (name) => `exercise ${name}${set && ` ${set}`}`;
  const kept = (name) => {
    try {
      return JSON.parse(localStorage.getItem(keyOf(name))) ?? {};
    } catch {
      return {}; // no store, or written by hand
    }
  };

  if (about.kind === "list") {
    const words = ({ done, looked, text }) =>
      done ? (looked ? "done, the solution seen" : "done") : text ? "begun" : "";
    const draw = () => {
      document.querySelectorAll(".soo-kept").forEach((old) => old.remove());
      for (const link of document.querySelectorAll("article td a[href]")) {
        const name = link.pathname.match(/\/exercises\/([\w-]+)\.html$/)?.[1];
        if (!name) continue;
        if (set) link.search = `?set=${set}`;
        const said = words(kept(name));
        if (!said) continue;
        const mark = document.createElement("span");
        mark.className = `soo-kept${kept(name).done ? " soo-done" : ""}`;
        mark.textContent = said;
        link.after(" ", mark);
      }
    };
    draw();
    addEventListener("storage", draw);
  } else if (about.kind === "exercise") {
    // Modules do not load into a page that is itself a file.
    if (location.protocol === "file:") {
      const said = document.createElement("p");
      Object.assign(said, { className: "soo-said", textContent: cannot });
      document.getElementById("cell-answer").append(said);
    } else {
      const load = import(new URL("exercise.js", from));
      load.then(({ exercise }) => exercise(page, keyOf, kept));
    }
  } else {
    const open = (cell, button) =>
      import(new URL("cells.js", from)).then(
        ({ chapter }) => chapter(page).open(cell),
        // A browser does not ask again for a module that once failed.
        () => (button.textContent = "The connection was lost: load the page again."),
      );
    for (const cell of document.querySelectorAll("article div.cell[id^=cell-]")) {
      const code = cell.querySelector(":scope > .cell_input, :scope > details > .cell_input");
      if (!code || cell.querySelector(".soo-edit")) continue;
      const button = document.createElement("button");
      Object.assign(button, { className: "soo-edit", type: "button", textContent: "Edit and run" });
      button.onclick = () => (cannot ? (button.textContent = cannot) : open(cell, button));
      code.append(button);
    }
  }
})();
