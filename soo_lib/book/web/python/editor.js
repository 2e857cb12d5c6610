// A place to type Python: CodeMirror where it can be fetched, else a plain text field.

const CODEMIRROR = new URL("../vendor/codemirror.js", import.meta.url).href;

/**
 * Put an editor of `text` in the place of `old`, an element.
 *
 * `label` names it for a screen reader, `run` is what Ctrl-Enter does, `changed` hears of each
 * change. Returns `text()`, `replace(text)` (which can be undone), `undo()`, `mark(line, words)`,
 * `unmark()` and `focus()`.
 */
export async function edit(old, text, { label, run, changed }) {
  const place = document.createElement("div");
  place.className = "soo-editor";
  let parts = null;
  try {
    parts = await import(CODEMIRROR);
  } catch {
    // The connection is lost, or the browser too old: what is typed counts as well.
  }
  const editor = (parts ? rich : plain)(place, text, { label, run, changed, parts });
  old.replaceWith(place);
  return editor;
}

function plain(place, text, { label, run, changed }) {
  const field = document.createElement("textarea");
  Object.assign(field, { value: text, spellcheck: false, rows: text.split("\n").length + 2 });
  field.setAttribute("aria-label", label);
  field.setAttribute("autocapitalize", "off");
  field.oninput = changed;
  field.onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
  };
  place.append(field);
  let before = text;
  const replace = (next) => {
    before = field.value;
    field.value = next;
    changed();
  };
  return {
    text: () => field.value,
    replace,
    undo: () => replace(before),
    mark() {},
    unmark() {},
    focus: () => field.focus(),
  };
}

function rich(place, text, { label, run, changed, parts }) {
  const { EditorView, EditorState, StateEffect, StateField, Decoration, keymap, tags } = parts;
  const wrong = StateEffect.define();
  const marked = StateField.define({
    create: () => Decoration.none,
    update(held, change) {
      for (const effect of change.effects) if (effect.is(wrong)) return effect.value;
      return change.docChanged ? Decoration.none : held; // a new text has other lines
    },
    provide: (field) => EditorView.decorations.from(field),
  });
  const enter = () => (run(), true);
  const colours = parts.HighlightStyle.define([
    { tag: tags.keyword, class: "k" },
    { tag: [tags.string, tags.special(tags.string)], class: "s" },
    { tag: tags.comment, class: "c" },
    { tag: [tags.number, tags.bool, tags.null], class: "m" },
    { tag: tags.function(tags.definition(tags.variableName)), class: "f" },
  ]);
  const view = new EditorView({
    parent: place,
    state: EditorState.create({
      doc: text,
      extensions: [
        parts.lineNumbers(),
        parts.history(),
        parts.drawSelection(),
        parts.indentOnInput(),
        parts.bracketMatching(),
        parts.closeBrackets(),
        parts.pythonLanguage,
        parts.indentUnit.of("    "),
        parts.syntaxHighlighting(colours),
        EditorView.lineWrapping,
        marked,
        // Tab indents; after Escape it goes on to the next control, as CodeMirror sees to.
        keymap.of([
          { key: "Ctrl-Enter", mac: "Cmd-Enter", run: enter },
          { key: "Ctrl-Enter", run: enter },
          ...parts.closeBracketsKeymap,
          ...parts.defaultKeymap,
          ...parts.historyKeymap,
          parts.indentWithTab,
        ]),
        EditorView.contentAttributes.of({
          "aria-label": `${label}. Tab indents; Escape, then Tab, leaves. Control-Enter runs.`,
          autocapitalize: "off",
        }),
        EditorView.updateListener.of((update) => update.docChanged && changed()),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    replace(next) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    undo() {
      parts.undo(view);
    },
    mark(line, words) {
      if (!line || line > view.state.doc.lines) return;
      const at = view.state.doc.line(line).from;
      const look = Decoration.line({ class: "soo-wrong-line", attributes: { title: words } });
      view.dispatch({ effects: wrong.of(Decoration.set([look.range(at)])) });
    },
    unmark: () => view.dispatch({ effects: wrong.of(Decoration.none) }),
    focus: () => view.focus(),
  };
}
