"""Write constraints.txt: the newest versions that install together, on every Python we support.

    python tools/pin.py python3.11 python3.13

Each interpreter gets a fresh environment, so that nothing installed before decides a version.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The exact versions that passed, on each Python named. Made by tools/pin.py; do not edit.
# PyTorch is not here: tools/frameworks.txt has it, for the tests of the adapters.
"""
# We do not pin what installs the rest, nor what an environment brings with it.
OURS = {"pip", "setuptools", "wheel", "soo-lib"}


def unpinned_requirements():
    """Return the names and ranges asked for, without the line that includes constraints.txt."""
    import tomllib

    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return wanted + project["dependencies"] + extras["test"] + extras["teach"]


def resolve(python, wanted):
    """Install into a fresh environment; return its Python version and {name: version}."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inside = f"{folder}/bin/python"
        subprocess.run([inside, "-m", "pip", "install", "--quiet", *wanted], check=True)
        freeze = subprocess.run(
            [inside, "-m", "pip", "freeze"], check=True, capture_output=True, text=True
        ).stdout
        version = subprocess.run(
            [inside, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    found = (re.fullmatch(r"([\w.-]+)==(\S+)", line) for line in freeze.splitlines())
    return version, {m[1]: m[2] for m in found if m and m[1].lower() not in OURS}


def main(pythons):
    wanted = unpinned_requirements()
    found = dict(resolve(python, wanted) for python in pythons)
    lines = []
    for name in sorted({n for pins in found.values() for n in pins}, key=str.lower):
        versions = {python: pins.get(name) for python, pins in found.items()}
        if len(set(versions.values())) == 1:
            lines.append(f"{name}=={next(iter(versions.values()))}")
        else:
            lines += [
                f'{name}=={version}; python_version == "{python}"'
                for python, version in versions.items()
                if version
            ]
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
