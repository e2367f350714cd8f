#!/bin/sh
# The units run this as root when their service has ended (ExecStopPost=), with $SERVICE_RESULT and $EXIT_STATUS of
# systemd.exec(5).
# Usage: ended.sh SERVICE
set -eu
service=$1
# No -P of systemctl, which systemd 239 (RHEL 8) does not know.
[ "$SERVICE_RESULT" = exit-code ] || exit 0

if [ "$EXIT_STATUS" = 78 ]; then
  # A connection in an open socket would start the service again at once, in vain, and fail only after half a minute.
  sockets=$(systemctl show --property=TriggeredBy --value "$service")
  # shellcheck disable=SC2086 # a list of words; none, or masked ones, are not stopped
  [ -z "$sockets" ] || systemctl stop $sockets || true
  effect='connections are refused'
  [ "$service" = clickmilter-web.service ] || effect="$effect, and the MTA does what its default_action says"
  echo "<3>the configuration has errors, and the sockets are closed: $effect. Mend it, then: clickmilter check && systemctl restart $service" >&2
else
  # Whatever is missing may take a while to come back: each attempt waits a second longer than the last, up to ten.
  delay=$(systemctl show --property=NRestarts --value "$service")
  sleep $((delay < 10 ? delay : 10))
fi
