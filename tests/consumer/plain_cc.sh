#!/bin/sh
# Compiles two models and links them into a program with cc alone: once with the flags that pkg-config reads from NAME.pc, once by hand.
# Usage: plain_cc.sh CALOTYPE REPOSITORY WORK_FOLDER
set -eu
calotype=$1 repository=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
project=$repository/tests/consumer/project

"$calotype" compile "$project/stacked.layers" -o "$work/models"
"$calotype" compile "$repository/samples/networks/lenet5.layers" --weights-from random:1 -o "$work/models"
warnings="-std=c11 -Wall -Wextra -Wpedantic -Werror"

# pkg-config; moved first, because a package must not remember where it was made.
mv "$work/models" "$work/elsewhere"
PKG_CONFIG_PATH=$work/elsewhere
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086
cc $warnings "$project/app.c" $(pkg-config --cflags --libs stacked lenet5) -o "$work/by_pkg_config"
"$work/by_pkg_config"

# By hand, as the manual says it: cc app.c NAME.a -lpthread -lm.
# shellcheck disable=SC2086
cc $warnings -I"$work/elsewhere" "$project/app.c" "$work/elsewhere/stacked.a" "$work/elsewhere/lenet5.a" -lpthread -lm -o "$work/by_hand"
"$work/by_hand"
