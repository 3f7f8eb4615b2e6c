#!/usr/bin/env bash
# write.sh PAGE: puts what comes in between the page's two marker comments.
set -euo pipefail
page=$1
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
awk '
  BEGIN { while ((getline line < "/dev/stdin") > 0) table = table line "\n" }
  /^<!-- figures end -->$/ { inside = 0; ended = 1 }
  !inside { print }
  /^<!-- figures begin/ { inside = 1; printf "\n%s\n", table }
  END { exit !(ended && !inside) }
' "$page" >"$fresh" || { echo "$page lacks the two markers" >&2; exit 1; }
cat "$fresh" >"$page"
