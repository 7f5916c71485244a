#!/bin/sh
# Jobs as background processes: the three commands that the executor cluster-generic wants.
#
#   background.sh submit MINUTES SCRIPT    start it, to be killed after MINUTES; prints its id
#   background.sh status ID                prints running, success or failed
#   background.sh cancel ID...             ends jobs with all their processes
#
# A job's output is in .snakemake/background/ID.log, kept when it fails.
set -u
folder=.snakemake/background
mkdir -p "$folder"
command=$1
shift

case $command in
submit)
    id=$(date +%s%N)
    nohup sh "$0" run "$id" "$1" "$2" >"$folder/$id.log" 2>&1 </dev/null &
    echo "$!" >"$folder/$id.keeper"
    echo "$id"
    ;;
run) # the keeper of a job: waits for it and writes down how it ended
    setsid timeout --kill-after=30 "$2m" sh "$3" &
    echo "$!" >"$folder/$1.leader"
    wait "$!"
    status=$?
    if [ "$status" -eq 124 ]; then echo "killed after $2 minutes"; fi
    echo "$status" >"$folder/$1.end.tmp"
    mv "$folder/$1.end.tmp" "$folder/$1.end"
    ;;
status)
    if [ ! -e "$folder/$1.end" ] && kill -0 "$(cat "$folder/$1.keeper")" 2>/dev/null; then
        echo running
    elif [ "$(cat "$folder/$1.end" 2>/dev/null)" = 0 ]; then
        rm -f "$folder/$1".*
        echo success
    else
        echo failed
    fi
    ;;
cancel)
    for id in "$@"; do
        kill -TERM "-$(cat "$folder/$id.leader")" 2>/dev/null || true # has just ended
    done
    ;;
*)
    echo "background.sh: unknown command '$command'; submit, status or cancel" >&2
    exit 2
    ;;
esac
