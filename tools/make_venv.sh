#!/usr/bin/env bash
# tools/make_venv.sh PYTHON VENV STAMP: make or refresh the environment, then touch STAMP.
set -euo pipefail
python=$1 venv=$2 stamp=$3

say() { printf '%s\n' "$*" >&2; }

if ! version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); then
  say "There is no '$python' here. Install Python 3.11 or newer, or name yours: make PYTHON=..."
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "'$python' is Python $version; the book needs 3.11 or newer: make PYTHON=..."
  exit 1
fi

# Debian keeps the half of venv that installs pip in a package of its own.
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  install="apt-get install -y python$version-venv"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing python$version-venv, which Debian keeps apart from Python."
    # A fresh machine has no package lists yet, so the first try may need an update.
    DEBIAN_FRONTEND=noninteractive $install >/dev/null 2>&1 ||
      { apt-get update >&2 && DEBIAN_FRONTEND=noninteractive $install >&2; }
  else
    say "Python $version lacks its venv module. One command puts it right, then run make again:"
    say "    sudo $install"
    exit 1
  fi
fi

# An environment of the same Python is kept and brought up to date; any other is made anew.
if ! "$venv/bin/python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" \
    2>/dev/null; then
  say "Making $venv with Python $version."
  "$python" -m venv --clear "$venv"
fi
rm -f "$venv"/.ready-*
say "Installing what requirements.txt names into $venv (a few minutes the first time)."
# --no-compile: Python compiles what is imported, when it is; most of what is installed never is.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
  -r requirements.txt -e '.[test,teach]'
touch "$stamp"
