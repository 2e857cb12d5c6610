"""The directive ``concordance``: the rows of ``concordance.csv`` that belong to one part.

    ```{concordance} Section 2
    ```

A row says where the book has an item of the paper, as links to headings, and what became of it;
``slip 5`` there leads to that slip.
"""

import csv
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

HEAD = ["| The paper | In the book | What became of it |", "|---|---|---|"]
SLIPS = re.compile(r"slips? \d+(?:, \d+)*(?: and \d+)?")


class Concordance(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        path = Path(self.env.doc2path(self.env.docname)).with_suffix(".csv")
        self.env.note_dependency(str(path))
        with open(path, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["part"] == self.arguments[0]]
        if not rows:
            raise self.error(f"concordance: no row of {path.name} has the part {self.arguments[0]}")
        cells = [
            (
                f"**{row['item']}** {row['what']}",
                links(row["where"]),
                SLIPS.sub(linked, row["outcome"]),
            )
            for row in rows
        ]
        lines = StringList(HEAD + [f"| {' | '.join(row)} |" for row in cells], str(path))
        block = nodes.container(classes=["concordance"])
        self.state.nested_parse(lines, 0, block)
        return [block]


def links(where):
    """Each place by its chapter and its heading, whose words Sphinx fills in."""
    return "; ".join(f"[]({link.partition('#')[0]}) › []({link})" for link in where.split())


def linked(slips):
    return re.sub(r"(slip )?(\d+)", r"{ref}`\g<0> <err-\2>`", slips[0])


def setup(app):
    app.add_directive("concordance", Concordance)
    return {"parallel_read_safe": True}
