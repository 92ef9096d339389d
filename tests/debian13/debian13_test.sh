#!/usr/bin/env bash
# debian13_test.sh SOURCE WORK: scripts/with-debian13, which is scripts/with-debian, with a debootstrap of ours, whose root is a
# shell of this machine.
set -euo pipefail
source_dir=$1 work=$2
rm -rf "$work"
mkdir -p "$work/bin" "$work/user"
export LOOKUPFFN_DEBIAN13=$work/root
script=$source_dir/scripts/with-debian13
failed() {
  echo "FAILED: $*" >&2
  exit 1
}
# status STATUS WORDS COMMAND ...: the command ends with the status and says the words.
status() {
  local expected=$1 words=$2 got=0
  shift 2
  "$@" >"$work/out" 2>&1 || got=$?
  [ $got = "$expected" ] || failed "$*: status $got instead of $expected: $(cat "$work/out")"
  grep -qF -- "$words" "$work/out" || failed "$*: does not say '$words': $(cat "$work/out")"
}

status 2 "usage" "$script"
status 2 "usage" "$source_dir/scripts/with-debian" 11 true
status 1 "LOOKUPFFN_DEBIAN13 is '/'" env LOOKUPFFN_DEBIAN13=/ "$script" true
printf '#!/bin/sh\necho 1000\n' >"$work/user/id"
chmod +x "$work/user/id"
status 1 "by root only" env PATH="$work/user:$PATH" "$script" true

if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
  echo "the rest needs root and namespaces of mounts" >&2
  exit 77
fi
export PATH=$work/bin:$PATH

# Interrupted: what is there is not taken for a root.
cat >"$work/bin/debootstrap" <<'EOF'
#!/bin/sh
root=$4
mkdir -p "$root/bin"
echo "E: the mirror is gone"
exit 1
EOF
chmod +x "$work/bin/debootstrap"
status 1 "E: the mirror is gone" "$script" true
[ ! -e "$work/root" ] || failed "half a root has the name of a whole one"

# Whole: a shell and what it loads.
cat >"$work/bin/debootstrap" <<'EOF'
#!/usr/bin/env bash
set -eu
root=$4
[ ! -e "$root" ] || { echo "E: a root was left there"; exit 1; }
mkdir -p "$root"/{bin,etc,dev,proc,sys,tmp}
echo once >>"$LOOKUPFFN_DEBIAN13.made"
cp /bin/bash "$root/bin/bash"
ldd /bin/bash | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
EOF
mounts=$(cat /proc/self/mountinfo)
cd "$source_dir/scripts"
export CCACHE_DIR=$work/ccache GREETING=hello
status 7 "$source_dir/scripts hello 3" "$script" bash -c 'echo "$PWD $GREETING $#"; exit 7' bash a "b c" d
status 0 "as it should be" "$script" bash -c '
  [ -e ../CMakeLists.txt ] && [ -d "$CCACHE_DIR" ] && [ -e /proc/self/status ] && [ -e /dev/null ] && [ ! -e /usr/bin/env ] &&
  echo "as it should be"'
cd "$work"
status 0 "$source_dir" "$script" bash -c 'echo "$PWD"'
status 0 "/ is a mount" "$script" bash -c 'while read -r _ _ _ _ place _; do [ "$place" != / ] || echo "/ is a mount"; done </proc/self/mountinfo'
# What is built there is kept apart.
mark=build/debian13/mark_of_the_test
status 0 "built" "$script" bash -c '[ "$PWD" = "$0" ] && echo there >build/mark_of_the_test && echo built' "$source_dir"
[ "$(cat "$source_dir/$mark")" = there ] || failed "build/ of the root is not $source_dir/build/debian13"
[ ! -e "$source_dir/build/mark_of_the_test" ] || failed "the root writes to build/ of this machine"
status 0 "built here" "$source_dir/scripts/with-debian" --discard 13 bash -c "[ -e $mark ] && echo built here"
rm "$source_dir/$mark"
status 0 "written" "$source_dir/scripts/with-debian" --discard 13 bash -c 'echo written >/file && echo "$(</file)"'
status 0 "forgotten" "$source_dir/scripts/with-debian" 13 bash -c '[ ! -e /file ] && echo forgotten'
[ "$(wc -l <"$work/root.made")" = 1 ] || failed "the root was made more than once"
[ "$(cat /proc/self/mountinfo)" = "$mounts" ] || failed "something stays mounted"
