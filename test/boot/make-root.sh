#!/bin/sh
# Makes the file tree of a Debian with systemd, Postfix, Redis and Node, which machines of the boot tests start from.
# Usage: make-root.sh SUITE FOLDER   SUITE is a name of Debian's: trixie, bookworm
# A tree that this script made is left as it is; one of an older version of it is made again.
set -eu
umask 022
suite=$1
root=$2/$suite
recipe=$(sha256sum "$0" | cut -d ' ' -f 1)
[ "$(cat "$root.recipe" 2>/dev/null)" != "$recipe" ] || exit 0

echo "make-root: $suite: about a minute and 500 MB" >&2
rm -rf "$root" "$root.recipe"
debootstrap --variant=minbase --include=systemd-sysv,dbus,adduser,ca-certificates,curl,logrotate,procps,man-db \
  --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
  "$suite" "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$root.log"

# Services start at the boot, not while this machine is around them.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
echo mx1 >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 mx1.example.com mx1\n::1 localhost\n' >"$root/etc/hosts"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# Where Debian's Node is older than the package asks for, npm's build of the oldest that will do stands in for NodeSource's.
node=nodejs
if [ "$suite" = bookworm ]; then
  node=/nodejs.deb
  version=20.19.0
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "node-linux-$(node -p process.arch)@$version" && tar -xzf ./*.tgz) >&2
  mkdir -p "$work/deb/DEBIAN" "$work/deb/usr"
  mv "$work/package/bin" "$work/deb/usr"
  cat >"$work/deb/DEBIAN/control" <<END
Package: nodejs
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: the boot tests <root@localhost>
Description: Node.js, as far as the boot tests need it
END
  dpkg-deb -Znone --root-owner-group --build "$work/deb" "$root$node" >&2
fi

chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -euc '
  printf "%s\n" "postfix postfix/main_mailer_type select Local only" "postfix postfix/mailname string mx1.example.com" |
    debconf-set-selections
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends postfix redis-server redis-tools "$1"
  apt-get clean
  rm -f /nodejs.deb
  postconf -e inet_protocols=ipv4
  # Output that is read by a program, not shown on a terminal.
  echo "Dpkg::Use-Pty \"0\";" >/etc/apt/apt.conf.d/no-terminal
  # What would run beside the tests in its own time.
  systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer logrotate.timer man-db.timer
' sh "$node" >>"$root.log" 2>&1
rm "$root/usr/sbin/policy-rc.d"
: >"$root/etc/fstab"
echo "$recipe" >"$root.recipe"
