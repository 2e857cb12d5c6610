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
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "book" / "_static" / "vendor"
TESTS = ROOT / "tests" / "browser" / "vendor"

# name@version, integrity, {path in the package: path under vendor/}; a folder is copied whole.
PACKAGES = [
    (
        "requirejs@2.3.8",
        "sha512-7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",  # noqa: E501
        {"require.js": "require.js"},
    ),
    (
        "@jupyter-widgets/html-manager@1.0.15",
        "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",  # noqa: E501
        {
            "dist/embed-amd.js": "embed-amd.js",
            # The icon fonts in their one format that today's browsers read.
            "dist/1551f4f60c37af51121f.woff2": "1551f4f60c37af51121f.woff2",
            "dist/7a3337626410ca2f4071.woff2": "7a3337626410ca2f4071.woff2",
            "dist/d878b0a6a1144760244f.woff2": "d878b0a6a1144760244f.woff2",
            "dist/embed.js.LICENSE.txt": "LICENSES/html-manager-bundled.txt",
        },
    ),
    (
        "anywidget@0.11.0",
        "sha512-LHZgW2j5UjyerZSZcO+BtZPXGMSORQV2bUT480hOR5x/BXS8sOradi/71amJfMueSEnKX0dqPwTfsOGHTsyZpQ==",  # noqa: E501
        {"dist/index.js": "anywidget.js", "LICENSE": "LICENSES/anywidget.txt"},
    ),
    (
        "mathjax@3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",  # noqa: E501
        {
            "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
            "es5/output/chtml/fonts": "mathjax/output/chtml/fonts",
            # Loaded by name, on a page that uses such a command.
            "es5/input/tex/extensions/boldsymbol.js": "mathjax/input/tex/extensions/boldsymbol.js",
            "es5/input/tex/extensions/cancel.js": "mathjax/input/tex/extensions/cancel.js",
            "es5/input/tex/extensions/color.js": "mathjax/input/tex/extensions/color.js",
            "LICENSE": "LICENSES/mathjax.txt",
        },
    ),
]

# The same, for the tests: no page of the book has it.
TEST_PACKAGES = [
    (
        "axe-core@4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",  # noqa: E501
        {"axe.min.js": "axe.min.js", "LICENSE": "axe-core.txt",
         "LICENSE-3RD-PARTY.txt": "axe-core-bundled.txt"},
    ),
]  # fmt: skip


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
    for vendor in VENDOR, TESTS:
        print(f"{sum(f.is_file() for f in vendor.rglob('*'))} files in {vendor}")


if __name__ == "__main__":
    main()
