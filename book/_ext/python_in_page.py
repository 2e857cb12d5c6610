"""Python in the page: what a page needs so that its cells can be edited and run where they stand.

A Sphinx extension. It gives each cell of a notebook an address (``cell-`` and the cell's id) and
puts beside the page the runtime that ``tools/get_pyodide.py`` has fetched, this library as a wheel,
and the data: under ``_static/pyodide``, in as few bytes as any host can serve. Each page says what
its cells need and how many megabytes that is; ``web/python`` does the rest, at the reader's first
click. Where there is no runtime a page says so.
"""

import ast
import gzip
import hashlib
import io
import json
import lzma
import posixpath
import re
import shutil
import sys
import zipfile
from functools import cache
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole
from sphinx.builders.html._assets import _JavaScript

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
LIBRARY = ROOT / "soo_lib"
WEB = LIBRARY / "book" / "web" / "python"
FETCHED = ROOT / "_build" / "pyodide"
LOCK = json.loads((ROOT / "tools" / "pyodide-lock.json").read_text("utf-8"))

MODULES = {module: name for name, p in LOCK["packages"].items() for module in p["imports"]}
# An exercise's check begins with these; the rest comes if something uses it.
FIRST, LATER = ["soo-lib"], ["scipy", "scikit-learn", "matplotlib"]
# Seconds that all cells of a chapter took in a page: benchmarks/in_page.py measured them.
SECONDS = json.loads(Path(__file__).with_name("in_page.json").read_text("utf-8"))
# kernel.py has stand-ins for what belongs to a notebook, and for the library's widgets.
OF_NOTEBOOKS = {"IPython", "anywidget", "matplotlib_inline", "myst_nb", "traitlets"}
WIDGETS = ("soo_lib.book.explore", "soo_lib.book.live")
HOME = "/home/pyodide"  # of the worker: a chapter's own folder
SITE = "/lib/python3.12/site-packages/soo_lib"


def setup(app):
    app.add_css_file("python/python.css")
    PasteTextRole.run = named(PasteTextRole.run)
    app.connect("builder-inited", serve)
    app.connect("doctree-read", address)
    app.connect("html-page-context", tell, priority=950)  # after pages.py has sorted the scripts
    return {"parallel_read_safe": True}


# ---- what the site serves


def serve(app):
    """Copy the scripts, and the runtime if it is there, to the site."""
    app.python_runtime = None
    if app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    shutil.copytree(WEB, static / "python", dirs_exist_ok=True)
    wanted = [*LOCK["core"], *(package["file_name"] for package in LOCK["packages"].values())]
    shutil.rmtree(static / "pyodide", ignore_errors=True)
    if all((FETCHED / name).exists() for name in wanted):
        app.python_runtime = publish(static / "pyodide", wanted)


def publish(folder, wanted):
    """Write the runtime, the library and the data into a folder; return the lock that names them.

    It is Pyodide's own lock, with the library as a package more, and with ``files``: the path, the
    size and the hash of what is served under each name, and for data the place where it goes.
    """
    folder.mkdir(parents=True)
    lock = {"info": LOCK["info"], "core": list(LOCK["core"]), "files": {}}
    for name in wanted:
        # Zips and wheels are packed already.
        packed = name.endswith((".js", ".mjs", ".wasm"))
        put(folder, lock, name, (FETCHED / name).read_bytes(), packed)
    name, content = wheel()
    put(folder, lock, name, content, False)
    own = {
        "name": "soo-lib",
        "version": version(),
        "file_name": name,
        "install_dir": "site",
        "sha256": hashlib.sha256(content).hexdigest(),
        "package_type": "package",
        "imports": ["soo_lib"],
        "depends": ["numpy", "threadpoolctl", "tqdm"],
        "unvendored_tests": False,
    }
    lock["packages"] = LOCK["packages"] | {"soo-lib": own}
    for path in sorted({path for one in BOOK.glob("*.ipynb") for path in reads(code(one))}):
        at = posixpath.normpath(f"{HOME}/{path}")
        put(folder, lock, path, (BOOK / path).read_bytes(), True, at)
    for path in sorted((LIBRARY / "datasets" / "data").glob("*.xz")):
        sample, name = lzma.decompress(path.read_bytes()), f"{path.stem}.gz"
        put(
            folder,
            lock,
            name,
            gzip.compress(sample, 9, mtime=0),
            False,
            f"{SITE}/datasets/data/{name}",
        )
    text = json.dumps(lock)
    (folder / "lock.json").write_text(text, "utf-8")
    return lock | {"version": hashlib.sha256(text.encode()).hexdigest()[:12]}


def put(folder, lock, name, content, packed, at=None):
    """Serve a file: packed by us, since not every host packs, and under an ending that none does.

    The megabytes that a page states are then those that any reader fetches.
    """
    path = Path(name).name + (".packed" if packed else "")
    content = gzip.compress(content, 9, mtime=0) if packed else content
    (folder / path).write_bytes(content)
    lock["files"][name] = {
        "name": name,
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "packed": packed,
        **({"at": at} if at else {}),
    }


def version():
    text = (LIBRARY / "__init__.py").read_text("utf-8")
    return re.search(r'__version__ = "(.*)"', text)[1]


def wheel():
    """This library as a wheel, without its data and without these scripts: its name, its bytes."""
    name, info = f"soo_lib-{version()}-py3-none-any.whl", f"soo_lib-{version()}.dist-info"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:

        def add(path, text):
            made.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)  # no date: it repeats

        for path in sorted(LIBRARY.rglob("*")):
            if path.suffix in (".py", ".js", ".css") and WEB not in path.parents:
                add(str(path.relative_to(ROOT)), path.read_bytes())
        add(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: soo-lib\nVersion: {version()}\n")
        add(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        add(f"{info}/RECORD", "")
    return name, held.getvalue()


# ---- what a page needs


def code(notebook):
    """What a notebook's cells run, as one text."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    told = [c for c in cells if c["cell_type"] == "code" and c["id"] != "colab"]
    return "\n".join("".join(cell["source"]) for cell in told)


def reads(text):
    """The files that a chapter's code reads, as paths from its folder.

    A word of a string states each: a path, or the name of a record. The string stands in the code
    or in a module of `soo_lib.book` that it imports.
    """
    beside = {name.split(".")[2] for name in found(text) if name.startswith("soo_lib.book.")}
    modules = [LIBRARY / "book" / f"{name}.py" for name in sorted(beside)]
    texts = [text, *(path.read_text("utf-8") for path in modules if path.exists())]
    nodes_of = (node for each in texts for node in ast.walk(ast.parse(each)))
    strings = (node.value for node in nodes_of if isinstance(node, ast.Constant))
    words = {word for value in strings if isinstance(value, str) for word in value.split()}
    paths = {word for word in words if word.endswith(".json")}
    paths |= {f"results/{word}.json" for word in words}
    return sorted(path for path in paths if (BOOK / path).is_file())


@cache
def imported(path):
    """The modules that a file of the library imports, anywhere in it."""
    package = path.relative_to(ROOT).with_suffix("").parts
    package = package[:-1]
    return found(path.read_text("utf-8"), ".".join(package))


def found(source, package=""):
    """The dotted names that Python source imports; a name out of a module may be one too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*(base if node.level else []), *filter(None, [node.module])])
            names |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return names


def closure(names):
    """The modules from elsewhere that follow from importing these, through the library."""
    waiting, seen, others = set(names), set(), set()
    while waiting:
        name = waiting.pop()
        if name.startswith(WIDGETS):
            continue
        if name.partition(".")[0] != "soo_lib":
            others.add(name.partition(".")[0])
            continue
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            path = ROOT.joinpath(*parts[:i])
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if path.exists() and path not in seen:
                seen.add(path)
                waiting |= imported(path)
    return others


def runtime(lock, source, exercise):
    """What a notebook's page asks of the runtime, and its weight in bytes.

    An exercise begins with the least and has the rest come when it is used; a chapter's needs are
    known before, from what its cells import.
    """
    text = code(source)
    packages, later, data, lacks = FIRST, LATER, [], []
    if not exercise:
        own = found(text)
        others = closure(own)
        # Where the library can do without a module, it imports that within a function.
        tops = {name.partition(".")[0] for name in own}
        here = MODULES.keys() | sys.stdlib_module_names | OF_NOTEBOOKS | {"soo_lib"}
        lacks = sorted(tops - here)
        packages = FIRST + sorted({MODULES[name] for name in others if name in MODULES})
        later = []
        data = reads(text)
        if "load_fashion_mnist" in text:
            data += [name for name, file in lock["files"].items() if name.endswith("ubyte.gz")]
    names = {lock["packages"][name]["file_name"] for name in needed(lock, packages)}
    size = sum(lock["files"][name]["size"] for name in names.union(lock["core"], data))
    return {
        "version": lock["version"],
        "packages": packages,
        "later": later,
        "data": data,
        "lacks": lacks,
        "bytes": size,
        "seconds": SECONDS.get(source.stem, 0),
    }


def needed(lock, packages):
    """The packages, and those that they depend on."""
    names = set(packages)
    for name in packages:
        names |= needed(lock, lock["packages"][name]["depends"])
    return names


# ---- page by page


def named(run):
    """The role ``glue:text``, whose number says its name too: a class, ``glue-`` and the name."""

    def run_named(self):
        made, messages = run(self)
        for node in made:
            if "classes" in node:
                node["classes"].append(f"glue-{nodes.make_id(self.text.partition(':')[0])}")
        return made, messages

    return run_named


def address(app, doctree):
    """Give each cell the address ``cell-`` and its id, so that a script, or a link, finds it."""
    source = Path(app.env.doc2path(app.env.docname))
    if source.suffix != ".ipynb":
        return
    cells = json.loads(source.read_text("utf-8"))["cells"]
    for block in doctree.findall(nodes.container):
        if "cell" in block.get("classes", ()) and "cell_index" in block:
            block["ids"].append(f"cell-{cells[block['cell_index']]['id']}")


def tell(app, pagename, templatename, context, doctree):
    """Give a page with cells, and the list of exercises, the script and what it must know."""
    source = Path(app.srcdir, f"{pagename}.ipynb")
    listed = pagename.endswith("exercises/index")
    if "body" not in context or not (listed or source.exists()):
        return
    about = {"kind": "list"}
    if not listed:
        exercise = source.parent.name == "exercises"
        about = {"kind": "exercise" if exercise else "chapter"}
        about["source"] = context["pathto"](f"_sources/{context['sourcename']}", True)
        if app.python_runtime:
            about["runtime"] = runtime(app.python_runtime, source, exercise)
    text = json.dumps(about).replace("</", "<\\/")
    context["body"] += f'<script type="application/json" id="python-page">{text}</script>'
    context["script_files"].append(_JavaScript("_static/python/start.js", defer="defer"))
