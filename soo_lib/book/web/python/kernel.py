"""Runs the cells of a page: in Pyodide, in a worker (worker.js).

A cell prints, draws and returns as in a notebook, with stand-ins for what belongs to one: IPython's
display, myst-nb's glue, the widgets. What a cell gives goes out by ``send(kind, value)`` as it
comes: "text" (and whether it is stderr), "html", "table", "image" (an SVG), "verdict" and "glue".
"""

import ast
import builtins
import importlib.abc
import importlib.machinery
import io
import linecache
import logging
import os
import pathlib
import sys
import sysconfig
import time
import traceback
import types

os.environ["MPLBACKEND"] = "agg"
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # "building the font cache"

MOST = 100_000  # characters that a cell may print: a page with more does not scroll

names, send = {"__name__": "__main__"}, print


# ---- packages that come when they are asked for


class Needed(BaseException):
    """A package that is not here yet was used: no Exception, so that no answer catches it."""


class Use(type):
    """The type of a stand-in: to call it, or anything within it, asks for its package."""

    def __call__(cls, *args, **kwargs):
        raise Needed(cls.package)

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(cls.package)


def stand_in(package):
    # An exception, since some of what is imported stands behind an `except`.
    return Use("StandIn", (Exception,), {"package": package})


class Postponed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of ``packages``: an import of them asks for nothing, the first use does."""

    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        package = module.__name__.partition(".")[0]

        def of_module(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return stand_in(package)

        module.__getattr__ = of_module


postponed = Postponed(set())
sys.meta_path.append(postponed)


def postpone(packages):
    postponed.packages = set(packages)


def arrived(modules):
    """Forget the stand-ins for ``modules``, which are here now, and what was imported with them."""
    if came := postponed.packages & set(modules):
        postponed.packages -= came
        for name in list(sys.modules):
            if name.partition(".")[0] in {*came, "soo_lib"}:
                del sys.modules[name]
        stand_ins()
        fresh()


# ---- what a cell gives


class Stream(io.TextIOBase):
    """What is printed, sent on ten times a second, so that a loop that prints floods no page."""

    def __init__(self, error):
        self.error, self.held, self.sent, self.last = error, [], 0, 0.0

    def write(self, text):
        if self.sent <= MOST:
            self.held.append(text)
            if time.monotonic() - self.last > 0.1:
                self.flush()
        return len(text)

    def flush(self):
        text, self.held, self.last = "".join(self.held), [], time.monotonic()
        room = MOST - self.sent
        self.sent += len(text)
        if self.sent > MOST:
            text = text[: max(room, 0)] + "\n... and more, which is not shown.\n"
        if text:
            send("text", {"text": text, "error": self.error})


def display(*values, raw=False, **_):
    for value in values:
        show(value)


def show(value):
    """Send a value as a page can show it best."""
    sys.stdout.flush()
    if {"ok", "hint", "share"} <= set(getattr(value, "_fields", ())):
        raised = value.hint.startswith("It raises") and left.get("line")
        found = {"ok": bool(value.ok), "hint": value.hint, "share": float(value.share)}
        send("verdict", found | {"line": raised or None})
    elif isinstance(value, Words):
        send(value.kind, value.data)
    elif hasattr(value, "savefig") and hasattr(value, "axes"):
        picture(value)
    elif isinstance(value, Widget):
        send("widget", None)
    elif callable(html := getattr(value, "_repr_html_", None)) and not isinstance(value, type):
        send("html", html())
    else:
        send("text", {"text": f"{value!r}\n", "error": False})


def picture(figure):
    sys.stdout.flush()
    held = io.StringIO()
    figure.savefig(held, format="svg", bbox_inches="tight")
    send("image", held.getvalue())


class Words:
    """IPython's HTML, Markdown and so on: text of a kind."""

    def __init__(self, data="", *_, **__):
        self.data = data if isinstance(data, str) else str(data)

    def __repr__(self):
        return self.data


class HTML(Words):
    kind = "html"


class Markdown(Words):
    kind = "table"


class Widget:
    """A widget, or what one is made from: the page has its own already, which stays as it is."""

    _css = ""

    def __init__(self, *_, **__):
        pass


def glue(name, value, display=True):
    send("glue", name)
    if display:
        show(value)


def module(name, **contents):
    """A stand-in for a module that belongs to a notebook."""
    made = sys.modules[name] = types.ModuleType(name)
    made.__path__ = []
    vars(made).update(contents)


def stand_ins():
    nothing = lambda *_, **__: None  # noqa: E731
    module("IPython", get_ipython=nothing)
    module("IPython.display", display=display, HTML=HTML, Markdown=Markdown, SVG=HTML)
    module("matplotlib_inline")
    module("matplotlib_inline.backend_inline", set_matplotlib_formats=nothing)
    module("myst_nb", glue=glue)
    # Whatever these have is a widget, or makes what a widget shows.
    for name in "anywidget", "soo_lib.book.explore":
        module(name, __getattr__=widget_of)
    web = pathlib.Path(sysconfig.get_path("purelib"), "soo_lib", "book", "web")
    module("soo_lib.book.live", Live=Widget, WEB=web, joined=nothing, __getattr__=widget_of)


def widget_of(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Widget


def ask(prompt=""):
    raise RuntimeError("A cell of a page cannot ask: write the value into the code.")


stand_ins()
builtins.input = ask
builtins.display = display
builtins.get_ipython = lambda: None


# ---- a cell

# The line of the reader's own code that the last error left: a check catches it, and says but what
# it was.
left = {}


def leaves(code, offset, error):
    if code.co_filename.startswith("<cell ") and left.get("error") is not error:
        lines = (line for start, end, line in code.co_lines() if start <= offset < end)
        left.update(error=error, line=next(lines, None))


sys.monitoring.use_tool_id(sys.monitoring.DEBUGGER_ID, "kernel")
sys.monitoring.register_callback(
    sys.monitoring.DEBUGGER_ID, sys.monitoring.events.PY_UNWIND, leaves
)
sys.monitoring.set_events(sys.monitoring.DEBUGGER_ID, sys.monitoring.events.PY_UNWIND)


def fresh():
    names.clear()
    names["__name__"] = "__main__"


def run(cell, source, sender):
    """Run a cell; return None, or what went wrong.

    An error has a ``name``, its ``text``, the ``cell`` and the ``line`` where it left the reader's
    own code (None where it never was there), the ``trace``, and ``needs``, a module that is not
    here.
    """
    global send
    send = sender
    file = f"<cell {cell}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    left.clear()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(False), Stream(True)
    try:
        execute(source, file)
    except BaseException as error:
        return told(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def execute(source, file):
    """As a notebook does: the value of a last expression is shown, unless a ; follows it."""
    tree, last = ast.parse(source, file), None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    try:
        exec(compile(tree, file, "exec"), names)
        value = eval(compile(last, file, "eval"), names) if last else None
        if value is not None and not drawn(value):
            show(value)
        figures(show=True)
    finally:
        figures(show=False)


def drawn(value):
    """Whether a figure that is returned is open too, and so shown anyway."""
    plt = sys.modules.get("matplotlib.pyplot")
    return getattr(plt, "fignum_exists", None) and plt.fignum_exists(getattr(value, "number", -1))


def figures(show):
    plt = sys.modules.get("matplotlib.pyplot")
    if plt and "get_fignums" in vars(plt):
        for number in plt.get_fignums() if show else ():
            picture(plt.figure(number))
        plt.close("all")


def told(error):
    own, name, text = None, type(error).__name__, str(error)
    frames = traceback.extract_tb(error.__traceback__)
    for frame in frames:
        if frame.filename.startswith("<cell "):
            own = frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and str(error.filename).startswith("<cell "):
        own, text = (error.filename, error.lineno), error.msg
    if isinstance(error, ModuleNotFoundError) and error.name:
        text += ". A page has numpy, scipy, matplotlib and scikit-learn."
    if isinstance(error, MemoryError):
        text = f"{text or 'no memory is left'}: a page has 2 GB at most.".replace("..", ".")
    start = next((i for i, f in enumerate(frames) if f.filename.startswith("<cell ")), len(frames))
    lines = traceback.format_list(frames[start:]) + traceback.format_exception_only(error)
    return {
        "name": name,
        "text": text,
        "cell": own and own[0].removeprefix("<cell ").removesuffix(">"),
        "line": own and own[1],
        "trace": "".join(lines),
        "needs": needs(error),
    }


def needs(error):
    if isinstance(error, Needed):
        return error.args[0]
    if isinstance(error, ModuleNotFoundError):
        return (error.name or "").partition(".")[0]
