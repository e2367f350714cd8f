#!/bin/sh
# Fetches one of the builds of Node.js that packaging/node-builds lists, and checks its integrity.
# Usage: packaging/fetch-node.sh ARCHITECTURE FOLDER [MAJOR]
#   ARCHITECTURE is amd64 or arm64, as Debian calls it. FOLDER gets node and LICENSE.
#   Without MAJOR it is the build that packages bring.
# Exit codes: 65 no such build, or not the bytes that are listed; 69 npm has none.
set -eu
umask 022
arch=$(echo "$1" | sed s/amd64/x64/)
mkdir -p "$2"
folder=$(cd "$2" && pwd)
builds=$(dirname "$0")/node-builds

line=$(grep "^$arch ${3:+$3\\.}" "$builds" | tail -n 1)
[ -n "$line" ] || { echo "fetch-node: $builds: no build for $1${3:+ of Node $3}" >&2; exit 65; }
# shellcheck disable=SC2086 # three words
set -- $line
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Far more than npm needs, so that a registry that hangs does not stop everything.
(cd "$work" && timeout 300 npm pack --silent --prefer-offline "node-linux-$arch@$2") >/dev/null ||
  { echo "fetch-node: npm pack node-linux-$arch@$2 failed" >&2; exit 69; }
tarball=$work/node-linux-$arch-$2.tgz
integrity=sha512-$(node -p 'crypto.createHash("sha512").update(fs.readFileSync(process.argv[1])).digest("base64")' "$tarball")
[ "$integrity" = "$3" ] ||
  { echo "fetch-node: node-linux-$arch@$2: integrity $integrity: expected $3" >&2; exit 65; }
tar -xzf "$tarball" -C "$folder" --no-same-owner --strip-components=1 package/LICENSE
tar -xzf "$tarball" -C "$folder" --no-same-owner --strip-components=2 package/bin/node
