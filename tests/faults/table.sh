#!/usr/bin/env bash
# Log of the fault tests in, one Markdown table of their figures out, sorted by row.
set -euo pipefail
printf '| row | fault | seen |\n|---|---|---|\n'
# A test's name may stand before its first figure, on the same line.
sed -n 's/^.*figure | /| /p' | sort -u
