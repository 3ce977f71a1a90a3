#!/bin/bash
# test-install.sh PACKAGE NEWER-PACKAGE: installs, runs, upgrades and purges the package in a copy of this machine's files.
# The copy is an overlay in a mount namespace of its own: with the last process in it, it is gone. `cargo xtask deb --test`
# runs this, as root.
set -euo pipefail
if [ "${INSIDE-}" = "" ]; then
    INSIDE=mounts exec unshare --mount --propagation private -- bash "$0" "$(realpath "$1")" "$(realpath "$2")"
fi
if [ "$INSIDE" = mounts ]; then
    copy=$(mktemp --directory)
    trap 'umount --recursive --lazy "$copy"; rmdir "$copy"' EXIT
    mount -t tmpfs reset-observer-test "$copy"
    mkdir "$copy"/{upper,work,root}
    mount -t overlay -o "lowerdir=/,upperdir=$copy/upper,workdir=$copy/work" overlay "$copy/root"
    for place in proc sys dev; do mount --rbind "/$place" "$copy/root/$place"; done
    mount -t tmpfs tmpfs "$copy/root/run"
    cp "$1" "$2" "$0" "$copy/root/"
    INSIDE=copy chroot "$copy/root" bash "/${0##*/}" "/${1##*/}" "/${2##*/}"
    exit
fi

old=$1 new=$2 user=61234 port=39924
say() { echo "deb: $*"; }
fail() { echo "deb: FAILED: $*" >&2; exit 1; }
unit=/lib/systemd/system/reset-observer.service
in_unit() { sed -n "s/^$1=//p" "$unit"; }

# As systemd would: the unit's command, arguments, capabilities and user, and a socket that listens to it.
start() {
    mkdir -p /run/notify "$state" && chown $user:$user "$state"
    socat -u UNIX-RECV:/run/notify/socket,mode=666 OPEN:/run/notify/heard,creat,append & listener=$!
    until [ -S /run/notify/socket ]; do sleep 0.02; done
    . /etc/default/reset-observer
    caps=$(in_unit AmbientCapabilities | tr 'A-Z ' 'a-z\n' | sed 's/^cap_/+/' | paste -sd,)
    command=$(in_unit ExecStart | sed "s#\$ARGS#$ARGS --web.listen-address=127.0.0.1:$port#")
    # shellcheck disable=SC2086
    NOTIFY_SOCKET=/run/notify/socket WATCHDOG_USEC=1000000 setpriv --reuid $user --regid $user --clear-groups \
        --inh-caps="-all,$caps" --ambient-caps="-all,$caps" --bounding-set="-all,$caps" --no-new-privs $command &
    daemon=$!
    heard READY=1
    heard WATCHDOG=1
    exec 3<>/dev/tcp/127.0.0.1/$port
    printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3
    grep -q '200 OK' <&3 || fail "it says READY and is not"
    exec 3>&-
}
heard() {
    for _ in $(seq 500); do
        if grep -qsa "$1" /run/notify/heard; then say "heard $1"; return; fi
        kill -0 $daemon || fail "it ended before $1"
        sleep 0.02
    done
    fail "never heard $1"
}
stop() {
    kill -TERM $daemon
    wait $daemon || fail "it ended with $?"
    grep -qa STOPPING=1 /run/notify/heard || fail "it did not say that it stops"
    kill $listener 2>/dev/null || true
    rm -rf /run/notify
    [ -s "$state/state.json" ] || fail "no state was kept"
}

state=/var/lib/reset-observer
before=$(mktemp) after=$(mktemp)
list() { find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path '/var/lib/dpkg' \
    -o -path /var/log -o -path /var/cache -o -path '/reset-observer_*' \) -prune -o -name '*reset*observer*' -print | sort; }
list > "$before"
dpkg --install "$old"
say "installed $(dpkg-query --show reset-observer)"
/usr/bin/reset-observer --version
man -l /usr/share/man/man1/reset-observer-daemon.1.gz 2>/dev/null | grep -q 'web.listen-address' || fail "no manual page"
bash -c '. /usr/share/bash-completion/completions/reset-observer && complete -p reset-observer' > /dev/null || fail "no completion"
[ -L /etc/systemd/system/multi-user.target.wants/reset-observer.service ] || fail "the unit is not enabled"
start
stop
say "ran as user $user with $(in_unit AmbientCapabilities)"

echo 'ARGS="--port=3000"' > /etc/default/reset-observer
dpkg --install "$new"
grep -q port=3000 /etc/default/reset-observer || fail "the upgrade lost the settings"
start
stop
say "upgraded to $(dpkg-query --show reset-observer); settings and state were kept"

dpkg --remove reset-observer
[ -e "$unit" ] && fail "the unit is left after removal"
[ -e /etc/default/reset-observer ] || fail "removal took the settings"
dpkg --purge reset-observer
list > "$after"
diff "$before" "$after" || fail "that is left after purge"
say "purged: nothing is left"
