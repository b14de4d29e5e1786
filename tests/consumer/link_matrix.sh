#!/bin/sh
# Links one network twice (two names, two batch sizes) and another one into the same program in every way that users link: as a position-independent
# executable and not, with sections dropped, into a shared library, by GNU ld and by lld. Then holds the symbols of the archives against the lists
# beside this file: what a program must bring (libc, libm, pthread) and what it gets.
# Usage: link_matrix.sh CALOTYPE REPOSITORY WORK_FOLDER
set -eu
calotype=$1 repository=$2 work=$3
here=$repository/tests/consumer
rm -rf "$work"
mkdir -p "$work"
cd "$work"

"$calotype" compile "$repository/samples/networks/lenet5.layers" --weights-from random:1 --name one --set N=1 -o .
"$calotype" compile "$repository/samples/networks/lenet5.layers" --weights-from random:1 --name four --set N=4 -o .
"$calotype" compile "$here/project/stacked.layers" -o .
archives="one.a four.a stacked.a"
warnings="-std=c11 -Wall -Wextra -Wpedantic -Werror"

for linker in bfd lld; do
  for flags in "-pie -fPIE" "-no-pie" "-pie -fPIE -ffunction-sections -fdata-sections -Wl,--gc-sections"; do
    echo "$linker $flags"
    # shellcheck disable=SC2086
    cc -fuse-ld=$linker $flags $warnings -I. "$here/project/twice.c" $archives -lpthread -lm -o twice
    ./twice
  done
  echo "$linker -shared"
  # shellcheck disable=SC2086
  cc -fuse-ld=$linker -shared -fPIC -Wl,-z,defs -DCALOTYPE_NO_MAIN $warnings -I. "$here/project/twice.c" $archives -lpthread -lm -o libtwice.so
  # shellcheck disable=SC2086
  cc $warnings "$here/project/load_twice.c" -L. -ltwice -Wl,-rpath,"$work" -o load_twice
  ./load_twice
done

c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I. "$here/project/typed.cpp" stacked.a -lpthread -lm -o typed
./typed

LC_ALL=C
export LC_ALL
status=0
for name in one stacked; do
  nm -g --defined-only $name.a | awk 'NF == 3 { print $3 }' | sort -u >defined
  nm -g --undefined-only $name.a | awk '$1 == "U" { print $2 }' | sort -u | comm -23 - defined >undefined
  grep -v '^#' "$here/undefined_symbols.txt" | sort >allowed
  if unexpected=$(comm -23 undefined allowed | grep .); then
    echo "$name.a needs symbols that $here/undefined_symbols.txt does not list: $unexpected" >&2
    status=1
  fi
  grep -v '^#' "$here/global_symbols.txt" | sed "s/^NAME_/${name}_/" | sort >expected
  if ! diff expected defined >difference; then
    echo "$name.a does not define the symbols of $here/global_symbols.txt:" >&2
    cat difference >&2
    status=1
  fi
done
exit $status
