#!/bin/sh
# Runs the fast tests and the main job (mail in, tracked link, click) on the other major versions of Node.js that
# clickmilter supports, with builds from npm.
# Usage, as root: test/nodes.sh [MAJOR…]   the default: those of packaging/node-builds but the one that runs npm
set -eu
cd "$(dirname "$0")/.."
architecture=$(node -p process.arch)
if [ $# -eq 0 ]; then
  here=$(node -p 'process.versions.node.split(".")[0]')
  # shellcheck disable=SC2046 # a list of words
  set -- $(sed -n "s/^$architecture \([0-9]*\)\..*/\1/p" packaging/node-builds | grep -vx "$here")
fi
nodes=$(mktemp -d)
trap 'rm -rf "$nodes"' EXIT
for major in "$@"; do
  packaging/fetch-node.sh "$architecture" "$nodes/$major" "$major"
  (
    PATH=$nodes/$major:$PATH
    echo "nodes: $(node --version)"
    timeout 600 node node_modules/vitest/vitest.mjs run --project unit
    timeout 300 node node_modules/vitest/vitest.mjs run --project system test/system/delivery.system.ts
  )
done
