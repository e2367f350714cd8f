#!/bin/sh
# Builds clickmilter_VERSION_all.deb from this checkout, with the production dependencies. A fresh checkout gets its
# dependencies first, with npm ci.
# Usage: packaging/deb.sh [FOLDER]   the package goes there; the default is the checkout
# Exit code 69: a program is missing.
set -eu
umask 022
cd "$(dirname "$0")/.."
out=$(cd "${1:-.}" && pwd)
for program in node npm dpkg-deb; do
  command -v $program >/dev/null || { echo "deb: $program is missing" >&2; exit 69; }
done
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
  { echo "deb: Node $(node --version) is too old: 20.19 or later" >&2; exit 69; }
[ -d node_modules/typescript ] || npm ci --include=dev --ignore-scripts >&2
# The same commit gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
rm -rf dist
npm run --silent build

version=$(node -p 'require("./package.json").version')
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
lib=$stage/usr/lib/clickmilter
share=$stage/usr/share

mkdir -p "$lib/systemd" "$stage/usr/bin" "$stage/etc/clickmilter" "$stage/etc/logrotate.d" "$stage/usr/lib/systemd/system"
cp -R dist package.json "$lib"
# One folder per package, without files that only its developers need. npm fails where node_modules/ is not as the lock file has it.
npm ls --omit=dev --all --parseable >"$stage/packages" || { echo 'deb: node_modules/ is not complete, run: npm ci' >&2; exit 69; }
sed 1d "$stage/packages" | while read -r package; do
  target=$lib/${package#"$PWD/"}
  mkdir -p "$target"
  tar -C "$package" --exclude=./node_modules --exclude='*.map' --exclude='*.md' --exclude='*.ts' \
    --exclude=./test --exclude=./tests --exclude=./.github --exclude=./benchmarks -cf - . | tar -C "$target" -xf -
done
rm "$stage/packages"
ln -s ../lib/clickmilter/dist/cli.js "$stage/usr/bin/clickmilter"
find "$lib/dist" -name "*.d.ts" -delete
cp conf/clickmilter.conf "$stage/etc/clickmilter"
cp systemd/*.service systemd/*.socket systemd/*.target "$stage/usr/lib/systemd/system"
cp systemd/ended.sh "$lib/systemd"
cp packaging/debian/logrotate "$stage/etc/logrotate.d/clickmilter"

mkdir -p "$share/man/man5" "$share/man/man8" "$share/doc/clickmilter/examples" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
mv "$lib/dist/man/clickmilter.8" "$share/man/man8"
mv "$lib/dist/man/clickmilter.conf.5" "$share/man/man5"
gzip -9n "$share/man/man8/clickmilter.8" "$share/man/man5/clickmilter.conf.5"
mv "$lib/dist/completions/clickmilter.bash" "$share/bash-completion/completions/clickmilter"
mv "$lib/dist/completions/clickmilter.zsh" "$share/zsh/vendor-completions/_clickmilter"
mv "$lib/dist/completions/clickmilter.fish" "$share/fish/vendor_completions.d/clickmilter.fish"
rmdir "$lib/dist/man" "$lib/dist/completions"
cp -R README.md docs "$share/doc/clickmilter"
cp LICENSE "$share/doc/clickmilter/copyright"
cp -R conf/. "$share/doc/clickmilter/examples"

chmod -R u+rwX,go=rX "$stage"
chmod 755 "$lib/dist/cli.js" "$lib/systemd/ended.sh"
mkdir "$stage/DEBIAN"
cp packaging/debian/conffiles packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$stage/DEBIAN"
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"
sed "s/@VERSION@/$version/; s/@SIZE@/$(du -sk --exclude=DEBIAN "$stage" | cut -f1)/" \
  packaging/debian/control >"$stage/DEBIAN/control"
(cd "$stage" && find usr etc -type f -exec md5sum {} + >DEBIAN/md5sums)

dpkg-deb --root-owner-group --build "$stage" "$out" >&2
