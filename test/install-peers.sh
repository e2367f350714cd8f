#!/bin/sh
# Installs, from Debian's packages, the programs that the tests talk to. Quick where nothing is missing;
# removes nothing; leaves no service running or enabled that was not there before.
# Exit codes: 0 everything is there, 69 something is missing and cannot be installed from here.
set -eu
cd "$(dirname "$0")/.."

# The MTAs, their clients, and what speaks the milter protocol beside us.
packages='postfix swaks miltertest libmilter-dev gcc libc6-dev'
# Stores, certificates, a browser; what reads manual pages, units and completion scripts.
packages="$packages redis-server redis-tools openssl chromium man-db mandoc systemd zsh fish faketime prometheus caddy haproxy iproute2 lintian"
# What runs and reads images and compose files.
packages="$packages umoci runc docker-compose python3-yaml"
# What the benchmark compares us with, and what loads it.
packages="$packages opendkim nginx-light wrk python3-milter python3-bs4 python3-lxml"
# What the unpacked Sendmail is linked with.
packages="$packages libdb5.3 libldap-2.5-0 liblockfile1 libnsl2 libsasl2-2 libssl3 libwrap0"

sendmail=.cache/sendmail/usr/libexec/sendmail/sendmail

missing=
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ] && [ -x $sendmail ]; then
  exit 0
fi

give_up() {
  echo "install-peers: $1" >&2
  if [ -n "$missing" ]; then
    echo "install-peers: missing:$missing" >&2
    echo "install-peers: as root, on Debian 12: apt-get update && apt-get install$missing" >&2
  fi
  [ -x $sendmail ] ||
    echo "install-peers: and Sendmail: apt-get download sendmail-bin && dpkg -x sendmail-bin_*.deb .cache/sendmail" >&2
  exit 69
}

command -v apt-get >/dev/null || give_up 'this is not Debian: there is no apt-get'
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || give_up 'not root, and there is no sudo'
  as_root=sudo
fi

echo "install-peers: installing$missing$([ -x $sendmail ] || echo ' sendmail-bin (unpacked only)')"
$as_root apt-get update -q || give_up 'the package lists cannot be fetched'

if [ -n "$missing" ]; then
  # invoke-rc.d asks this file before it starts a service.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
  fi
  # --no-remove: Postfix would drive out another mail server that somebody may need.
  # shellcheck disable=SC2086 # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends --no-remove $missing ||
    give_up 'apt-get could not install everything'
  if command -v systemctl >/dev/null; then
    for package in $missing; do
      case $package in
        postfix | redis-server | opendkim | haproxy) unit=$package ;;
        nginx-light) unit=nginx ;;
        *) continue ;;
      esac
      $as_root systemctl disable -q "$unit" 2>/dev/null || true
    done
  fi
fi

if [ ! -x $sendmail ]; then
  mkdir -p .cache/sendmail
  (
    cd .cache
    rm -f sendmail-bin_*.deb
    apt-get download -q sendmail-bin
    dpkg -x sendmail-bin_*.deb sendmail
    rm -f sendmail-bin_*.deb
    # The private instance runs as who starts it, and a setgid binary would ignore LD_LIBRARY_PATH.
    chmod g-s sendmail/usr/libexec/sendmail/*
  ) || give_up 'Sendmail could not be unpacked'
fi
