"""The concordance: the paper's own numbering, every number once, and every slip at its place.

Where its links lead is for the build, which knows the headings, and for test_book.py.
"""

import csv
import re
import sys

from built import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import concordance  # noqa: E402

with open(ROOT / "book/concordance.csv", encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
# What the paper numbers, and where its equations stand.
NUMBERED = {"eq": 90, "algorithm": 3, "Fig": 7, "Table": 4, "hypothesis": 2, "future work": 3}
EQUATIONS = {
    "Section 2": (1, 14),
    "Section 3": (15, 31),
    "Appendix A": (32, 48),
    "Appendix B": (49, 83),
    "Appendix C": (84, 90),
}
NUMBERS = re.compile(rf"({'|'.join(NUMBERED)})s?\.? (\d[\d–, ]*)")


def named(text):
    """Kind and number of each thing in a text such as "eqs 3–5, 11 and Fig. 2"."""
    return [
        (kind, n)
        for kind, numbers in NUMBERS.findall(text)
        for first, last in re.findall(r"(\d+)(?:–(\d+))?", numbers)
        for n in range(int(first), int(last or first) + 1)
    ]


def test_what_the_paper_numbers_is_there_once_each():
    assert named("eqs 3–5, 11 and Fig. 2") == [*(("eq", n) for n in (3, 4, 5, 11)), ("Fig", 2)]
    found = [thing for row in ROWS for thing in named(row["item"])]
    assert sorted(found) == sorted(
        (kind, n) for kind, last in NUMBERED.items() for n in range(1, last + 1)
    )
    # And one promise that has no number.
    assert [row["item"] for row in ROWS if not named(row["item"])] == ["section 3.4"]


def test_equations_stand_in_their_section_and_in_order():
    for part, (first, last) in EQUATIONS.items():
        found = [
            n
            for row in ROWS
            if row["part"] == part
            for kind, n in named(row["item"])
            if kind == "eq"
        ]
        assert found == list(range(first, last + 1)), part


def test_a_row_says_what_where_and_what_became_of_it():
    for row in ROWS:
        assert all(row.values()) and len(row) == 5, row["item"]
        for link in row["where"].split():
            page, _, heading = link.partition("#")
            assert heading and (ROOT / "book" / page).exists(), link
        # Short enough for a third of a phone.
        assert len(row["what"]) < 70 and len(row["outcome"]) < 120, row["item"]


def test_every_part_is_on_the_page():
    page = (ROOT / "book/concordance.md").read_text("utf-8")
    shown = re.findall(r"^```\{concordance\} (.+)$", page, re.MULTILINE)
    assert shown == list(dict.fromkeys(row["part"] for row in ROWS))


def test_every_slip_in_something_numbered_is_named_beside_it():
    """The table at the top of paper-errors says where each slip stands."""
    errors = (ROOT / "book/paper-errors.ipynb").read_text("utf-8")
    stands = dict(re.findall(r'"\| \{ref\}`(\d+) <err-\1>` \| ([^|]+) \|', errors))
    assert list(stands) == [str(n) for n in range(1, len(stands) + 1)] and len(stands) >= 27
    beside = {slip: set() for slip in stands}
    for row in ROWS:
        for slips in concordance.SLIPS.findall(row["outcome"]):
            for slip in re.findall(r"\d+", slips):
                beside[slip] |= set(named(row["item"]))
    for slip, place in stands.items():
        assert set(named(place)) <= beside[slip], f"slip {slip}: {place}"


def test_a_row_becomes_links():
    links = concordance.links("a.ipynb#b c.md#d")
    assert links == "[](a.ipynb) › [](a.ipynb#b); [](c.md) › [](c.md#d)"
    told = concordance.SLIPS.sub(concordance.linked, "50 rows: slip 5; slips 8, 10 and 11, 3 ways")
    assert told == (
        "50 rows: {ref}`slip 5 <err-5>`; slips {ref}`8 <err-8>`, {ref}`10 <err-10>` "
        "and {ref}`11 <err-11>`, 3 ways"
    )
