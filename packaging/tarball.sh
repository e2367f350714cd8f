#!/bin/sh
# Builds clickmilter-VERSION-linux-amd64.tar.gz and …-arm64.tar.gz: the program with its own Node.js, for systems
# without dpkg. docs/install.md says what to do with one.
# Usage: packaging/tarball.sh [FOLDER [ARCHITECTURE…]]   the tarballs go there; the default is the checkout, and both
# Exit code 69: a program is missing, or npm has no package.
set -eu
umask 022
cd "$(dirname "$0")/.."
out=$(cd "${1:-.}" && pwd)
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- amd64 arm64
# The same commit gives the same tarball.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/tree.sh "$work/clickmilter"
for architecture in "$@"; do
  rm -rf "$work/clickmilter/runtime"
  packaging/fetch-node.sh "$architecture" "$work/clickmilter/runtime"
  file=$out/clickmilter-$(node -p 'require("./package.json").version')-linux-$architecture.tar.gz
  tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - clickmilter |
    gzip -n >"$file"
  echo "tarball: $file" >&2
done
