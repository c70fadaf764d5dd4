# Installs Debian packages; run as root. $1 names services that must not be started, separated by blanks (or is empty), the
# rest are packages.
set -eu
service=$1
shift
# Debian's package scripts ask this program whether they may start a service; 101 means no.
policy=/usr/sbin/policy-rc.d
if [ -n "$service" ] && [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
elif [ -n "$service" ] && [ -d /run/systemd/system ]; then
    # Somebody else's policy is left alone; a masked service is not started either.
    systemctl mask --runtime --quiet $service
    trap 'systemctl unmask --runtime --quiet $service' EXIT
    trap 'exit 130' HUP INT TERM
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends "$@"
if [ -n "$service" ] && [ -d /run/systemd/system ]; then
    systemctl disable --quiet $service
fi
