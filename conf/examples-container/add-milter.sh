#!/bin/sh
# Lists clickmilter before the other milters of Postfix, so that links change before DKIM signs.
# Running it again changes nothing. For boky/postfix it is a file of /docker-init.db, for
# docker-mailserver its user-patches.sh.
milters=$(postconf -h smtpd_milters)
case $milters in
  *inet:clickmilter-milter:8893*) ;;
  *) postconf -e "smtpd_milters = {inet:clickmilter-milter:8893, default_action=accept}${milters:+, $milters}" ;;
esac
