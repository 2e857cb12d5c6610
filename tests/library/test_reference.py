"""The docstrings that the API reference is made of: whole, with shapes and sources, and true."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc

import soo_lib

LIB = Path(soo_lib.__file__).parent
# The pages of book/reference/: a package shows its __all__, a module what it defines.
SHOWN = [
    "losses",
    "curvature",
    "gradient_test",
    "solvers",
    "stochastic",
    "stochastic.rules",
    "stochastic.layer_rules",
    "datasets",
    "plots",
    "cluster",
]
MODULES = sorted(
    ".".join(path.relative_to(LIB).with_suffix("").parts)
    for path in LIB.rglob("*.py")
    if "book" not in path.parts and path.stem != "__init__"
)
# What only prepares, adds up, draws or records has no source in the literature.
PLAIN = {
    "checks",
    "datasets.load",
    "datasets.sources",
    "plots",
    "losses.blocks",
    "solvers.recorder",
}
SOURCE = re.compile(r"\b[Pp]aper\b|\beqs?\.? \d|\b[Aa]ppendix\b|N&W|Nocedal|\b(19|20)\d\d\b")


def public(name):
    """The public classes and functions that a page of the reference shows, by name."""
    module = importlib.import_module(f"soo_lib.{name}")
    shown = getattr(module, "__all__", None)
    return {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
        if (key in shown if shown else value.__module__ == module.__name__)
    }


NAMES = [(module, name) for module in SHOWN for name in public(module)]
each_name = pytest.mark.parametrize("module, name", NAMES)


def test_there_is_something_to_document():
    assert ("solvers", "minimize") in NAMES and len(NAMES) > 60


def test_every_page_of_the_reference_shows_what_is_tested_here():
    pages = (LIB.parent / "book" / "reference").glob("*.md")
    shown = re.findall(r"automodule:: soo_lib\.([\w.]+)", "".join(p.read_text() for p in pages))
    assert sorted(shown) == sorted(SHOWN)


@pytest.mark.parametrize("package", [name for name in SHOWN if (LIB / name).is_dir()] + [""])
def test_a_package_names_what_it_shows(package):
    module = importlib.import_module(f"soo_lib.{package}".rstrip("."))
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


@each_name
def test_a_docstring_tells_of_every_argument(module, name):
    thing = public(module)[name]
    assert thing.__doc__, f"{module}.{name} has no docstring"
    assert not thing.__doc__.startswith(f"{name}("), "only what a named tuple or a dataclass gets"
    kind = ClassDoc if inspect.isclass(thing) else FunctionDoc
    entries = [entry.name.split(",") for entry in kind(thing)["Parameters"]]
    told = [part.strip("* ") for names in entries for part in names]
    taken = list(inspect.signature(thing).parameters)
    fields = "_fields", "__dataclass_fields__", "__members__"  # of a tuple, a dataclass, an enum
    if any(hasattr(thing, name) for name in fields):
        return  # each field has its own comment, which the page of the book shows
    if told:
        assert sorted(told) == sorted(taken)
    words = thing.__doc__ + inspect.getmodule(thing).__doc__
    missing = [part for part in taken if not re.search(rf"\b{part}\b", words)]
    assert not missing, f"{module}.{name} does not tell of {missing}"


@each_name
def test_an_array_has_its_shape(module, name):
    thing = public(module)[name]
    kind = ClassDoc if inspect.isclass(thing) else FunctionDoc
    doc = kind(thing)
    for entry in [*doc["Parameters"], *doc["Returns"], *doc["Yields"], *doc["Attributes"]]:
        if re.search(r"\barrays?\b", entry.type) and "integer" not in entry.type:
            text = entry.type + " ".join(entry.desc)
            assert re.search(r"\([\w, +]+,[\w +²]*\)", text), f"{module}.{name}: {entry.name}"


@each_name
def test_what_comes_from_the_literature_says_from_where(module, name):
    thing = public(module)[name]
    words = thing.__doc__ + inspect.getmodule(thing).__doc__
    home = thing.__module__.removeprefix("soo_lib.")
    assert home in PLAIN or SOURCE.search(words), f"{module}.{name} names no source"


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_are_true(module):
    assert not doctest.testmod(importlib.import_module(f"soo_lib.{module}")).failed


@pytest.mark.parametrize(
    "module, name",
    [
        ("solvers", "minimize"),
        ("gradient_test", "gradient_test"),
        ("losses", "Batched"),
        ("curvature", "layer_hessians"),
        ("losses", "Preconditioned"),
        ("stochastic", "minimize_stochastic"),
    ],
)
def test_what_a_reader_calls_first_has_an_example(module, name):
    assert doctest.DocTestFinder(recurse=False).find(public(module)[name])[0].examples
