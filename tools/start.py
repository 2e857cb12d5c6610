"""Start the exercises:  python start.py        (python start.py --check: only look, and stop)

It installs what is missing into the folder .venv, checks that all works, and opens JupyterLab.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECK = """
import jupyterlab, matplotlib, scipy, sklearn
from soo_lib.book.exercises import check_newton_step
from soo_lib.datasets import make_two_class
from soo_lib.losses import Logistic, Rosenbrock
from soo_lib.solvers import minimize
assert minimize(Rosenbrock(), [-1.0, 1.0]).success
data = make_two_class()
assert not check_newton_step(lambda x, g, H: x).ok
print("Everything is in place.")
"""


def works(python):
    """Do the exercises run with this Python? If not, show what is wrong."""
    return not subprocess.run([python, "-c", CHECK], cwd=HERE).returncode


def main():
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"This is Python {sys.version.split()[0]}; the exercises need 3.11 or newer.")
    python = sys.executable
    if "--check" in sys.argv:
        sys.exit(0 if works(python) else "Something is missing: python start.py installs it.")
    place = HERE / ".venv"
    if not place.exists():
        print("Installing what the exercises need into .venv: a few minutes, once.")
        subprocess.run([python, "-m", "venv", place], check=True)
    python = str(place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    subprocess.run([python, "-m", "pip", "install", "-qr", HERE / "requirements.txt"], check=True)
    if not works(python):
        sys.exit("That did not help. Remove the folder .venv, and try again.")
    subprocess.run([python, "-m", "jupyterlab", "--notebook-dir", HERE], cwd=HERE)


if __name__ == "__main__":
    main()
