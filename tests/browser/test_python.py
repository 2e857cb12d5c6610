"""Python in the page: exercises, typed and checked where they stand by a real browser.

Nothing here runs where the book was built without its Python, and the reason is said.
"""

import json
import re
import subprocess
import sys

import pytest
from built import HTML, ROOT
from conftest import in_each_theme, violations

RUNTIME = HTML / "_static" / "pyodide"
pytestmark = pytest.mark.skipif(
    not (RUNTIME / "lock.json").exists(),
    reason="the book was built without its Python: tools/get_pyodide.py found no source of it",
)

SOURCES = sorted((ROOT / "book" / "exercises").glob("*.ipynb"))
NAMES = [path.stem for path in SOURCES]
ARMIJO = "book/exercises/armijo.html"
HEAD = "def armijo(fun, x, p, f, slope, c1):\n"
RIGHT = (
    HEAD
    + "    a = 1.0\n    while fun(x + a * p) > f + c1 * a * slope:\n        a /= 2\n    return a"
)
DONE = """() => document.querySelector('.soo-main').textContent === 'Check'
    && document.querySelector('.soo-verdict').textContent"""


def cells(name):
    notebook = json.loads((ROOT / "book" / "exercises" / f"{name}.ipynb").read_text("utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}


def solution(name):
    """The published solution under the name that the exercise asks for."""
    text = re.sub(r"\n+check_\w+\(solution\)\s*$", "", cells(name)["solution"])
    return text.replace("def solution(", f"def {name.replace('-', '_')}(")


def wrong(name):
    """An answer that a student may write, and a part of the hint that it gets."""
    text = (ROOT / "tests" / "data" / "natural_answers.txt").read_text("utf-8")
    for part in text.split("\n#: ")[1:]:
        head, code = part.split("\n", 1)
        exercise, says = head.split(" / ")
        known = "np." not in code or "import numpy" in cells(name)["setup"]
        if exercise == name.replace("-", "_") and known and not says.startswith(("right", "No")):
            return code.replace("NAME", exercise), says


def opened(visit, path=ARMIJO, **settings):
    page = visit(path, ready=".soo-tools", formulas=False, **settings)
    page.set_default_timeout(60_000)
    return page


def forget(page):
    """Have the browser fetch the runtime again."""
    page.evaluate("caches.delete('soo-python')")


def type_in(page, text):
    """Type over what the answer's editor holds."""
    page.locator("#cell-answer").get_by_text("Write here").click()
    retype(page, text)


def retype(page, text):
    page.locator("#cell-answer .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def checked(page):
    """Press Check, wait, and return the hint."""
    page.locator(".soo-verdict").evaluate("place => { place.textContent = ''; }")
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_function(DONE)
    return page.locator(".soo-verdict").inner_text()


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A folder for what the tests download."""
    return tmp_path_factory.mktemp("class")


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_is_done_in_its_page(visit, handed_in, name):
    """The stub, a wrong answer and its hint, the solution; kept, and given out as a notebook."""
    page = opened(visit, f"book/exercises/{name}.html")
    assert checked(page) == "Not yet: it returns nothing."
    code, says = wrong(name)
    retype(page, code)
    assert re.search(says, checked(page))
    fold = page.locator("#cell-solution details")
    assert fold.get_attribute("open") is None
    retype(page, solution(name))
    assert checked(page) == "Right. You may move on."
    assert fold.get_attribute("open") is not None
    assert "Your answer is right" in fold.locator(".soo-which").inner_text()
    page.reload()
    page.wait_for_selector(".soo-tools")
    assert page.locator("#cell-answer pre").inner_text().strip() == solution(name).strip()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download", exact=True).click()
    path = handed_in / "anna" / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.name == f"{name}.ipynb"
    given = {c["id"]: c for c in json.loads(path.read_text("utf-8"))["cells"]}
    assert "solution" not in given and "".join(given["answer"]["source"]) == solution(name)


def test_make_grade_takes_what_was_downloaded(handed_in, tmp_path):
    """After the tests above: each answer that the page called right earns all of its points."""
    count = len(list(handed_in.glob("anna/*.ipynb")))
    if not count:
        pytest.skip("nothing was downloaded: run the whole file")
    command = [sys.executable, ROOT / "tools" / "teach.py", "grade", handed_in, tmp_path / "marks"]
    ran = subprocess.run([*command, "--trusted"], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = (tmp_path / "marks" / "run.jsonl").read_text("utf-8").splitlines()
    right = [row for row in map(json.loads, rows) if row.get("status") == "right"]
    assert len(right) == count


def test_nothing_of_python_is_fetched_before_the_first_click(visit, pages):
    opened(visit)
    asked = [url.partition("?")[0].rpartition("/")[2] for url in pages.asked]
    assert "start.js" in asked
    assert not {"codemirror.js", "worker.js", "lock.json", "kernel.py"} & set(asked)
    assert not [url for url in pages.asked if "/pyodide/" in url]


def test_the_megabytes_said_are_those_that_come(visit, pages):
    page = opened(visit)
    forget(page)
    said = float(re.search(r"([\d.]+) MB", page.locator(".soo-said").first.inner_text())[1])
    checked(page)
    lock = json.loads((RUNTIME / "lock.json").read_text("utf-8"))
    paths = {url.partition("?")[0].rpartition("/")[2] for url in pages.asked if "/pyodide/" in url}
    sizes = {file["path"]: file["size"] for file in lock["files"].values()}
    assert abs(sum(sizes[path] for path in paths - {"lock.json"}) / 1e6 - said) < 0.1


@pytest.mark.parametrize(
    "code, says, line",
    [
        (HEAD + "    return (1", "SyntaxError", 2),
        ("start = 1\nunknown\n" + HEAD + "    return 1", "NameError: name 'unknown'", 2),
        (HEAD + "    step = 1\n    return step / 0", "ZeroDivisionError", 3),
        (HEAD + "    return [0] * 10**9", "MemoryError", 2),
        (HEAD + "    return armijo(fun, x, p, f, slope, c1)", "RecursionError", 2),
        (HEAD + "    import pandas\n    return 1", "No module named 'pandas'", 2),
        (HEAD + "    return input()", "cannot ask", 2),
    ],
)
def test_an_error_is_told_and_its_line_is_marked(visit, code, says, line):
    page = opened(visit)
    type_in(page, code)
    hint = checked(page)
    assert says in hint + page.locator("#cell-check").inner_text()
    marked = page.locator("#cell-answer .soo-wrong-line")
    assert marked.inner_text().strip() == code.split("\n")[line - 1].strip()
    retype(page, RIGHT)
    assert marked.count() == 0 and checked(page).startswith("Right")


def test_a_loop_that_never_ends_is_ended_and_the_next_check_runs(visit):
    page = opened(visit)
    type_in(page, HEAD + "    while True:\n        print('again')")
    assert checked(page).startswith("No answer within 10 s")
    retype(page, RIGHT)
    assert checked(page).startswith("Right")


def test_what_is_fetched_meanwhile_is_not_the_answers_time(visit):
    page = opened(visit, "book/exercises/softmax-hessian.html")
    forget(page)
    page.clock.install()
    slow = []

    def late(route):
        slow.append(route.request.url)
        page.clock.fast_forward(60_000)
        route.continue_()

    page.route("**/pyodide/scipy*", late)
    type_in(page, "print('once')\n" + solution("softmax-hessian"))
    assert checked(page).startswith("Right")
    assert slow and page.locator("#cell-check .soo-stdout").inner_text().strip() == "once"


def test_stop_ends_a_check_and_says_what_it_costs(visit):
    page = opened(visit)
    type_in(page, HEAD + "    print('begun')\n    while True:\n        print('on')")
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_selector("#cell-check .soo-stdout")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("the next run starts Python anew").wait_for()
    retype(page, RIGHT)  # the page never was blocked
    assert checked(page).startswith("Right")


def test_a_lost_connection_is_said_and_the_next_try_goes_on(visit, pages):
    page = opened(visit)
    forget(page)
    page.route("**/pyodide/numpy*", lambda route: route.abort())
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("The connection was lost").wait_for()
    pages.complaints.clear()  # the browser's own words for what was cut off
    page.unroute_all()
    before = len(pages.asked)
    assert checked(page) == "Not yet: it returns nothing."
    again = [url for url in pages.asked[before:] if "/pyodide/" in url and "lock.json" not in url]
    assert any("numpy" in url for url in again) and not any("asm.wasm" in url for url in again)


def test_without_a_connection_each_click_ends_in_a_sentence(visit, pages):
    page = opened(visit)
    forget(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("The connection was lost").wait_for()
    page.context.set_offline(False)
    assert checked(page) == "Not yet: it returns nothing."
    page.goto(page.url.replace("exercises/armijo", "rosenbrock"))
    page.context.set_offline(True)
    edit = page.locator("#cell-the-loss .soo-edit")
    edit.click()
    edit.get_by_text("The connection was lost: load the page again").wait_for()
    page.context.set_offline(False)
    pages.complaints.clear()  # the browser's own words


def test_without_codemirror_a_plain_field_serves(visit, pages):
    page = opened(visit)
    page.route("**/codemirror.js", lambda route: route.abort())
    page.get_by_text("Write here").click()
    page.locator("#cell-answer textarea").fill(RIGHT)
    assert checked(page).startswith("Right")
    pages.complaints.clear()


def test_a_browser_without_workers_gets_a_sentence(visit):
    page = opened(visit)
    page.evaluate("delete window.Worker")
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("This browser cannot run Python in a page").wait_for()


def test_reset_and_undo_now_and_at_the_next_visit(visit):
    page = opened(visit)
    type_in(page, RIGHT)
    editor = page.locator("#cell-answer .cm-content")
    page.get_by_role("button", name="Reset", exact=True).click()
    assert "your lines here" in editor.inner_text()
    page.get_by_role("button", name="Undo", exact=True).click()
    assert "a /= 2" in editor.inner_text()
    page.get_by_role("button", name="Reset", exact=True).click()
    page.reload()
    page.wait_for_selector(".soo-tools")
    assert "your lines here" in page.locator("#cell-answer pre").inner_text()
    page.get_by_role("button", name="Undo", exact=True).click()
    page.wait_for_selector("#cell-answer .cm-content")
    page.locator("#cell-answer .cm-content").get_by_text("a /= 2").wait_for()


def test_another_tab_follows(visit):
    page = opened(visit)
    with page.context.expect_page() as waiting:
        page.evaluate("open(location.href)")
    other = waiting.value
    other.wait_for_selector(".soo-tools")
    page.evaluate("document.hasFocus = () => false")
    type_in(other, RIGHT)
    page.get_by_text("changed in another tab").wait_for()
    assert "a /= 2" in page.locator("#cell-answer pre").inner_text()
    other.close()


def test_a_solution_on_request_is_said_to_be_one(visit):
    page = opened(visit)
    page.locator("#cell-solution summary").click()
    page.get_by_text("Shown at your wish").wait_for()
    page.goto(page.url.replace("armijo", "index"))
    assert page.locator(".soo-kept").count() == 0  # to look is not to begin


def test_the_list_shows_what_is_done_and_a_set_is_apart(visit):
    page = opened(visit, f"{ARMIJO}?set=week3")
    assert "seed=" in page.locator("#cell-check pre").first.inner_text()
    assert "week3" in page.locator(".soo-said").first.inner_text()
    type_in(page, RIGHT)
    assert checked(page).startswith("Right")
    page.goto(page.url.replace("armijo.html", "index.html"))
    page.wait_for_selector(".soo-done")
    assert page.locator(".soo-kept").all_inner_texts() == ["done"]
    link = page.locator("article td a[href*='two-loop']")
    assert link.get_attribute("href").endswith("?set=week3")
    page.goto(page.url.partition("?")[0])
    assert page.locator(".soo-kept").count() == 0


def test_a_notebook_is_read_back(visit, tmp_path):
    page = opened(visit)
    type_in(page, RIGHT)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download", exact=True).click()
    waiting.value.save_as(tmp_path / "armijo.ipynb")
    retype(page, "nothing")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(tmp_path / "armijo.ipynb")
    page.get_by_text("The answer of armijo.ipynb is here").wait_for()
    assert "a /= 2" in page.locator("#cell-answer .cm-content").inner_text()
    (tmp_path / "no.ipynb").write_text("{")
    chooser.set_input_files(tmp_path / "no.ipynb")
    page.get_by_text("no.ipynb is no notebook").wait_for()


def test_an_open_exercise_draws_a_figure_and_keeps_its_sentence(visit):
    page = opened(visit, "book/exercises/price-to-reach.html")
    plot = page.locator("#cell-plot")
    plot.get_by_text("Write here").click()
    plot.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("plt.plot([1, 2], [3, 4])\nprint(loss.n_params)")
    page.keyboard.press("Control+Enter")
    plot.locator("img").wait_for()
    assert plot.locator(".soo-stdout").inner_text().strip().isdigit()
    page.get_by_label("Your sentence").fill("L-BFGS, for its gradients.")
    page.reload()
    page.wait_for_selector(".soo-tools")
    assert page.get_by_label("Your sentence").input_value() == "L-BFGS, for its gradients."


def test_by_keyboard_alone(visit):
    page = opened(visit)
    page.get_by_text("Write here").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell-answer .cm-focused")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(HEAD)
    page.keyboard.press("Tab")  # indents
    page.keyboard.insert_text("return 1")
    page.keyboard.press("Control+Enter")
    page.wait_for_function(DONE)
    assert "It always returns 1" in page.locator(".soo-verdict").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_passes_axe_and_holds_its_width(visit, width):
    page = opened(visit, width=width)
    type_in(page, HEAD + "    print('x' * 300)\n    return (1")
    checked(page)
    for _ in in_each_theme(page):
        assert violations(page, "article") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
