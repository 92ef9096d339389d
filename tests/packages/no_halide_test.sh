#!/usr/bin/env bash
# no_halide_test.sh TOOL WORK: a generator program that the loader does not start, as where Halide is not installed.
set -euo pipefail
tool=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
unset LOOKUPFFN_KERNEL_CACHE # it may have the kernel already
cat >"$work/generators" <<'EOF'
#!/bin/sh
echo "$0: error while loading shared libraries: libHalide14.so.0: cannot open shared object file: No such file or directory" >&2
exit 127
EOF
chmod +x "$work/generators"
if "$tool" build --shape "d_in=8 tables=1 bits=1 projection=dense" --isa all --generator "$work/generators" --out "$work/out" 2>"$work/err"
then
  echo "build without a generator that runs was no failure" >&2
  exit 1
fi
for words in "cannot start: libHalide14.so.0" "$work/generators" "install the Halide library"; do
  grep -qF -- "$words" "$work/err" || { echo "does not say '$words': $(cat "$work/err")" >&2; exit 1; }
done
[ ! -e "$work/out" ] || { echo "it left a result" >&2; exit 1; }
