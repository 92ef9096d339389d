#!/usr/bin/env bash
# readme_test.sh SOURCE BUILD WORK: runs the README's sh blocks in their order, as printed, where build/demo is BUILD; and checks that
# the README names the packages that scripts/packages does. The README's two long commands are what CI and scripts/demo run.
set -euo pipefail
source_dir=$1 build_dir=$2 work=$3
rm -rf "$work"
mkdir -p "$work/build"
for part in "$source_dir"/*; do
  [ "$(basename "$part")" = build ] || ln -s "$part" "$work/$(basename "$part")"
done
ln -s "$build_dir" "$work/build/demo"

sed '/^#/d; /^$/d; s/^[a-z]* //' "$source_dir/scripts/packages" | while read -r package version use; do
  if ! grep -qF "| $package | $version | $use |" "$source_dir/README.md"; then
    echo "README.md does not list '| $package | $version | $use |' as scripts/packages does" >&2
    exit 1
  fi
done

# A block a file: each starts where the README is read, in the repository.
awk -v work="$work" '/^```sh$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside { print > (work "/block" n ".sh") }' \
  "$source_dir/README.md"
blocks=("$work"/block*.sh)
if [ ${#blocks[@]} -lt 4 ]; then
  echo "the README has only ${#blocks[@]} sh blocks" >&2
  exit 1
fi
for block in "${blocks[@]}"; do
  echo "== $(basename "$block")"
  (cd "$work" && bash -euo pipefail "$block")
done
