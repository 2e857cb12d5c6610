#!/usr/bin/env bash
# tools/get_chromium.sh: have the browser that tests/browser drives, or say how to get it.
set -euo pipefail

command -v chromium >/dev/null || command -v chromium-browser >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium, which the browser tests drive."
  # A fresh machine has no package lists yet, so the first try may need an update.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null 2>&1 ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } \
      >/dev/null
else
  echo "The browser tests need Chromium. One command puts it right, then run make again:" >&2
  echo "    sudo apt-get install -y chromium" >&2
  exit 1
fi
