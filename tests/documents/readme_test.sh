#!/usr/bin/env bash
# readme_test.sh SOURCE BUILD WORK: runs the sh blocks of README.md and docs/guide.md in their order, as printed, where build/demo is
# BUILD. The README's C++ block is saved under the name that the README gives it. Its two long commands are what CI and scripts/demo run.
set -euo pipefail
source_dir=$1 build_dir=$2 work=$3
rm -rf "$work"
mkdir -p "$work/build"
for part in "$source_dir"/*; do
  [ "$(basename "$part")" = build ] || ln -s "$part" "$work/$(basename "$part")"
done
ln -s "$build_dir" "$work/build/demo"

for command in scripts/demo scripts/test; do
  if ! grep -qF "\`$command\`" "$source_dir/README.md" || ! [ -x "$source_dir/$command" ]; then
    echo "the README does not tell of $command, or it cannot be run" >&2
    exit 1
  fi
done
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source_dir/README.md" >"$work/example.cc"

# A block a file: each starts where the document is read, in the repository.
for document in README.md docs/guide.md; do
  name=$(basename "$document" .md)
  awk -v block="$work/$name" '/^```sh$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside { print > (block "-" n ".sh") }' \
    "$source_dir/$document"
  blocks=("$work/$name"-*.sh)
  if [ ! -e "${blocks[0]}" ]; then
    echo "$document has no sh block" >&2
    exit 1
  fi
  for block in "${blocks[@]}"; do
    echo "== $(basename "$block")"
    (cd "$work" && bash -euo pipefail "$block")
  done
done
