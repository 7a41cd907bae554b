#!/usr/bin/env bash
# make demo: hwcensus on this machine alone, from an empty inventory to a bridge made and removed by command.
# Types each command as you would. KEEP=1 leaves it running.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH

folder=build/demo
log=$folder/up.log
host=$(hostname)
bridge=hwcdemo0
rm -rf $folder
mkdir -p $folder

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
typed() { # typed COMMAND...: shows it, runs it
    printf '\n$ %s\n' "$*"
    "$@"
}
stop() {
    kill -TERM "$up" 2>/dev/null || return 0
    wait "$up" || true
    echo "stopped; the log is $log"
}

say "Broker, inventory, collector and agent of this machine, under one command:"
printf '\n$ hwcensus up --dir %s\n' "$folder"
: >"$log"
hwcensus up --dir "$folder" >"$log" 2>&1 </dev/null &
up=$!
trap stop EXIT

deadline=$((SECONDS + 90))
until grep -q "^hwcensus up: ready" "$log"; do
    if ! kill -0 "$up" 2>/dev/null || ((SECONDS > deadline)); then
        cat "$log"
        echo "hwcensus up did not become ready, see above"
        exit 1
    fi
    sleep 0.2
done
cat "$log"

say "What is in this machine:"
typed hwcensus hosts
typed hwcensus tree "$host"
typed hwcensus list --host "$host" --cap net

say "A command to the kernel: a bridge appears, and goes again."
cat >"$folder/bridge.xml" <<XML
<device>
  <capability type="net">
    <interface>$bridge</interface>
    <capability type="bridge"/>
  </capability>
</device>
XML
typed cat "$folder/bridge.xml"
if typed hwcensus create "$host" "$folder/bridge.xml" --wait; then
    typed hwcensus list --host "$host" --cap bridge
    typed hwcensus destroy "$host" "net_$bridge" --wait --yes
    typed hwcensus history "$host" "net_$bridge"
else
    echo "(it may not be made here, for the reason above; the census is as live without)"
fi

say "Everything that has happened since:"
typed hwcensus changes --since 1h

say "Next:"
cat <<TEXT
  source .venv/bin/activate
  hwcensus up                          # again, and leave it running; in another terminal:
  hwcensus watch                       # then plug something in, or: ip link add hwctest0 type bridge
  hwcensus list --host $host -o json
  hwcensus xml $host computer
  make help
TEXT

if [ -n "${KEEP:-}" ]; then
    trap - EXIT
    say "hwcensus up goes on running as process $up: kill $up stops it; its log is $log"
    disown "$up"
else
    say "Stopping:"
fi
