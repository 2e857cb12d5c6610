#!/usr/bin/env bash
# tools/get_frameworks.sh VENV: have PyTorch and JAX in VENV/frameworks, an environment that finds all
# else in VENV. Where no source has them it says so and fails: what needs them is then not tested.
set -euo pipefail
venv=$1 folder=$1/frameworks list=$(dirname "$0")/frameworks.txt

cmp -s "$list" "$folder/installed.txt" && exit 0
echo "Installing PyTorch and JAX, which the adapters are tested with."
"$venv/bin/python" -m venv --clear "$folder"
site='import sysconfig; print(sysconfig.get_path("purelib"))'
"$venv/bin/python" -c "$site" > "$("$folder/bin/python" -c "$site")/beside.pth"
# -qq: a source that does not answer is not worth a warning for each package.
"$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --retries 0 \
  -c "$(dirname "$0")/../constraints.txt" -r "$list"
cp "$list" "$folder/installed.txt"
