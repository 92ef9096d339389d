#!/usr/bin/env bash
# readme_test.sh SOURCE BUILD WORK [TOOLCHAIN]: runs the sh blocks of README.md and docs/*.md in their order, as printed, where build/demo
# is BUILD. A block below a line `<!-- not run: WHY -->` is left out. The README's C++ block is saved under the name that the README
# gives it. Its two long commands are what CI and scripts/demo run.
# Blocks below a line `<!-- run in a cross build -->` are run where BUILD is one by the toolchain file TOOLCHAIN, and then they alone, if
# they name it; BUILD is then build/neon. Where there is none, the exit status is 77.
set -euo pipefail
source_dir=$1 build_dir=$2 work=$3 toolchain=${4:-}
rm -rf "$work"
mkdir -p "$work/build"
for part in "$source_dir"/*; do
  [ "$(basename "$part")" = build ] || ln -s "$part" "$work/$(basename "$part")"
done
if [ -n "$toolchain" ]; then
  ln -s "$build_dir" "$work/build/neon"
else
  ln -s "$build_dir" "$work/build/demo"
  ln -s "$build_dir/tool" "$work/build/tool"
fi

for command in scripts/demo scripts/test; do
  if ! grep -qF "\`$command\`" "$source_dir/README.md" || ! [ -x "$source_dir/$command" ]; then
    echo "the README does not tell of $command, or it cannot be run" >&2
    exit 1
  fi
done
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source_dir/README.md" >"$work/example.cc"
mkdir "$work/application"
cp "$work/example.cc" "$work/application"
awk '/^```cmake$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source_dir/README.md" >"$work/application/CMakeLists.txt"

# A block a file: each starts where the document is read, in the repository.
documents=(README.md docs/guide.md)
for document in "$source_dir"/docs/*.md; do
  [ "${document##*/}" = guide.md ] || documents+=("docs/${document##*/}")
done
for document in "${documents[@]}"; do
  name=$(basename "$document" .md)
  awk -v block="$work/$name" -v cross="$toolchain" '
    /^<!-- not run: .+ -->$/ { left_out = 1; next }
    /^<!-- run in a cross build -->$/ { for_cross = 1; next }
    /^```sh$/ { inside = !left_out && !!for_cross == (cross != ""); n += inside; left_out = for_cross = 0; next }
    /^```$/ { inside = 0 }
    /./ { left_out = for_cross = 0 }
    inside { print > (block "-" n ".sh") }' "$source_dir/$document"
  shopt -s nullglob
  blocks=("$work/$name"-*.sh)
  shopt -u nullglob
  if [ -z "$toolchain" ] && [ ${#blocks[@]} = 0 ] && [[ $document =~ README|guide ]]; then
    echo "$document has no sh block" >&2
    exit 1
  fi
  for block in "${blocks[@]}"; do
    if [ -n "$toolchain" ] && ! grep -qF "$toolchain" "$block"; then continue; fi
    ran=$((${ran:-0} + 1))
    echo "== $(basename "$block")"
    (cd "$work" && bash -euo pipefail "$block")
  done
done
[ -n "${ran:-}" ] || exit 77
