#!/bin/sh
# Makes the file trees that machines of the boot tests start from: SUITE, a bare system with systemd, and SUITE-mail, the
# same with Postfix and Redis. Neither has Node.js. Packages that tests install later are in apt's cache, since the
# machines have no network.
# Usage: make-root.sh SUITE FOLDER   SUITE is a name of Debian's or Ubuntu's: trixie, bookworm, noble, jammy
# Trees that this script made are left as they are; those of an older version of it are made again.
set -eu
umask 022
suite=$1
root=$2/$suite
mail=$root-mail
recipe=$(sha256sum "$0" | cut -d ' ' -f 1)
[ "$(cat "$root.recipe" 2>/dev/null)" != "$recipe" ] || exit 0

echo "make-root: $suite: about a minute and 1 GB" >&2
rm -rf "$root" "$mail" "$root.recipe"
case $suite in
  noble | jammy) set -- ubuntu main,universe "${UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}" gutsy ;;
  *) set -- debian main "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" sid ;;
esac
debootstrap --variant=minbase --include=systemd-sysv,dbus,adduser,ca-certificates,logrotate,procps,man-db \
  --keyring="/usr/share/keyrings/$1-archive-keyring.gpg" --components="$2" \
  "$suite" "$root" "$3" "/usr/share/debootstrap/scripts/$4" >"$root.log"

echo mx1 >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 mx1.example.com mx1\n::1 localhost\n' >"$root/etc/hosts"
cp /etc/resolv.conf "$root/etc/resolv.conf"
: >"$root/etc/fstab"
# A program reads the output and gives no answers.
echo 'Dpkg::Use-Pty "0"; APT::Get::Assume-Yes "1";' >"$root/etc/apt/apt.conf.d/no-terminal"

inside() {
  chroot "$1" env DEBIAN_FRONTEND=noninteractive sh -euc "$2" >>"$root.log" 2>&1
}
inside "$root" '
  apt-get update -qq
  apt-get install -qq --download-only curl nodejs postfix
  # What would run beside the tests in its own time.
  systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer logrotate.timer man-db.timer
'
cp -a "$root" "$mail"
# Services start at the boot, not while this machine is around them.
printf '#!/bin/sh\nexit 101\n' >"$mail/usr/sbin/policy-rc.d"
chmod 755 "$mail/usr/sbin/policy-rc.d"
inside "$mail" '
  printf "%s\n" "postfix postfix/main_mailer_type select Local only" "postfix postfix/mailname string mx1.example.com" |
    debconf-set-selections
  apt-get install -qq --no-install-recommends postfix redis-server redis-tools
  apt-get clean
  postconf -e inet_protocols=ipv4
'
rm "$mail/usr/sbin/policy-rc.d"
echo "$recipe" >"$root.recipe"
