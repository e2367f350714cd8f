#!/bin/sh
# Makes the same package as a later version.
# Usage: successor.sh DEB NEW_DEB
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dpkg-deb -R "$1" "$work/package"
sed -i 's/^Version: .*/Version: 99/' "$work/package/DEBIAN/control"
dpkg-deb -Znone --root-owner-group --build "$work/package" "$2" >&2
