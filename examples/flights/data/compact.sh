#!/usr/bin/env bash
# Makes flights-2013.csv.zst from the full table of the R package nycflights13 (flights.csv, .csv.gz or .csv.zst).
#
#   ./compact.sh path/to/flights.csv > flights-2013.csv.zst
#
# Keeps the columns that the demonstration reads, writes NA as nothing, and sorts so that rows alike stand together.
set -euo pipefail
export LC_ALL=C

columns=carrier,flight,origin,dest,distance,month,day,sched_dep_time,sched_arr_time,dep_delay,arr_time,air_time,tailnum

read_any() {
    case "$1" in
        *.zst) zstd -dc "$1" ;;
        *.gz) gzip -dc "$1" ;;
        *) cat "$1" ;;
    esac
}

compact() {
    echo "$columns"
    awk -F, -v columns="$columns" '
        { gsub(/["\r]/, "") }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; n = split(columns, wanted, ","); next }
        {
            line = ""
            for (i = 1; i <= n; i++) {
                value = $at[wanted[i]]
                if (value == "NA") value = ""
                line = line (i > 1 ? "," : "") value
            }
            print line
        }' | sort -t, -k1,1 -k2,2n -k3,3 -k4,4 -k6,6n -k7,7n
}

read_any "${1:?which file?}" | compact | zstd -19 --no-progress -c
