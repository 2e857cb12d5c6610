#!/usr/bin/env bash
# tools/check_binder.sh: lay out what Binder would from the last commit, then start JupyterLab and
# open and run every notebook. Slow (some twenty minutes), and needs pip's network but no Docker.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
say() { printf '\n== %s\n' "$*"; }

git archive HEAD | tar -x -C "$work" --one-top-level=repo
cd "$work/repo"
version=$(sed 's/python-//' runtime.txt)

say "repo2docker reads the root files"
"python$version" -m venv "$work/r2d"
"$work/r2d/bin/pip" install --quiet jupyter-repo2docker setuptools
"$work/r2d/bin/jupyter-repo2docker" --no-build --debug . > "$work/dockerfile" 2>&1 ||
  { cat "$work/dockerfile"; exit 1; }
# What it chose to do, from the Dockerfile that it would build.
for line in "requirements.txt" "postBuild" "$version"; do
  grep -m1 -- "$line" "$work/dockerfile" || { echo "repo2docker does not use $line"; exit 1; }
done

say "a clean Python $version: requirements.txt, the project, postBuild"
"python$version" -m venv "$work/env"
export PATH="$work/env/bin:$PATH" HOME="$work/home"
mkdir "$HOME"
pip install --quiet -r requirements.txt
pip install --quiet .
./postBuild

say "JupyterLab starts and opens every notebook"
port=$(python -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
jupyter lab --no-browser --allow-root --port "$port" --IdentityProvider.token= > "$work/lab" 2>&1 &
server=$!
python - "$port" <<'END'
import json, sys, time, urllib.request
from pathlib import Path

address = f"http://localhost:{sys.argv[1]}"
for _ in range(120):
    try:
        urllib.request.urlopen(f"{address}/lab/tree/book/welcome.ipynb")
        break
    except OSError:
        time.sleep(1)
else:
    sys.exit("JupyterLab did not start")
notebooks = sorted(Path("book").rglob("*.ipynb"))
for path in notebooks:
    with urllib.request.urlopen(f"{address}/api/contents/{path.as_posix()}") as answer:
        assert json.load(answer)["type"] == "notebook", path
print(len(notebooks), "notebooks opened")
END

say "and runs them, without a download"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
failed=0
for notebook in book/*.ipynb book/exercises/*.ipynb; do
  start=$SECONDS
  if jupyter execute --timeout=600 "$notebook" > "$work/run" 2>&1; then
    echo "$notebook: $((SECONDS - start)) s"
  else
    echo "$notebook: FAILED"; tail -n 20 "$work/run"; failed=1
  fi
done
exit $failed
