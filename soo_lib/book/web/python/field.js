// A cell of the page that can be typed into: its code is a block until somebody wants to change it.
import { edit } from "./editor.js";

export class Field {
  /**
   * `cell` is the cell's element, `text` what it begins with, `label` its name for a screen reader.
   * `run` is what Ctrl-Enter does, `changed` hears each new text.
   */
  constructor(cell, text, { label, run, changed }) {
    Object.assign(this, { cell, label, run, changed, editor: null, opening: null });
    this.code = cell.querySelector(".cell_input");
    this.block = this.code.querySelector("pre");
    this.published = this.block.textContent.replace(/\n$/, "");
    if (text !== undefined && text !== this.published) this.block.textContent = text;
  }

  get text() {
    return this.editor ? this.editor.text() : this.block.textContent.replace(/\n$/, "");
  }

  open() {
    this.opening ??= edit(this.code.firstElementChild, this.text, {
      label: this.label,
      run: this.run,
      changed: () => this.changed(this.text),
    }).then((editor) => (this.editor = editor));
    return this.opening;
  }

  /** A new text, which can be undone. */
  replace(text) {
    if (this.editor) this.editor.replace(text);
    else this.block.textContent = text;
  }
}
