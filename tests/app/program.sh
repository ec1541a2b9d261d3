#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program from outside: program.sh SEGMAN CLIP CACHE_FOLDER. Exit 77: skipped, for want of a Vulkan driver.
set -u
segman=$(realpath "$1")
clip=$(realpath "$2")
cache=$(realpath -m "$3")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$cache" NO_COLOR=1
cd "$work" || exit 1
failed=0
small="--size short:224 --no-progress"

complain() {
    echo "FAILED: $1"
    [ -f out ] && sed 's/^/    out: /' out | head -20
    [ -f err ] && sed 's/^/    err: /' err | head -20
    failed=1
}

# expect CODE WHAT ARGUMENTS...: runs the program and compares its exit code
expect() {
    code=$1 what=$2
    shift 2
    "$segman" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || complain "$what: exit $got, expected $code"
}

says() { grep -q -- "$1" "$2" || complain "$3: \"$1\" is not in $2"; }
is() { [ "$@" ] || complain "not so: $*"; }

expect 0 help --help
says 'Usage: segman' out help
is "$(wc -l <out)" -le 40
for command in bench inspect devices; do
    expect 0 "$command help" $command --help
done
expect 0 version --version
if [ -c /dev/full ]; then
    "$segman" --version >/dev/full 2>err && complain "a full disk is not noticed"
    says 'standard output' err "full disk"
fi
expect 1 "unknown option" --no-such-option
is ! -s out
expect 1 "three arguments" a b c
expect 1 "bad opacity" in.mp4 --opacity 2
says '0 to 1' err "bad opacity"
expect 1 "bad size" "$clip" out.mp4 --size 5
expect 1 "unknown model" "$clip" out.mp4 -m no_such_model
expect 0 inspect inspect segman_t_indoor24 --tensors
says 'person' out inspect
says 'backbone.patch_embed' out inspect
expect 0 "inspect as JSON" inspect synthetic:s:150 --json
expect 1 "inspect nothing" inspect no_such_model

"$segman" devices >out 2>err || { cat err; echo "no Vulkan device: the rest is skipped"; exit $((failed ? 1 : 77)); }
says '^0 = ' out devices

expect 2 "missing input" missing.mp4 out.mp4 $small
is ! -e out.mp4
expect 1 "palette of another dataset" "$clip" out.mp4 --palette cityscapes $small
says 'expected 24' err "palette of another dataset"
expect 1 "unknown class" "$clip" out.mp4 --classes persn $small
says 'persn' err "unknown class"

echo keep >kept.mp4
expect 1 "existing output" "$clip" kept.mp4 $small
is "$(cat kept.mp4)" = keep
expect 1 "existing output, -y -n" "$clip" kept.mp4 -y -n $small
expect 2 "missing input, -y" missing.mp4 kept.mp4 -y $small
is "$(cat kept.mp4)" = keep
for line in "one.mkv --labels ./one.mkv" "--labels one/ --stats one" "one.mkv --dump logits=$work/one.mkv" \
    "--dump logits=one.npy --dump input=one.npy"; do
    # shellcheck disable=SC2086 # words
    expect 1 "one file for two outputs: $line" "$clip" $line $small
    says 'named for two' err "one file for two outputs: $line"
done
expect 1 "no folder for the output" "$clip" --no-window --dump logits=nowhere/one.npy $small
says 'nowhere' err "no folder for the output"
is -z "$(ls | grep '^one')"
expect 0 "a bitrate beyond the encoder's" "$clip" rich.mkv --frames 1 --bitrate 900000M $small
grep -q WARNING err && complain "a bitrate beyond the encoder's"
cp "$clip" same.mp4
expect 1 "output is the input" same.mp4 same.mp4 -y $small
cmp -s "$clip" same.mp4 || complain "the input was harmed"

expect 0 "all outputs" "$clip" all.mkv --frames 3 --legend --labels labels.mkv --stats stats.csv --dump logits=logits.npy --json $small
is -s all.mkv
is -s labels.mkv
is -s logits.npy
says '^frame,pts,file,class,name,pixels,share$' stats.csv "statistics"
is "$(cut -d, -f1 stats.csv | sort -u | wc -l)" -eq 4
says '"frames": 3' out "JSON summary"
if command -v ffprobe >/dev/null; then
    is "$(ffprobe -v error -select_streams v -count_frames -show_entries stream=width,height,nb_read_frames -of csv=p=0 all.mkv)" = 640,480,3
    is "$(ffprobe -v error -select_streams v -count_frames -show_entries stream=width,height,nb_read_frames -of csv=p=0 labels.mkv)" = 640,480,3
fi
is -z "$(find . -maxdepth 1 -name '*.part' -o -maxdepth 1 -name '*.tmp')"

"$segman" "$clip" closed.mkv --frames 2 --json $small >&- 2>err
is $? -eq 3
if command -v ffprobe >/dev/null; then
    is "$(ffprobe -v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0 closed.mkv)" = 2
fi
"$segman" "$clip" left.mkv --stats - $small 2>err | head -n 1 >out
is "$(cat out)" = frame,pts,file,class,name,pixels,share
is -s left.mkv
is -z "$(find . -maxdepth 1 -name '*.part')"

expect 0 "statistics alone, as JSON" "$clip" --frames 1 --stats stats.json --classes person $small
says '"name":"person"' stats.json "statistics as JSON"
is "$(ls | grep -c segman)" -eq 0

if command -v ffmpeg >/dev/null; then
    mkdir pictures
    ffmpeg -v error -i "$clip" -frames:v 2 pictures/p%d.png
    ffmpeg -v error -i "$clip" -frames:v 1 -vf scale=320:200 pictures/small.png
    expect 0 "folder of pictures of two sizes" pictures drawn/ --labels masks/ --stats pictures.csv --legend $small
    is "$(ls drawn masks | grep -c png)" -eq 6
    is "$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 drawn/small.png)" = 320,200
    is "$(ffprobe -v error -show_entries stream=pix_fmt -of csv=p=0 masks/p1.png)" = pal8
    says 'small.png' pictures.csv "the pictures' names"
    expect 1 "folder that is not empty" pictures drawn/ $small
    mkdir twins present
    cp pictures/small.png twins/p1.jpg
    cp pictures/p1.png twins/
    expect 0 "two sizes of one stem, into a folder that is there" twins present --no-window $small
    is "$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 present/p1.png)" = 320,200
    is "$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 present/p1.png.png)" = 640,480
    expect 3 "two sizes in one video" pictures drawn.mkv $small
    is -s drawn.mkv
fi

case $("$segman" devices) in
*llvmpipe*)
    MESA_SHADER_CACHE_DISABLE=true expect 0 "a first frame that lets wait" "$clip" --frames 2 --stats first.csv --size short:224 -d llvmpipe
    is "$(grep -c 'waiting for the first frame' err)" -eq 1
    expect 0 "and one that does not" "$clip" --frames 2 --stats first.csv -y --size short:224 -d llvmpipe --log-level warning
    is "$(grep -c 'waiting for the first frame' err)" -eq 0
    ;;
esac

rm -f out err
"$segman" "$clip" stopped.mkv --stats - $small >out 2>err &
process=$!
until grep -q '^1,' out 2>/dev/null || ! kill -0 $process 2>/dev/null; do sleep 0.1; done
kill -INT $process
wait $process
got=$?
[ "$got" -eq 4 ] || [ "$got" -eq 0 ] || complain "interrupt: exit $got, expected 4" # 0: a fast GPU was done before
is -s stopped.mkv

expect 0 bench bench -m synthetic:t --size 224x224 --frames 2 --warmup 0 --json
says '"samples"' out bench
expect 0 profile bench -m synthetic:t --size 224x224 --frames 2 --warmup 0 --profile
says 'roofline' out profile
says 'this device at most' out profile
exit $failed
