#!/bin/sh
# Builds the Debian packages of this checkout: clickmilter_VERSION_all.deb, which needs Debian's or NodeSource's Node.js,
# and clickmilter_VERSION_amd64.deb and …_arm64.deb, which bring their own.
# Usage: packaging/deb.sh [FOLDER [ARCHITECTURE…]]   the packages go there; the default is the checkout, and all three
# DPKG_DEB_COMPRESSOR_TYPE of dpkg-deb(1) is gzip by default: xz takes some minutes for Node.js.
# Exit code 69: a program is missing, or npm has no package.
set -eu
umask 022
cd "$(dirname "$0")/.."
out=$(cd "${1:-.}" && pwd)
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- all amd64 arm64
command -v dpkg-deb >/dev/null || { echo 'deb: dpkg-deb is missing' >&2; exit 69; }
# The same commit gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
export DPKG_DEB_COMPRESSOR_TYPE="${DPKG_DEB_COMPRESSOR_TYPE:-gzip}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
lib=$stage/usr/lib/clickmilter
share=$stage/usr/share
packaging/tree.sh "$lib"
version=$(node -p 'require("./package.json").version')

# Where Debian has these files.
mkdir -p "$stage/usr/bin" "$stage/etc/clickmilter" "$stage/etc/logrotate.d" "$stage/usr/lib/systemd/system" \
  "$share/man/man5" "$share/man/man8" "$share/doc/clickmilter" \
  "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
ln -s ../lib/clickmilter/bin/clickmilter "$stage/usr/bin/clickmilter"
cp "$lib/conf/clickmilter.conf" "$stage/etc/clickmilter"
cp packaging/debian/logrotate "$stage/etc/logrotate.d/clickmilter"
mv "$lib"/systemd/*.service "$lib"/systemd/*.socket "$lib"/systemd/*.target "$stage/usr/lib/systemd/system"
mv "$lib"/man/*.8 "$share/man/man8"
mv "$lib"/man/*.5 "$share/man/man5"
gzip -9n "$share"/man/man*/*
mv "$lib/completions/clickmilter.bash" "$share/bash-completion/completions/clickmilter"
mv "$lib/completions/clickmilter.zsh" "$share/zsh/vendor-completions/_clickmilter"
mv "$lib/completions/clickmilter.fish" "$share/fish/vendor_completions.d/clickmilter.fish"
rmdir "$lib/man" "$lib/completions"
mv "$lib/README.md" "$lib/CHANGELOG.md" "$lib/docs" "$lib/conf" "$share/doc/clickmilter"
mv "$lib/LICENSE" "$share/doc/clickmilter/copyright"
echo '
The dependencies in /usr/lib/clickmilter/node_modules, and Node.js in /usr/lib/clickmilter/runtime, have licences of
their own beside them.' >>"$share/doc/clickmilter/copyright"

maintainer=$(node -p 'require("./package.json").author')
printf 'clickmilter (%s) stable; urgency=medium\n\n  * CHANGELOG.md lists what changed.\n\n -- %s  %s\n' \
  "$version" "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$share/doc/clickmilter/changelog.gz"

mkdir "$stage/DEBIAN"
cp packaging/debian/conffiles packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$stage/DEBIAN"
chmod 755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"

for architecture in "$@"; do
  rm -rf "$lib/runtime" "$share/lintian"
  if [ "$architecture" = all ]; then
    needs='nodejs (>= 20.19)'
    runtime="It runs on the system's Node.js; the packages for amd64 and arm64 do not."
  else
    packaging/fetch-node.sh "$architecture" "$lib/runtime"
    install -D -m 644 packaging/debian/lintian-overrides "$share/lintian/overrides/clickmilter"
    # The libraries of Debian 10 or later.
    needs='libc6 (>= 2.28), libgcc-s1 | libgcc1, libstdc++6 (>= 5.2)'
    runtime='It brings a Node.js of its own, which no other program uses.'
  fi
  (cd "$stage" && find usr etc -type f -exec md5sum {} + | LC_ALL=C sort -k 2 >DEBIAN/md5sums)
  sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@NEEDS@/$needs/; s/@RUNTIME@/$runtime/
    s/@MAINTAINER@/$maintainer/; s/@SIZE@/$(du -sk --apparent-size --exclude=DEBIAN "$stage" | cut -f1)/" \
    packaging/debian/control >"$stage/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$stage" "$out" >&2
done
