#!/bin/sh
# Lays out clickmilter as it runs. The Debian packages, the tarball and the container image are made of this tree:
#   bin/clickmilter                  starts it, wherever the tree is
#   dist/ node_modules/ package.json the program and its production dependencies
#   runtime/                         Node.js and its licence, if an architecture is named
#   conf/ systemd/ man/ completions/ docs/ README.md CHANGELOG.md LICENSE
# The same commit gives the same tree. A fresh checkout gets its dependencies first, with npm ci.
# Usage: packaging/tree.sh FOLDER [amd64|arm64]   FOLDER must not exist
# Exit code 69: a program is missing, or npm has no package.
set -eu
umask 022
mkdir -p "$(dirname "$1")"
mkdir "$1"
tree=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
for program in node npm; do
  command -v $program >/dev/null || { echo "tree: $program is missing" >&2; exit 69; }
done
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
  { echo "tree: Node $(node --version) is too old: 20.19 or later" >&2; exit 69; }
[ -d node_modules/typescript ] || npm ci --include=dev --ignore-scripts >&2
rm -rf dist
npm run --silent build

# Installed by themselves, whatever node_modules/ of the checkout is or holds.
cp package.json package-lock.json .npmrc "$tree"
(cd "$tree" && npm ci --omit=dev --ignore-scripts --prefer-offline --silent) ||
  { echo 'tree: npm ci failed' >&2; exit 69; }
rm -r "$tree/package-lock.json" "$tree/.npmrc" "$tree/node_modules/.package-lock.json" "$tree/node_modules/.bin"
# Of the dependencies, code and licences: nothing that only their developers need.
find "$tree/node_modules" -depth -name '.?*' -exec rm -r {} +
find "$tree/node_modules" -type d \( -name test -o -name tests -o -name 'benchmark*' -o -name 'example*' -o -name bin -o -name scripts \) \
  -prune -exec rm -r {} +
find "$tree/node_modules" -type f ! -name '*.js' ! -name '*.cjs' ! -name '*.mjs' ! -name '*.json' ! -name '*.css' \
  ! -iname 'licen[cs]e*' -delete
find "$tree/node_modules" -type f \( -name 'tsconfig*.json' -o -name bin.js -o -name bin.mjs \) -delete
find "$tree/node_modules" -type d -empty -delete

cp -R dist conf systemd docs README.md CHANGELOG.md LICENSE "$tree"
# The engagement page is off until the administrator turns it on.
sed -i '/^Web_Listener {/,/^}/s/^  #enable = on$/  enable = off/' "$tree/conf/clickmilter.conf"
grep -q '^  enable = off$' "$tree/conf/clickmilter.conf"
mv "$tree/dist/man" "$tree/dist/completions" "$tree"
find "$tree/dist" -name '*.d.ts' -delete
# bin/clickmilter starts it, whose Node.js is the right one.
sed -i '1{/^#!/d}' "$tree/dist/cli.js"
find "$tree" -type f -exec chmod 644 {} +
install -D -m 755 packaging/clickmilter "$tree/bin/clickmilter"
chmod 755 "$tree/systemd/ended.sh"
[ $# -lt 2 ] || packaging/fetch-node.sh "$2" "$tree/runtime"
