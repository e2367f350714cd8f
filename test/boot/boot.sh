#!/bin/sh
# Boots Debian 13 and 12, systemd as process 1, in namespaces of this machine, and runs the boot tests in them.
# Usage, as root: boot.sh [ARGUMENTS FOR VITEST]   BOOT_SUITES="trixie" for one of them, or "noble jammy" for Ubuntu, whose
# keys must be in /usr/share/keyrings/ubuntu-archive-keyring.gpg
# Nothing outlives it but the cached file trees. It ends within an hour. Exit codes: vitest's, 69 where it cannot run
# here, 124 where the time was too short.
set -eu
cd "$(dirname "$0")/../.."
end=$(($(date +%s) + 3600))

give_up() {
  echo "test:boot: cannot run here: $1" >&2
  exit 69
}

[ "$(uname -s)" = Linux ] || give_up 'this is not Linux'
[ "$(id -u)" -eq 0 ] || give_up 'not root'
missing=
for pair in debootstrap:debootstrap systemd-nspawn:systemd-container unshare:util-linux nsenter:util-linux ip:iproute2 \
  dpkg-deb:dpkg flock:util-linux; do
  command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
[ -z "$missing" ] || give_up "missing programs: apt-get update && apt-get install$missing"
[ -f /usr/share/keyrings/debian-archive-keyring.gpg ] ||
  give_up "Debian's keys are missing: apt-get install debian-archive-keyring"
cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$cgroups" ] || give_up 'no cgroup2 file system is mounted'
mkdir "$cgroups/clickmilter-boot.$$" 2>/dev/null ||
  give_up "$cgroups cannot be written to (in a container: --privileged)"

export BOOT_FOLDER="$PWD/.cache/boot" BOOT_SUITES="${BOOT_SUITES:-trixie bookworm}"
BOOT_PACKAGES=$(mktemp -d)
BOOT_CGROUP=$cgroups/clickmilter-boot.$$
export BOOT_PACKAGES BOOT_CGROUP
clean_up() {
  rm -rf "$BOOT_PACKAGES"
  find "$BOOT_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

mkdir -p "$BOOT_FOLDER" /run/systemd/nspawn
for suite in $BOOT_SUITES; do
  flock "$BOOT_FOLDER/lock" timeout 600 sh test/boot/make-root.sh "$suite" "$BOOT_FOLDER" ||
    give_up "$suite cannot be made; DEBIAN_MIRROR names another mirror; the end of $BOOT_FOLDER/$suite.log:
$(tail -n 5 "$BOOT_FOLDER/$suite.log" 2>/dev/null)"
done
architecture=$(dpkg --print-architecture)
DPKG_DEB_COMPRESSOR_TYPE=none npm run --silent deb -- "$BOOT_PACKAGES" all "$architecture"
mv "$BOOT_PACKAGES"/clickmilter_*_all.deb "$BOOT_PACKAGES/without-node.deb"
mv "$BOOT_PACKAGES"/clickmilter_*_"$architecture".deb "$BOOT_PACKAGES/clickmilter.deb"
npm run --silent tarball -- "$BOOT_PACKAGES" "$architecture"
sh test/packaging/successor.sh "$BOOT_PACKAGES/clickmilter.deb" "$BOOT_PACKAGES/successor.deb"

# Of its own: the network (loopback only, which the machines share with the tests, so that theirs are the ports 25 and
# 8080), the mounts, and the processes, which end with its first one, a shell that collects orphans.
code=0
timeout --foreground $((end - $(date +%s))) unshare --net --mount --pid --fork --kill-child --mount-proc sh -euc '
  ip link set lo up
  mount -t tmpfs tmpfs /run/systemd/nspawn
  code=0
  node_modules/.bin/vitest run --project boot "$@" || code=$?
  exit $code
' sh "$@" || code=$?
[ "$code" -ne 124 ] || echo 'test:boot: stopped after an hour' >&2
exit "$code"
