#!/bin/sh
# Builds clickmilter_VERSION_all.deb from dist/ and the production dependencies in node_modules/.
# Usage: packaging/deb.sh [FOLDER]   the package goes there; the default is the checkout
set -eu
umask 022
cd "$(dirname "$0")/.."
out=$(cd "${1:-.}" && pwd)
[ -f dist/cli.js ] || { echo 'deb: dist/ is not there, run: npm run build' >&2; exit 69; }

version=$(node -p 'require("./package.json").version')
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
lib=$stage/usr/lib/clickmilter
share=$stage/usr/share

mkdir -p "$lib" "$stage/usr/bin" "$stage/etc/clickmilter" "$stage/usr/lib/systemd/system"
cp -R dist package.json "$lib"
# One folder a package, without what only its developers need.
npm ls --omit=dev --all --parseable | sed 1d | while read -r package; do
  target=$lib/${package#"$PWD/"}
  mkdir -p "$target"
  tar -C "$package" --exclude=./node_modules --exclude='*.map' --exclude='*.md' --exclude='*.ts' \
    --exclude=./test --exclude=./tests --exclude=./.github --exclude=./benchmarks -cf - . | tar -C "$target" -xf -
done
ln -s ../lib/clickmilter/dist/cli.js "$stage/usr/bin/clickmilter"
find "$lib/dist" -name "*.d.ts" -delete
cp conf/clickmilter.conf "$stage/etc/clickmilter"
cp systemd/*.service systemd/*.socket systemd/*.target "$stage/usr/lib/systemd/system"

mkdir -p "$share/man/man5" "$share/man/man8" "$share/doc/clickmilter/examples" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
mv "$lib/dist/man/clickmilter.8" "$share/man/man8"
mv "$lib/dist/man/clickmilter.conf.5" "$share/man/man5"
rmdir "$lib/dist/man"
gzip -9n "$share/man/man8/clickmilter.8" "$share/man/man5/clickmilter.conf.5"
node dist/cli.js completion bash >"$share/bash-completion/completions/clickmilter"
node dist/cli.js completion zsh >"$share/zsh/vendor-completions/_clickmilter"
node dist/cli.js completion fish >"$share/fish/vendor_completions.d/clickmilter.fish"
cp -R README.md docs "$share/doc/clickmilter"
cp LICENSE "$share/doc/clickmilter/copyright"
cp -R conf/. "$share/doc/clickmilter/examples"

chmod -R u+rwX,go=rX "$stage"
chmod 755 "$lib/dist/cli.js"
mkdir "$stage/DEBIAN"
cp packaging/debian/conffiles packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$stage/DEBIAN"
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"
sed "s/@VERSION@/$version/; s/@SIZE@/$(du -sk --exclude=DEBIAN "$stage" | cut -f1)/" \
  packaging/debian/control >"$stage/DEBIAN/control"
(cd "$stage" && find usr etc -type f -exec md5sum {} + >DEBIAN/md5sums)

# The same commit gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
dpkg-deb --root-owner-group --build "$stage" "$out" >&2
