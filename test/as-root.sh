#!/bin/sh
# Runs a command as root, at once or through sudo: Postfix and Sendmail start no other way.
set -eu
if [ "$(id -u)" -eq 0 ]; then
  exec "$@"
fi
if ! command -v sudo >/dev/null; then
  echo 'as-root: Postfix and Sendmail start only as root, and there is no sudo: run this as root, say in a container' >&2
  exit 69
fi
exec sudo env "PATH=$PATH" "$@"
