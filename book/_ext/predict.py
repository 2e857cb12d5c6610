"""The directive ``predict``: a question that takes the reader's guess before the page goes on.

    ```{predict}
    :range: 1 10000
    :unit: iterations
    :answer: {glue:text}`lr_nit_gradient`

    How many iterations will gradient descent need?
    ```

Without an option the guess is one of the choices in the list that ends the block. ``:range:`` makes
it a number between two, on a logarithmic slider; ``:curve: layer 1 8, gradient norm 1e-8 1`` a line
drawn by hand over two axes (the second logarithmic where it spans more than two decades).
``:answer:`` says what was found, best with ``glue``: it stands beside the guess, and a number or a
curve (pairs "x y, x y") is drawn there too. Without scripts, and on paper, the block is a question
like any other: ``_static/predict.js`` does the rest.
"""

import json
import re

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

AXIS = re.compile(r"(.+) (\S+) (\S+)")


class Predict(SphinxDirective):
    has_content = True
    option_spec = dict.fromkeys(("range", "unit", "curve", "answer"), directives.unchanged_required)

    def run(self):
        self.assert_has_content()
        block = nodes.admonition("", nodes.title("", "Predict"), classes=["tip", "predict"])
        self.set_source_info(block)
        self.state.nested_parse(self.content, self.content_offset, block)
        if not {"range", "curve"} & self.options.keys() and not (
            isinstance(block[-1], nodes.bullet_list) and len(block[-1]) > 1
        ):
            raise self.error(
                "predict: the block must end with a list of choices, or have :range: or :curve:"
            )
        try:
            asked = json.dumps(self.asked())
        except (AttributeError, ValueError):
            raise self.error(
                "predict: :range: takes two numbers > 0, the smaller first, and "
                ":curve: two axes, each a name and two numbers"
            ) from None
        script = f'<script type="application/json" class="predict-asked">{asked}</script>'
        block += nodes.raw("", script, format="html")
        if "answer" in self.options:
            answer = nodes.container(classes=["predict-answer"])
            self.state.nested_parse([self.options["answer"]], self.content_offset, answer)
            block += answer
        return [block]

    def asked(self):
        """What the page's script needs to know."""
        if "curve" in self.options:
            axes = []
            for text in self.options["curve"].split(","):
                name, *ends = AXIS.fullmatch(text.strip()).groups()
                axes.append({"name": name, "ends": list(map(float, ends))})
            x, y = axes
            return {"x": x, "y": y}
        if "range" in self.options:
            low, high = map(float, self.options["range"].split())
            if not 0 < low < high:
                raise ValueError
            return {"low": low, "high": high, "unit": self.options.get("unit", "")}
        return {}


def setup(app):
    app.add_directive("predict", Predict)
    return {"parallel_read_safe": True}
