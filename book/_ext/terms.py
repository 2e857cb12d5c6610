"""What the glossary knows, where a reader needs it: at a term's first use, and in the search.

An entry of glossary.md ends with the chapter that explains it: First: {doc}`rosenbrock`. On
every chapter the first use of each term becomes a link to its entry, whose meaning
``_static/reading.js`` shows; and the search for a term finds that chapter first.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

GLOSSARY = "book/glossary"
ENTRY = re.compile(r"^(\S.*)\n  .*First: \{doc\}`([\w-]+)`\.$", re.MULTILINE)
# Here a word is no use of a term, or no place for a link: it has one, or it is a name, a formula,
# a heading, or what predict.js and a dropdown make a button of.
APART = (
    nodes.reference,
    addnodes.pending_xref,
    nodes.title,
    nodes.rubric,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.table,
    nodes.caption,
    nodes.comment,
)


def firsts(text):
    """Each term of the glossary, and the chapter that explains it."""
    return dict(ENTRY.findall(text))


def used(term):
    """A pattern that finds a term, its plural too, and no part of a longer name."""
    words = re.escape(term).replace(r"\ ", r"[\s-]+").replace("'", "['’]")
    return re.compile(rf"(?<![\w-]){words}(?:s|es)?(?![\w-])", re.IGNORECASE)


def mark(app, doctree):
    folder, _, page = app.env.docname.rpartition("/")
    glossary = Path(app.env.doc2path(GLOSSARY))
    if folder != "book" or app.env.docname == GLOSSARY or not glossary.exists():
        return
    app.env.note_dependency(str(glossary))
    chapters = firsts(glossary.read_text("utf-8"))
    doctree += [
        addnodes.index(entries=[("single", term, "", "main", None)])
        for term, chapter in chapters.items()
        if chapter == page
    ]
    if app.env.doc2path(app.env.docname).endswith(".ipynb"):
        link(doctree, app.env.docname, sorted(chapters, key=len, reverse=True))


def link(doctree, docname, terms):
    """Make a link of each term's first use, the longest terms before those that they contain."""
    for words in doctree.findall(nodes.TextElement):
        if not isinstance(words, nodes.FixedTextElement):
            words[:] = joined(words)
    for term in terms:
        for text in doctree.findall(nodes.Text):
            found = used(term).search(text)
            if (
                not found
                or in_a_written_link(text)
                or any(
                    isinstance(above, APART) or "predict" in above.get("classes", ())
                    for above in parents(text)
                )
            ):
                continue
            shown = nodes.inline("", found[0], classes=["xref", "std", "std-term"])
            to = addnodes.pending_xref(
                "",
                shown,
                refdomain="std",
                reftype="term",
                reftarget=term,
                refexplicit=True,
                refwarn=True,
                refdoc=docname,
            )
            before, after = text[: found.start()], text[found.end() :]
            parts = [nodes.Text(before), to, nodes.Text(after)]
            text.parent.replace(text, [part for part in parts if part.astext()])
            break


def in_a_written_link(text):
    """Whether the text stands between an <a> and an </a> that the page has as HTML."""
    before = text.parent.children[: text.parent.index(text)]
    tags = [node.astext() for node in before if isinstance(node, nodes.raw)]
    links = [tag for tag in tags if re.match(r"</?a\b", tag)]
    return bool(links) and not links[-1].startswith("</")


def joined(words):
    """The children of a text, without the breaks that the ends of lines in its source have left."""
    parts = []
    for part in words.children:
        if isinstance(part, nodes.Text) and parts and isinstance(parts[-1], nodes.Text):
            parts[-1] = nodes.Text(parts[-1] + part)
        else:
            parts.append(part)
    return parts


def parents(node):
    while node := node.parent:
        yield node


def setup(app):
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True}
