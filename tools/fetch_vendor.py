"""Fetch other people's scripts and fonts at pinned versions: the book's, and one of the tests'.

    python tools/fetch_vendor.py

The book carries its own copies, in book/_static/vendor, so that a page works with no network, and
from a file; the browser tests carry theirs, in tests/browser/vendor, so that they repeat. Each
package comes through npm, as npm is configured, and is refused unless its SHA-512 is the one
written here. To move to a newer version, change the version and the integrity line together:
`npm view NAME@VERSION dist.integrity`.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "book" / "_static" / "vendor"
TESTS = ROOT / "tests" / "browser" / "vendor"

# name@version, integrity, {path in the package: path under vendor/}; a folder is copied whole.
PACKAGES = [
    (
        "mathjax@3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",  # noqa: E501
        {
            "es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
            # Loaded by name, on a page that uses such a command.
            "es5/input/tex/extensions/boldsymbol.js": "mathjax/input/tex/extensions/boldsymbol.js",
            "es5/input/tex/extensions/cancel.js": "mathjax/input/tex/extensions/cancel.js",
            "es5/input/tex/extensions/color.js": "mathjax/input/tex/extensions/color.js",
            "LICENSE": "LICENSES/mathjax.txt",
        },
    ),
    (
        "@fortawesome/fontawesome-free@6.5.2",
        "sha512-hRILoInAx8GNT5IMkrtIt9blOdrqHOnPBH+k70aWUAqPZPgopb9G5EQJFpaBx/S8zp2fC+mPW349Bziuk1o28Q==",  # noqa: E501
        {},
    ),
    (
        "@fontsource-variable/source-serif-4@5.3.1",
        "sha512-4Rtay22SC4lMvw11r/+9kxANB6P3M0X8s1NudBC2v0J1KU2y3DcMoNcT3lBoZ/CqLirzf+StlO6UlJilyrvaUg==",  # noqa: E501
        {"LICENSE": "LICENSES/source-serif-4.txt"},
    ),
]

# The editor, joined into one file by a bundler that runs on any machine with Node. No page loads
# it before a reader wants to type.
EDITOR = VENDOR / "codemirror.js"
EDITOR_PACKAGES = {
    "@codemirror/state@6.7.6": "sha512-kAz+AncRtKuIknedxT1bq4XwXv4UowhbkHU1myPrtVb/jZtImWuV5BXzv5vK6i3kYACsdiZiQKFQQ5Mq7elW8w==",  # noqa: E501
    "@codemirror/view@6.44.2": "sha512-7yxTh7+iCbxIV9QCJAVlkYjWV/TCHD0zmLIaIR3NOb47YpCWwVUuFUnHwkRC3z+8cXNgeJzrCy4QtlR3fVt5kg==",  # noqa: E501
    "@codemirror/commands@6.11.2": "sha512-NbH6Q9lmcXvf9s5/mMJIwL2Hjl2NEdsN/dDlezGnaFOQgNZ59dT7ndKUf21/PIjJacD/Ti2Ifi4TsBkO6WHvsg==",  # noqa: E501
    "@codemirror/language@6.13.1": "sha512-zfvU2r3TyylQLMj/te+5CnQ0rSqZi8B1oTCBbQkagcLW4Xc6imab6qN+pEJhsuNOLaJqiRyBXp9UhWA1DhVvDw==",  # noqa: E501
    "@codemirror/streamparser@6.0.0": "sha512-JTFPF6xrfjt0mnfGPgzcLiMwYmvIyNaoizp8BYzv8FE8KrT6GBGDZ190rtt+O7Wke3gG/MFHyiY9YGNeimof4w==",  # noqa: E501
    "@codemirror/autocomplete@6.20.4": "sha512-yF8RhOf2SXlg00+qtupzLhrglcas61boqaONiNcbPIebHCpJocpqTBA6dyrtUrQO47hqyTdeob/3XnYilT7TaQ==",  # noqa: E501
    "@codemirror/lang-python@6.2.1": "sha512-IRjC8RUBhn9mGR9ywecNhB51yePWCGgvHfY1lWN/Mrp3cKuHr0isDKia+9HnvhiWNnMpbGhWrkhuWOc09exRyw==",  # noqa: E501
    "@lezer/common@1.5.7": "sha512-3+3PN+M/3xSjrlQz8/wBPOl+JYGJ+G37ZszHfnhphFwj41qPUPxsz4WEic3ZyVpL23rX1qefaGqz0lA7jGUqwg==",  # noqa: E501
    "@lezer/highlight@1.2.5": "sha512-O1GMVKgtf5YspFaRzpmqkVgMtIk2HG9uMAbH6wdAIdNh3TVzCsch/+cRi+6l2//UGDKe6NB9BW3cvuR5ezMQ0w==",  # noqa: E501
    "@lezer/lr@1.4.13": "sha512-Ez6qF9rXdnR/7hTcA6kHq1uTcPV+17hyUFjiHBVYNi0a81TgbkC0SwiNvxcuUMkvX7phuhTHo+QAXh9L2kjGdg==",  # noqa: E501
    "@lezer/python@1.1.19": "sha512-MhQIURHRytsNzP/YXnqpYKW6la6voAH3kyplTOOiCdjyFY6cWWGFVmYVdHIPrElqSDf4iCDktQCockB9FxuhzQ==",  # noqa: E501
    "style-mod@4.1.5": "sha512-WQ2llCZa9sZSkJA+aOwpg5DkfbAXFKGh//t3MRTBeruFiSBC+GXUmbBzrw3bXyboCWAbtCW9InDfBsXrRD/rAg==",  # noqa: E501
    "w3c-keyname@2.2.8": "sha512-dpojBhNsCNN7T82Tm7k26A6G9ML3NkhDsnw9n/eoxSRlVBB4CEtIQ/KTCLI2Fwf3ataSXRhYFkQi3SlnFwPvPQ==",  # noqa: E501
    "crelt@1.0.7": "sha512-aK6BbWfhf4U/wCcLHKPJl/xa6VkVstRaPywWtMKGwuOLc/wZTyQYuoxgvZnNsBvv7Kg3YTBQYYBCggcviQczuA==",  # noqa: E501
    "@marijn/find-cluster-break@1.0.4": "sha512-Wy0V7+SGUjnF9/TkiM1hKVDPj7jKXduPNboMVtHTA8dySMURWqfg/JZ9E2Sq8JgSJmkl7k7Qe9FLeMSrSraWmQ==",  # noqa: E501
    "esbuild-wasm@0.28.2": "sha512-GccVwhv3mmOUVQHCQm2Ox/rby8n/EqUwvZxE6Pjfikrq/lWw9g9WX/u9EykWnpot3Ko6j426DgQdea2xWKIAQA==",  # noqa: E501
}

# MathJax as the book needs it, in one file: it reads TeX and writes HTML, with MathML beside it for
# screen readers. Without the menu and MathML input it is three fifths of MathJax's own
# tex-mml-chtml.js.
MATHJAX = VENDOR / "mathjax" / "tex-chtml.js"
PARTS = [
    "startup",
    "core",
    "input/tex",
    "output/chtml",
    "output/chtml/fonts/tex",
    "a11y/assistive-mml",
]
# What `input/tex` holds and an extension may ask for by name.
INSIDE = [
    "loader",
    "input/tex-base",
    "[tex]/ams",
    "[tex]/newcommand",
    "[tex]/noundefined",
    "[tex]/require",
    "[tex]/autoload",
    "[tex]/configmacros",
]

# Of two thousand icons, those that the theme shows in its buttons and its style sheet.
ICONS = {
    "icons.woff": (
        "fa-solid-900.ttf",
        {
            "angle-down": 0xF107,
            "angle-left": 0xF104,
            "angle-right": 0xF105,
            "arrow-up": 0xF062,
            "bars": 0xF0C9,
            "bell": 0xF0F3,
            "check-circle": 0xF058,
            "chevron-down": 0xF078,
            "chevron-right": 0xF054,
            "circle-half-stroke": 0xF042,
            "download": 0xF019,
            "exclamation-circle": 0xF06A,
            "exclamation-triangle": 0xF071,
            "expand": 0xF065,
            "external-link": 0xF35D,
            "file": 0xF15B,
            "file-pdf": 0xF1C1,
            "info-circle": 0xF05A,
            "lightbulb": 0xF0EB,
            "list": 0xF03A,
            "magnifying-glass": 0xF002,
            "moon": 0xF186,
            "pencil": 0xF303,
            "rocket": 0xF135,
            "share": 0xF064,
            "sun": 0xF185,
            "times-circle": 0xF057,
            "xmark": 0xF00D,
        },
    ),
    "icons-brands.woff": ("fa-brands-400.ttf", {"github": 0xF09B}),
}

# The text's face has Latin letters in the weights that the pages use, upright and slanted.
LETTERS = [*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2027), 0x2032, 0x20AC, 0x2212]
FACES = {"text.woff2": ("normal", (400, 700)), "text-italic.woff2": ("italic", 400)}
FEATURES = ["kern", "liga", "lnum", "onum", "tnum", "pnum", "sups", "frac", "ccmp", "mark"]

# What the tests need, and no page of the book has.
TEST_PACKAGES = [
    (
        "axe-core@4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",  # noqa: E501
        {
            "axe.min.js": "axe.min.js",
            "LICENSE": "axe-core.txt",
            "LICENSE-3RD-PARTY.txt": "axe-core-bundled.txt",
        },
    ),
]


def fetch(name, integrity, folder):
    """Download one package, check it, unpack it; return the folder that holds its files."""
    packed = subprocess.run(
        ["npm", "pack", name, "--silent"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    archive = folder / packed
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        raise SystemExit(f"{name}: expected {integrity}, got {found}; nothing was copied from it")
    unpacked = folder / packed.removesuffix(".tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package"


def join_mathjax(parts):
    """Join the parts in one file, and tell its loader that nothing in it need be fetched."""
    first, *rest = ((parts / f"{name}.js").read_text("utf-8") for name in PARTS)
    present = f"MathJax.loader.preLoad(...{json.dumps(PARTS + INSIDE)});"
    MATHJAX.write_text("\n".join([first, present, *rest]) + "\n", "utf-8")


def join_editor(scratch):
    """CodeMirror's packages as the one module that tools/codemirror.js describes."""
    folder, licences = scratch / "editor", set()
    for name, integrity in EDITOR_PACKAGES.items():
        package = fetch(name, integrity, scratch)
        if not name.startswith("esbuild"):
            licences.add((package / "LICENSE").read_text("utf-8").strip())
        shutil.copytree(package, folder / "node_modules" / name.rpartition("@")[0])
    shutil.copy(ROOT / "tools" / "codemirror.js", folder)
    bundler = folder / "node_modules" / "esbuild-wasm" / "bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=esm", "--legal-comments=none"]
    command = ["node", bundler, "codemirror.js", *options, f"--outfile={EDITOR}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    text = "\n\n----\n\n".join(sorted(licences)) + "\n"
    (VENDOR / "LICENSES" / "codemirror.txt").write_text(text, "utf-8")


def pick(font, letters, target, **options):
    """Write some letters of a font, without the font's names, which are reserved."""
    options = subset.Options(name_IDs=[], **options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=letters)
    subsetter.subset(font)
    subset.save_font(font, VENDOR / target, options)


def pick_icons(fonts):
    for target, (source, icons) in ICONS.items():
        pick(TTFont(fonts / source), icons.values(), target, flavor="woff", layout_features=[])


def pick_letters(fonts):
    """Write the text's face, 50 KB in all. WOFF2 wants `pip install brotli`."""
    for target, (style, weight) in FACES.items():
        font = TTFont(fonts / f"source-serif-4-latin-wght-{style}.woff2")
        font = instancer.instantiateVariableFont(font, {"wght": weight})
        pick(font, LETTERS, target, flavor="woff2", layout_features=FEATURES, hinting=False)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        # Everything is fetched and checked before anything already here is touched.
        packages = [
            (fetch(name, sri, Path(scratch)), files, vendor)
            for group, vendor in ((PACKAGES, VENDOR), (TEST_PACKAGES, TESTS))
            for name, sri, files in group
        ]
        for package, files, vendor in packages:
            for source, target in files.items():
                source, target = package / source, vendor / target
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, dirs_exist_ok=True)
                else:
                    shutil.copyfile(source, target)
        (mathjax, *_), (awesome, *_), (serif, *_) = packages[:3]
        join_mathjax(mathjax / "es5")
        pick_icons(awesome / "webfonts")
        pick_letters(serif / "files")
        join_editor(Path(scratch))
    for vendor in VENDOR, TESTS:
        print(f"{sum(f.is_file() for f in vendor.rglob('*'))} files in {vendor}")


if __name__ == "__main__":
    main()
