"""The book's own Sphinx extensions: what they take out of a page, and what they refuse."""

import json
import re
import sys

import pytest
import tinycss2
from built import ROOT
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import pages  # noqa: E402
import terms  # noqa: E402


def kept(sheet, *used):
    rules = tinycss2.parse_stylesheet(sheet, True, True)
    return re.sub(r"\s+", "", pages.kept(rules, {*used}))


def test_a_rule_stays_where_a_page_may_use_it():
    assert kept(".a{x:1} .b{x:2} p{x:3}", "a") == ".a{x:1}p{x:3}"
    assert kept(".a, .b .c, p > #d{x:1}", "a", "b") == ".a{x:1}"
    assert kept("p:not(.gone), q:is(.b, .c) {x:1}") == "p:not(.gone),q:is(.b,.c){x:1}"
    assert kept('[data-x="a,b"] .a, i.c::before{x:1}', "a") == '[data-x="a,b"].a{x:1}'
    assert kept("@media print{.a{x:1}.b{x:2}} @media screen{.b{x:3}}", "a") == (
        "@mediaprint{.a{x:1}}"
    )
    assert kept("@font-face{font-family:F} @keyframes k{to{x:1}}") == (
        "@font-face{font-family:F}@keyframesk{to{x:1}}"
    )
    assert kept(r".w-1\/2{x:1}") == r".w-1\/2{x:1}"  # what cannot be told stays
    assert kept("@font-face{src:url(../vendor/fontawesome/webfonts/fa.woff2)}") == ""
    with pytest.raises(ExtensionError, match="import"):
        kept('@import "other.css";')


def stored(esm, css=".w{}"):
    own = {
        "_esm": esm,
        "_css": css,
        "_anywidget_id": "soo_lib.book.Thing",
        "layout": "IPY_MODEL_1",
        "_view_name": "AnyView",
        "value": "</script>",
    }
    return {"state": {"1": {"state": {"_view_name": "LayoutView"}}, "2": {"state": own}}}


def test_a_widget_keeps_its_traits_and_its_program_becomes_a_file():
    esm = "const a = 1; // said\nexport default { render };\n"
    text, programs = pages.apart(stored(esm))
    ((name, (script, css)),) = programs.items()
    assert json.loads(text) == {"2": {"widget": name, "state": {"value": "</script>"}}}
    assert "</script" not in text and css == ".w{}"
    assert f'["{name}"]=(()=>{{' in script and "return{render}" in script
    assert "export" not in script and "// said" not in script
    other, *_ = pages.apart(stored(esm + " "))[1]
    assert other != name and name.startswith("thing-")  # a new program has a new address


@pytest.mark.parametrize("esm", ["import x from 'y';\nexport default { x };", "const a = 1;"])
def test_a_program_that_cannot_be_one_file_is_refused(esm):
    with pytest.raises(ExtensionError, match="_esm must import nothing"):
        pages.apart(stored(esm))


def test_a_drawing_keeps_its_places_to_a_hundredth():
    line = '<path d="M 1.23456 -0.005 L 12 3.1"/><use x="1.98765" scale="0.015625"/>'
    assert pages.DRAWN.sub(pages.rounded, line) == (
        '<path d="M 1.23 -0.01 L 12 3.1"/><use x="1.99" scale="0.015625"/>'
    )


def test_what_a_cell_says_to_our_tools_is_not_shown():
    code = "# NBVAL_CHECK_OUTPUT\nx = [1,\n     2]\ny = '# NBVAL_CHECK_OUTPUT'"
    document = nodes.container()
    for name in ("cell_input", "quoted"):
        cell = nodes.container(classes=[name])
        cell += nodes.literal_block(code, code)
        document += cell
    pages.unmark(None, document)
    shown, quoted = document.findall(nodes.literal_block)
    # Sphinx colours a block only while its text is its source.
    assert shown.rawsource == shown.astext() == "x = [1,\n     2]\ny = '# NBVAL_CHECK_OUTPUT'"
    assert quoted.rawsource == quoted.astext() == code


def test_a_figures_fold_stands_below_it():
    def cell(*outputs, mode="input"):
        return nodes.container(
            "",
            nodes.container(ids=["code"]),
            nodes.container("", *outputs, ids=["seen"]),
            hide_mode=mode,
        )

    document = nodes.container(
        "",
        cell(nodes.image(uri="a.svg")),
        cell(nodes.paragraph()),
        cell(nodes.image(uri="a.svg"), mode="all"),
    )
    pages.figure_first(None, document, "page")
    order = [[part["ids"][0] for part in each] for each in document]
    assert order == [["seen", "code"], ["code", "seen"], ["code", "seen"]]


def test_a_power_of_ten_is_set_as_one_where_it_is_one():
    document = nodes.paragraph("", "", nodes.Text("2e-08, 1.0e+00, 1e-5, 0e+00 and 10e3"))
    pages.powers(None, document, "book/page")
    assert document.astext() == "2·10−8, 1.0, 10−5, 0 and 10·103"
    assert [high.astext() for high in document.findall(nodes.superscript)] == ["−8", "−5", "3"]
    words = "-2e-08 (-0.5), eqs 66-70 of 2026-11-26, f-1 and L-2"
    document = nodes.paragraph("", "", nodes.Text(words), nodes.literal("", "-1"))
    pages.powers(None, document, "book/page")
    assert document.astext() == "−2·10−8 (−0.5), eqs 66-70 of 2026-11-26, f-1 and L-2-1"


def test_the_folds_before_an_explorer_stand_below_it():
    def cell(*parts, mode=""):
        return nodes.container("", *parts, classes=["cell"], hide_mode=mode)

    def fold(word):
        return cell(nodes.literal_block("", word), mode="input")

    live = cell(nodes.container("", nodes.raw("", '<script type="x.widget-view+json">')))
    seen = cell(nodes.literal_block("", "seen"))
    document = nodes.section("", fold("far"), seen, fold("setup"), cell(), fold("run"), live)
    pages.figure_first(None, document, "page")
    assert document[2] is live and document[1] is seen
    assert [node.astext() for node in document] == [
        "far",
        "seen",
        document[2].astext(),
        "setup",
        "",
        "run",
    ]


def linked(*parts, names=("line search", "Armijo's condition", "L-BFGS", "BFGS")):
    document = nodes.section("", *parts)
    terms.link(document, "book/page", sorted(names, key=len, reverse=True))
    return [(link["reftarget"], link.astext()) for link in document.findall(addnodes.pending_xref)]


def test_a_terms_first_use_becomes_a_link():
    words = nodes.paragraph(
        "",
        "",
        nodes.Text("L-BFGS, then BFGS; two line"),
        nodes.Text("\n"),
        nodes.Text("searches by Armijo’s condition. Line search."),
    )
    assert linked(nodes.title("", "Line search"), words) == [
        ("L-BFGS", "L-BFGS"),
        ("BFGS", "BFGS"),
        ("line search", "line\nsearches"),
        ("Armijo's condition", "Armijo’s condition"),
    ]
    assert words.astext() == (
        "L-BFGS, then BFGS; two line\nsearches by Armijo’s condition. Line search."
    )


def test_no_term_is_linked_where_a_link_cannot_stand():
    inside = nodes.reference("", "", nodes.Text("BFGS"), refuri="#")
    asked = nodes.admonition("", nodes.paragraph("", "BFGS"), classes=["predict"])
    assert not linked(
        nodes.title("", "BFGS"),
        nodes.paragraph("", "", inside),
        asked,
        nodes.paragraph("", "", nodes.literal("", "BFGS")),
        nodes.literal_block("BFGS", "BFGS"),
        nodes.paragraph("", "quasi-BFGS"),
    )


def test_the_glossary_says_where_a_term_is_explained():
    text = (ROOT / "book/glossary.md").read_text("utf-8")
    entries = re.findall(r"^(?!```|#)\S.*$", text, re.MULTILINE)
    assert list(terms.firsts(text)) == entries and len(entries) > 40


@pytest.fixture
def build(tmp_path):
    def built(*lines):
        (tmp_path / "conf.py").write_text(
            f"import sys; sys.path.insert(0, {str(ROOT / 'book' / '_ext')!r})\n"
            "extensions = ['myst_parser', 'predict']\n"
        )
        (tmp_path / "index.md").write_text("# A page\n\n" + "\n".join(lines))
        out = tmp_path / "out"
        with docutils_namespace(), open(tmp_path / "warnings", "w+") as said:
            Sphinx(
                tmp_path,
                tmp_path,
                out,
                out / "trees",
                "html",
                status=None,
                warning=said,
                freshenv=True,
            ).build()
            said.seek(0)
            return (out / "index.html").read_text("utf-8"), said.read()

    return built


def test_a_prediction_asks_and_hides_its_answer(build):
    page, said = build(
        "```{predict}",
        ":range: 1 1e4",
        ":unit: steps",
        ":answer: 12 *steps*",
        "",
        "How many?",
        "```",
    )
    assert not said
    assert '<p class="admonition-title">Predict</p>' in page and "<p>How many?</p>" in page
    assert '{"low": 1.0, "high": 10000.0, "unit": "steps"}' in page
    assert re.search(r"predict-answer[^>]*>\s*<p>12 <em>steps</em></p>", page)
    page, said = build("```{predict}", "", "Which?", "", "- a", "- b", "```")
    assert not said and '"predict-asked">{}<' in page
    page, said = build("```{predict}", ":curve: layer 1 9, norm of g 1e-8 1", "", "Draw.", "```")
    assert not said and '"name": "norm of g", "ends": [1e-08, 1.0]' in page


@pytest.mark.parametrize(
    "lines",
    [
        ["", "Which?"],
        ["", "- one choice"],
        [":range: 0 1", "", "?"],
        [":range: 5 1", "", "?"],
        [":range: few many", "", "?"],
        [":curve: x 0 1", "", "?"],
        [":curve: x 0, y 0 1", "", "?"],
    ],
)
def test_a_prediction_that_asks_nothing_says_what_it_needs(build, lines):
    assert "predict: " in build("```{predict}", *lines, "```")[1]
