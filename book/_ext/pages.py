"""What a page of the built book fetches: one style sheet, scripts that wait, each widget once.

A Sphinx extension. The theme and its companions give every page a dozen style sheets and twenty
scripts, most of which hold up the first paint; myst-nb repeats a widget's whole program in each
page. Here the style sheets become one, without the rules that no page uses; no script runs before
the page is read; and a widget's ``_esm`` and ``_css`` become files of the site, named by their
content, without spaces and comments, so that a browser fetches them once. ``_static/mount.js``
starts the widgets. What a cell says to our tools alone, its page does not show; numbers that
Python writes as -2e-08 are set with a minus and a power of ten, outside code; and no line begins
with the full stop that ends a formula.
"""

import gc
import hashlib
import json
import re
from functools import partial
from pathlib import Path

import minify
import tinycss2
from docutils import nodes
from PIL import Image
from sphinx.builders.html._assets import _JavaScript
from sphinx.errors import ExtensionError

SHEET = "page.css"
STATE = "application/vnd.jupyter.widget-state+json"
OF_EVERY_WIDGET = {"layout", "tabbable", "tooltip"}
EXPORT = re.compile(r"^export default ([^;]+);\s*\Z", re.MULTILINE)
# Nothing asks for these: sphinx-thebe's, and Font Awesome, whose icons in use come with the book.
# Of our own scripts these go only where what they serve is.
WHERE = {"_static/predict.js": "predict-asked", "_static/quick-check.js": "quick-check"}
# MathJax works long: the page is painted once, its widgets with it, before it comes.
ADD = (
    "requestAnimationFrame(() => setTimeout(() => "
    'document.head.append(Object.assign(document.createElement("script"), {{src: {}}}))));'
)
MARKS = re.compile(r"^# NBVAL_CHECK_OUTPUT\n|$", re.MULTILINE)
POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?\d+)(?!\w)")
MINUS = re.compile(r"(?<![^\s(])-(?=\d)")
CODE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
UNUSED = ("scripts/fontawesome*", "vendor/fontawesome/**/*", "sphinx-thebe.*", "*/*.map")
IMAGE = re.compile(r'<img loading="lazy"(?![^>]* width=)[^>]* src="([^":]+)"')
DRAWN = re.compile(r'(?<= d="|.x="|.y=")[^"]*')


def setup(app):
    # Trees of sixty pages stay: to look through them for waste again and again took a third more.
    gc.set_threshold(1_000_000, 50, 1000)
    templates = str(Path(__file__).parent / "templates")
    app.connect("config-inited", lambda _, config: config.templates_path.insert(0, templates))
    app.connect("doctree-read", unmark, priority=100)  # codeautolink must see the lines that stay
    app.connect("doctree-resolved", figure_first)
    app.connect("doctree-resolved", powers)
    app.connect("doctree-resolved", held)
    app.connect("html-page-context", lighten, priority=900)
    app.connect("build-finished", finish, priority=900)  # the theme still writes its pygments.css
    return {"parallel_read_safe": True}


# ---- page by page: cells, scripts, widgets


def unmark(app, doctree):
    """Take out of the cells what is there for nbval and for ruff."""
    for block in doctree.findall(nodes.literal_block):
        if "cell_input" in block.parent.get("classes", ()) and MARKS.search(block.astext()):
            block.rawsource = MARKS.sub("", block.astext())
            block[:] = [nodes.Text(block.rawsource)]


def figure_first(app, doctree, docname):
    """The fold with a figure's code stands below the figure; those before an explorer below it."""
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("hide_mode") == "input" and next(cell[-1].findall(nodes.image), None):
            cell[:] = [*cell[1:], cell[0]]
        live = any("widget-view" in raw.astext() for raw in cell.findall(nodes.raw))
        if live and "cell" in cell["classes"]:
            end = start = cell.parent.index(cell)
            while start and folded(cell.parent[start - 1]):
                start -= 1
            cell.parent[start : end + 1] = [cell, *cell.parent[start:end]]


def folded(node):
    """Whether a cell shows nothing but a fold of its code, or nothing."""
    shown = 1 if node.get("hide_mode") == "input" else 0
    return "cell" in node.get("classes", ()) and len(node) == shown


def powers(app, doctree, docname):
    """-2e-08 as −2·10⁻⁸; but not where it is code, or what predict.js reads a number from."""
    if docname.startswith("book/reference/"):
        return
    for text in [
        text for text in doctree.findall(nodes.Text) if POWER.search(text) or MINUS.search(text)
    ]:
        above = text.parent
        while above and not isinstance(above, CODE) and "predict-answer" not in above["classes"]:
            above = above.parent
        if above is None:
            pieces, end, words = [], 0, MINUS.sub("−", text)
            for number in POWER.finditer(words):
                digits, power = number[1], int(number[2])
                ten = {"0": "0", "1": "10"}.get(digits, f"{digits}·10") if power else digits
                high = str(power).replace("-", "−") if power and ten != "0" else ""
                pieces.append(nodes.Text(words[end : number.start()] + ten))
                pieces += [nodes.superscript("", high)] * bool(high)
                end = number.end()
            text.parent.replace(text, [*pieces, nodes.Text(words[end:])])


def held(app, doctree, docname):
    """A formula and the punctuation behind it, which a browser would let begin a line."""
    for math in list(doctree.findall(nodes.math)):
        at, line = math.parent.index(math), math.parent
        after = line[at + 1] if at + 1 < len(line) else None
        if isinstance(after, nodes.Text) and (mark := re.match(r"[.,;:?!)”]+", after)):
            both = nodes.inline("", "", math, nodes.Text(mark[0]), classes=["held"])
            line[at : at + 2] = [both, nodes.Text(after[mark.end() :])]


def lighten(app, pagename, templatename, context, doctree):
    """Take out of a page what it does not use; let the rest wait until the page is read."""
    widgets, scripts = {}, []
    for script in context["script_files"]:
        name, attributes = str(script.filename or ""), dict(script.attributes)
        body = attributes.get("body", "")
        if attributes.get("type") == STATE:
            context["widget_state"], widgets = apart(json.loads(body))
        elif body.startswith("window.MathJax") and 'class="math' not in context.get("body", ""):
            continue
        elif "mathjax" in name:
            body = ADD.format(json.dumps(context["pathto"](name, True)))
            if 'class="math' in context.get("body", ""):
                scripts.append(_JavaScript(None, priority=900, type="module", body=body))
        elif "thebe" not in (name + body).lower() and (
            WHERE.get(name, "") in context.get("body", "")
        ):
            if name:
                attributes["defer"] = "defer"
            elif "DOCUMENTATION_OPTIONS" in body:
                attributes["type"] = "module"  # waits for the file that defines them
            scripts.append(_JavaScript(script.filename, priority=script.priority, **attributes))
    # The widgets before everything that waits: they are what the reader came for.
    styles = {f"widgets/{digest(css)}.css": css for _, css in widgets.values()}  # most share one
    files = {f"widgets/{name}.js": esm for name, (esm, _) in widgets.items()} | styles
    for name, text in files.items():
        path = Path(app.outdir, "_static", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for name in widgets:
        scripts.append(_JavaScript(f"_static/widgets/{name}.js", priority=1, defer="defer"))
    if widgets:
        scripts.append(_JavaScript("_static/mount.js", priority=2, defer="defer"))
    context["script_files"][:] = scripts
    if "body" in context:  # a figure is fetched when the reader comes near it; a fold has its words
        context["body"] = (
            context["body"]
            .replace("<img ", '<img loading="lazy" decoding="async" ')
            .replace('<summary aria-label="Toggle hidden content">', "<summary>")
        )
    context["sheet"], context["widget_sheets"] = SHEET, list(styles)
    names = [str(getattr(sheet, "filename", sheet)) for sheet in context["css_files"]]
    # The theme's own first, which its template names; its theme.css does but import basic.css.
    app.sheets = ["_static/basic.css", "_static/styles/pydata-sphinx-theme.css"]
    app.sheets += [name for name in names if "thebe" not in name]


def digest(text):
    """A part of a file's address: a new text has a new one."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def apart(stored):
    """A page's widgets without their programs, as JSON; and the programs and styles, by name."""
    models, programs = {}, {}
    for key, model in stored["state"].items():
        state = model["state"]
        if "_esm" not in state:
            continue  # its layout
        esm, css, kind = state["_esm"], state.get("_css") or "", state["_anywidget_id"]
        if re.search(r"^import\b", esm, re.MULTILINE) or not EXPORT.search(esm):
            raise ExtensionError(
                f"{kind}: its _esm must import nothing and end with a line "
                "`export default ...;`, to be a file of the site"
            )
        name = f"{kind.split('.')[-1].lower()}-{digest(esm + css)}"
        # A script and no module: a browser loads no module into a page that is itself a file.
        run = '(window.sooWidgets ??= {{}})["{}"] = (() => {{\n"use strict";\n{}\n}})();\n'
        text = run.format(name, EXPORT.sub(r"return \1;", esm))
        programs[name] = minify.string("application/javascript", text), css
        own = {k: v for k, v in state.items() if k[0] != "_" and k not in OF_EVERY_WIDGET}
        models[key] = {"widget": name, "state": own}
    return json.dumps(models, separators=(",", ":")).replace("</", "<\\/"), programs


# ---- once all pages stand: the style sheet, the figures


def finish(app, exception):
    if exception or app.builder.format != "html" or not hasattr(app, "sheets"):
        return
    site, static = Path(app.outdir), Path(app.outdir, "_static")
    for path in [path for pattern in UNUSED for path in static.glob(pattern) if path.is_file()]:
        path.unlink(missing_ok=True)
    pages = [page for page in site.rglob("*.html") if static not in page.parents]
    scripts = [path for path in static.rglob("*.js") if "mathjax" not in path.parts]
    used = {
        word for path in pages + scripts for word in re.findall(r"[\w-]+", path.read_text("utf-8"))
    }
    sheet = "\n".join(bundled(site / name.split("?")[0], static, used) for name in app.sheets)
    (static / SHEET).write_text(sheet, "utf-8")
    for path in (site / "_images").glob("*.svg"):
        path.write_text(DRAWN.sub(rounded, path.read_text("utf-8")), "utf-8")
    link = f"_static/{SHEET}?v={digest(sheet)}"
    for page in pages:  # a new sheet has a new address
        text = re.sub(rf"_static/{SHEET}(\?v=\w+)?", link, page.read_text("utf-8"))
        if text.lstrip().startswith("<meta"):  # a page that sends on, written by Jupyter Book
            text = f'<link rel="icon" href="_static/favicon.svg">{text}'
        page.write_text(IMAGE.sub(partial(sized, page.parent), text), "utf-8")


def bundled(path, static, used):
    """A style sheet's rules that a page may use, with addresses as seen from the folder static."""
    text = kept(tinycss2.parse_stylesheet(path.read_text("utf-8"), True, True), used)
    here = path.parent.relative_to(static).as_posix()
    return re.sub(r"url\(([\"']?)(?![\"'#/]|data:)", rf"url(\1{here}/", text)


def kept(rules, used):
    """The rules as text, each with those of its selectors that can match."""
    texts = []
    for rule in rules:
        content = rule.content if rule.type in ("qualified-rule", "at-rule") else None
        if rule.type == "qualified-rule":
            selectors = re.split(r",(?![^(\[]*[)\]])", tinycss2.serialize(rule.prelude))
            found = ",".join(s.strip() for s in selectors if possible(s, used))
            texts += [f"{found}{{{tinycss2.serialize(content)}}}"] if found else []
        elif content and rule.lower_at_keyword in ("media", "supports", "layer"):
            inner = kept(tinycss2.parse_rule_list(content, True, True), used)
            head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
            texts += [f"{head}{{{inner}}}"] if inner else []
        elif content is None and getattr(rule, "lower_at_keyword", "") != "charset":
            raise ExtensionError(f"no rule that can stand in one sheet: {rule.serialize()}")
        elif content is not None and "vendor/fontawesome" not in (text := rule.serialize()):
            texts.append(text)
    return "\n".join(texts)


def possible(selector, used):
    """Whether some page or script has every class and id that the selector asks for."""
    bare = re.sub(r"\[[^\]]*\]", "", selector)
    while bare != (bare := re.sub(r"\([^()]*\)", "", bare)):  # what :not() and :is() name
        pass
    return "\\" in bare or all(name in used for name in re.findall(r"[.#]([\w-]+)", bare))


def rounded(numbers):
    """Places in a drawing to a hundredth of a point: a third less to fetch, and no eye sees it."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", numbers[0])


def sized(folder, tag):
    """The tag with its picture's size, so that nothing moves when the picture comes."""
    path = folder / tag[1]
    if path.suffix == ".svg":
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', path.read_text("utf-8")[:2000])
        size = [float(side) * 4 / 3 for side in box.groups()]  # a point in pixels
    else:
        size = Image.open(path).size
    return f'{tag[0]} width="{size[0]:.0f}" height="{size[1]:.0f}"'
