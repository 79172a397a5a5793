#!/bin/sh
# Keeps to packhouse's command line: prints its listening line, then waits and ends with 0 on
# SIGTERM; `admin` echoes its arguments.
if [ "$1" = admin ]; then
    [ "$2" = fail ] && { echo refused >&2; exit 2; }
    echo "$@"
    exit 0
fi
trap 'echo drained >&2; exit 0' TERM
echo "starting with $*" >&2
echo "secret ${PACKHOUSE_SECRET-none}" >&2
address=${3%:0}
[ "$address" = "$3" ] || address="$address:41"
case "$*" in *--broken*) echo "no such option" >&2; exit 3;; esac
echo phk_admin > "$5/admin-token"
echo "listening on http://$address"
case "$*" in *--docker-listen*) echo "listening on http://127.0.0.1:42/";; esac
while :; do sleep 0.05; done
