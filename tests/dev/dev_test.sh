#!/bin/sh
# ./dev where it cannot act: a wrong command, and a machine without packages, root or sudo.
# Usage: dev_test.sh REPOSITORY WORK_FOLDER
set -u
repository=$1 work=$2
rm -rf "$work"
mkdir -p "$work/bin"
failed=0

expect() {  # expect STATUS TEXT COMMAND...: the command ends with that status and prints that text somewhere
  wanted=$1 text=$2
  shift 2
  output=$("$@" 2>&1)
  status=$?
  if [ $status -ne "$wanted" ] || ! printf '%s' "$output" | grep -qF -e "$text"; then
    printf '%s\nended with %s, expected %s and "%s":\n%s\n' "$*" "$status" "$wanted" "$text" "$output" >&2
    failed=1
  fi
}

# Nothing but these tools; a dpkg-query that knows g++ alone; a user who is not root.
for tool in awk bash cat comm cut dirname env grep mkdir mktemp readlink rm sed sha256sum sort tr; do
  ln -s "$(command -v $tool)" "$work/bin/$tool"
done
printf '#!/bin/sh\necho "installed g++"\nexit 1\n' >"$work/bin/dpkg-query"
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
chmod +x "$work/bin/dpkg-query" "$work/bin/id"

expect 0 "classify a photograph" "$repository/dev" help
expect 2 "unknown command 'tets'" "$repository/dev" tets
expect 2 "lint takes --all" "$repository/dev" lint everything
expect 4 "apt-get install --yes --no-install-recommends ca-certificates ccache gcc-aarch64-linux-gnu git" env -i PATH="$work/bin" bash "$repository/dev" build
exit $failed
