#!/usr/bin/env bash
# tools/get_data.sh PYTHON: have the full Fashion-MNIST at hand if that can be. Never fails: the
# library falls back to the sample that ships with it, and says so.
set -uo pipefail
python=$1

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! dpkg -s dataset-fashion-mnist >/dev/null 2>&1
then
  echo "Installing Debian's dataset-fashion-mnist (31 MB)."
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq dataset-fashion-mnist >/dev/null 2>&1 ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq dataset-fashion-mnist; } >/dev/null 2>&1 ||
    echo "Not to be had here; trying the other sources."
fi

# A load warms the cache, so that no notebook and no test waits for a download of its own.
mkdir -p _build
"$python" - <<'END' > _build/.data.new 2>&1
from soo_lib.datasets import load_fashion_mnist
print("Fashion-MNIST from:", load_fashion_mnist(n_train=100, n_dev=100).source)
END
mv _build/.data.new _build/.data
cat _build/.data
exit 0
