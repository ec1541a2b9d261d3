#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program on a live stream without a window: program.sh SEGMAN FOLDER LAYER_FOLDER
set -u
segman=$(realpath "$1") # the folder changes below
folder=$(realpath -m "$2")
layer=$(realpath "$3") # tests/faults
export SEGMAN_OPTIONS= XDG_CACHE_HOME=$folder/cache XDG_CONFIG_HOME=$folder/none
failed=0
sender=

command -v gst-launch-1.0 >/dev/null || { echo "skipped: gst-launch-1.0 is not installed"; exit 77; }
gst-inspect-1.0 --exists x264enc || { echo "skipped: x264enc is not installed"; exit 77; }
mkdir -p "$folder" && cd "$folder" || exit 1
rm -f out.mkv live.csv late.mkv lost.mkv
"$segman" devices >devices 2>&1 || { echo "skipped: no Vulkan device"; exit 77; }

port=$((20000 + $$ % 20000))
start_sender() {
    gst-launch-1.0 -q videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=30/1 \
        ! x264enc tune=zerolatency key-int-max=10 ! mpegtsmux ! udpsink host=127.0.0.1 port=$port &
    sender=$!
}
stop_sender() { [ -n "$sender" ] && kill "$sender" 2>/dev/null && wait "$sender" 2>/dev/null; sender=; }
trap stop_sender EXIT

expect() { # CODE COMMAND...: its exit code
    local want=$1
    shift
    "$@" >out 2>err
    local code=$?
    [ $code = "$want" ] && return
    echo "FAILED: exit code $code instead of $want: $*"
    sed 's/^/    /' err
    failed=1
}
says() { grep -q -- "$1" "$2" || { echo "FAILED: $2 does not say \"$1\""; sed 's/^/    /' "$2"; failed=1; }; }

run=("$segman" "udp://127.0.0.1:$port" --no-window --no-progress -m synthetic:t --size 64x64)

start_sender
expect 0 "${run[@]}" out.mkv --frames 8 --stats live.csv --json
says '"replaced"' out
says '"age_ms"' out
[ -s out.mkv ] || { echo "FAILED: no out.mkv"; failed=1; }
says ',7,\|^7,' live.csv

# Runs COMMAND until its log names the output, plus a moment; then ACTION with the program's process.
meanwhile() { # CODE ACTION COMMAND...
    local want=$1 action=$2
    shift 2
    "$@" >out 2>err &
    local program=$! code
    for _ in $(seq 600); do
        grep -q 'mkv: ' err && break
        sleep 0.5
    done
    sleep 3
    $action $program
    wait $program
    code=$?
    [ $code = "$want" ] && return
    echo "FAILED: exit code $code instead of $want: $*"
    sed 's/^/    /' err
    failed=1
}
interrupt() { kill -INT "$1"; }
cut_off() { stop_sender; }

# Ctrl+C finalises the file.
meanwhile 4 interrupt "${run[@]}" late.mkv
[ -s late.mkv ] || { echo "FAILED: no late.mkv"; failed=1; }

# A stream that is lost for good: what was recorded stays, and the code says so.
meanwhile 2 cut_off "${run[@]}" lost.mkv --reconnect 2
says 'is lost' err
says 'not back within 2 seconds' err
[ -s lost.mkv ] || { echo "FAILED: no lost.mkv"; failed=1; }

# A GPU that is lost once: it goes on. Twice: it ends, and what was written is finished.
faulty() { # LIST COMMAND...
    local list=$1
    shift
    VK_LAYER_PATH=$layer VK_INSTANCE_LAYERS=VK_LAYER_SEGMAN_faults SEGMAN_FAULTS_LOSE=$list "$@"
}
start_sender
expect 0 faulty 3 "${run[@]}" once.mkv --frames 8 -y
says 'set up again' err
[ -s once.mkv ] || { echo "FAILED: no once.mkv"; failed=1; }
expect 3 faulty 3,2 "${run[@]}" twice.mkv --frames 8 -y
says 'the GPU stopped responding; what was finished' err
[ -s twice.mkv ] || { echo "FAILED: no twice.mkv"; failed=1; }
stop_sender
expect 3 faulty 3 "$segman" test:64x64@5:6 file.mkv --no-progress -m synthetic:t --size 64x64 --stats file.csv -y
says 'set up again' err
says 'frames lost with the GPU: 1' err
says ',5,\|^5,' file.csv

# Wrong words are refused before anything is opened.
expect 1 "${run[@]}" --camera-size big out2.mkv
exit $failed
