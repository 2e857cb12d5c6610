#!/usr/bin/env bash
# tools/get_chromium.sh: have the browser that tests/browser drives, or say how to get it.
set -euo pipefail

# What draws no window computes least; where a system has no such package, the whole browser.
for name in chromium-headless-shell chromium chromium-browser; do
  command -v "$name" >/dev/null && exit 0
done
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null 2>&1; }
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium, which the browser tests drive."
  # A fresh machine has no package lists yet, so the first try may need an update.
  install chromium-headless-shell || { apt-get update -qq && install chromium-headless-shell; } ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
else
  echo "The browser tests need Chromium. One command puts it right, then run make again:" >&2
  echo "    sudo apt-get install -y chromium" >&2
  exit 1
fi
