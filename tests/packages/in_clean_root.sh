#!/usr/bin/env bash
# in_clean_root.sh SOURCE PACKAGES WORK: what clean_root_test.sh does inside of the root.
set -euo pipefail
source_dir=$1 packages=$2 work=$3
export DEBIAN_FRONTEND=noninteractive
golden=$source_dir/tests/data/golden
model=$golden/dense_d8_t1_b1.model.safetensors
say() { printf '== %s\n' "$*"; }
failed() {
  echo "FAILED: $*" >&2
  exit 1
}
install() { apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >"$work/apt.log" 2>&1 || failed "apt-get install $*: $(tail -n 20 "$work/apt.log")"; }
says() { # says WORDS COMMAND ...: it works, and says the words
  local words=$1
  shift
  "$@" >"$work/out" 2>&1 || failed "$*: $(tail -n 20 "$work/out")"
  grep -qF -- "$words" "$work/out" || failed "$*: does not say '$words': $(cat "$work/out")"
}
refuses() { # refuses WORDS COMMAND ...: it fails, and says the words
  local words=$1
  shift
  if "$@" >"$work/out" 2>&1; then failed "$*: does not fail"; fi
  grep -qF -- "$words" "$work/out" || failed "$*: does not say '$words': $(cat "$work/out")"
}
no_halide() {
  if ldconfig -p | grep -iE 'libhalide|libLLVM'; then failed "$1: there is a Halide"; fi
}

. /etc/os-release
say "$PRETTY_NAME: the shared library and the tool"
apt-get -q update >"$work/apt.log" 2>&1 || failed "apt-get update: $(cat "$work/apt.log")"
no_halide "before"
install "$packages"/liblookupffn[0-9]*.deb "$packages"/lookupffn_*.deb
no_halide "after"
says "sse41" lookupffn isas
for case in bh4_d64_t40_b4 dense_d100_t5_b10; do
  says "ok" lookupffn verify "$golden/$case.model.safetensors" "$golden/$case.io.safetensors"
done
says "records match" lookupffn schedules --no-code
refuses "cannot start: lib" lookupffn build "$model" --isa sse41 --out "$work/kernels"
[ -s /usr/share/man/man1/lookupffn-build.1.gz ] || [ -e /etc/dpkg/dpkg.cfg.d/docker ] || failed "no man page of the tool"
[ ! -e /usr/include/lookupffn ] || failed "the headers are not of these packages"

say "programs that are built against it: CMake, C, pkg-config"
install "$packages"/liblookupffn-dev_*.deb
for project in application plain_c; do
  cmake -S "$source_dir/tests/install/$project" -B "$work/$project" -DCMAKE_BUILD_TYPE=Release >"$work/out" 2>&1 &&
    cmake --build "$work/$project" >>"$work/out" 2>&1 || failed "$project: $(tail -n 20 "$work/out")"
  says "" "$work/$project/$project" "$model"
  readelf -d "$work/$project/$project" | grep -q 'NEEDED.*liblookupffn\.so\.' || failed "$project is not linked with the shared library"
done
cc -o "$work/forward" "$source_dir/examples/forward/forward.c" $(pkg-config --cflags --libs lookupffn)
says "y[3] =" "$work/forward" "$model"
refuses "there is no ISA 'none'" env LOOKUPFFN_ISA=none "$work/forward" "$model"

# Where this release has the Halide that the generators are linked with: apt's recommendations make them run.
halide=$(dpkg-query -W -f='${Recommends}' lookupffn | grep -oE 'libhalide[0-9]+-[0-9]+' || true)
if [ -n "$halide" ] && apt-get -s install "$halide" >/dev/null 2>&1; then
  say "kernels of a model, with what the tool recommends"
  apt-get -q -y -o Dpkg::Use-Pty=0 install $(dpkg-query -W -f='${Recommends}' lookupffn | sed 's/ *([^)]*)//g; s/ *|[^,]*//g; s/,//g') \
    >"$work/apt.log" 2>&1 || failed "recommendations: $(tail -n 20 "$work/apt.log")"
  case=$golden/bh4_d192_t24_b7
  says "kernel library" lookupffn build "$case.model.safetensors" --isa native --out "$work/prebuilt" --name prebuilt
  says "ok" lookupffn verify "$case.model.safetensors" "$case.io.safetensors" --kernels specialised --library "$work/prebuilt"
  # It keeps to the model for which the project has kernels.
  CMAKE_PREFIX_PATH=$work/prebuilt cmake -S "$source_dir/tests/install/kernels" -B "$work/project" -DCMAKE_BUILD_TYPE=Release \
    -DMODEL="$golden/bh4_d64_t40_b4.model.safetensors" >"$work/out" 2>&1 && cmake --build "$work/project" >>"$work/out" 2>&1 ||
    failed "kernels: $(tail -n 20 "$work/out")"
  says "" "$work/project/kernels" "$golden/bh4_d64_t40_b4.model.safetensors" f32
else
  say "this release has no ${halide:-Halide for the generators}: no kernels are made here"
fi

say "removed"
apt-get -q -y -o Dpkg::Use-Pty=0 purge lookupffn 'liblookupffn*' >"$work/apt.log" 2>&1 || failed "purge: $(tail -n 20 "$work/apt.log")"
left=$(find / -xdev -path "$work" -prune -o -ipath '*lookupffn*' -not -path '/proc/*' -not -path "$source_dir/*" -print 2>/dev/null | grep '^/usr' || true)
[ -z "$left" ] || failed "left behind: $left"
say "all of it works"
