#!/bin/sh
# Every path that a page of docs/ or the README names in backticks exists. A path is what begins with a folder of the repository's root.
# Usage: paths_exist.sh REPOSITORY
cd "$1" || exit 1
status=0
for page in README.md docs/*.md; do
  for path in $(grep -oE '`(cmake|compiler|docs|runtime|samples|schedules|tests)/[A-Za-z0-9_./-]*`' "$page" | tr -d '`' | sort -u); do
    case $path in compiler/layers/channel_shuffle.cpp | tests/layers/channel_shuffle_test.cpp) continue ;; esac  # add-a-layer.md makes them
    if [ ! -e "$path" ]; then
      echo "$page names $path, which does not exist" >&2
      status=1
    fi
  done
  for link in $(grep -oE '\]\([A-Za-z0-9_./-]+\.[a-z]+\)' "$page" | sed 's/^](//; s/)$//' | sort -u); do
    if [ ! -e "$(dirname "$page")/$link" ]; then
      echo "$page links to $link, which does not exist" >&2
      status=1
    fi
  done
done
exit $status
