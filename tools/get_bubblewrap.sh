#!/usr/bin/env bash
# tools/get_bubblewrap.sh: have the box that `make grade` runs answers in, or say how to get it.
set -euo pipefail

command -v bwrap >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing bubblewrap, which keeps the answers in a box."
  # A fresh machine has no package lists yet, so the first try may need an update.
  install="apt-get install -y -qq bubblewrap libseccomp2"
  DEBIAN_FRONTEND=noninteractive $install >/dev/null 2>&1 ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install; } >/dev/null
fi # otherwise the command itself says what is missing
