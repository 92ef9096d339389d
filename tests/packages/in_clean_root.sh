#!/usr/bin/env bash
# in_clean_root.sh SOURCE PACKAGES WORK [ARM64_PACKAGES]: what clean_root_test.sh does inside of the root.
set -euo pipefail
source_dir=$1 packages=$2 work=$3 arm64_packages=${4:-}
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

files() { # what packages could leave behind: all but apt's and dpkg's own notes
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path "$source_dir" -o -path "$work" -o -path /var/lib/apt \
    -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \) -prune -o -print | sort
}
older() { # older PACKAGE.deb: the same as of a release before, with a file more; says where it is
  local folder=$work/older/$(basename "$1" .deb)
  mkdir -p "$folder"
  dpkg-deb -R "$1" "$folder"
  local name=$(sed -n 's/^Package: //p' "$folder/DEBIAN/control")
  sed -i 's/^Version: .*/Version: 0.2.0~before/; s/(= [^)]*)/(= 0.2.0~before)/' "$folder/DEBIAN/control"
  echo "of an older release" >"$folder/usr/share/doc/$name/lookupffn_before"
  dpkg-deb -b "$folder" "$folder.deb" >/dev/null
  echo "$folder.deb"
}

. /etc/os-release
architecture=$(dpkg --print-architecture)
case $architecture in
  amd64) isa=sse41 ;;
  arm64) isa=neon ;;
  *) failed "which ISA does any $architecture have?" ;;
esac
say "$PRETTY_NAME, $architecture: upgrade and removal"
apt-get -q update >"$work/apt.log" 2>&1 || failed "apt-get update: $(cat "$work/apt.log")"
no_halide "before"
files >"$work/files_before"
older_packages=()
for package in "$packages"/*.deb; do older_packages+=("$(older "$package")"); done
install "${older_packages[@]}"
[ "$(find /usr/share/doc -name lookupffn_before | wc -l)" = 3 ] || failed "the older packages are not whole"
install "$packages"/*.deb
lookupffn isas >/dev/null || failed "the tool does not run after an upgrade"
left=$(find / -xdev -name lookupffn_before -not -path "$work/*")
[ -z "$left" ] || failed "left behind by the upgrade: $left"
apt-get -q -y -o Dpkg::Use-Pty=0 purge lookupffn 'liblookupffn*' >"$work/apt.log" 2>&1 || failed "purge: $(tail -n 20 "$work/apt.log")"
files >"$work/files_after"
left=$(comm -13 "$work/files_before" "$work/files_after")
[ -z "$left" ] || failed "left behind: $left"
if ldconfig -p | grep -F lookupffn; then failed "the loader still knows the library"; fi

say "the shared library and the tool"
install "$packages"/liblookupffn[0-9]*.deb "$packages"/lookupffn_*.deb
no_halide "after"
says "$isa" lookupffn isas
for case in bh4_d64_t40_b4 dense_d100_t5_b10; do
  says "ok" lookupffn verify "$golden/$case.model.safetensors" "$golden/$case.io.safetensors"
done
says "records match" lookupffn schedules --no-code
refuses "the generator program" lookupffn build "$model" --isa "$isa" --out "$work/kernels"
[ -s /usr/share/man/man1/lookupffn-build.1.gz ] || [ -e /etc/dpkg/dpkg.cfg.d/docker ] || failed "no man page of the tool"
[ ! -e /usr/include/lookupffn ] || failed "the headers are not of these packages"

install "$packages"/liblookupffn-dev_*.deb
if command -v c++ >/dev/null; then
  say "programs that are built against it: CMake, C, pkg-config"
  for project in application plain_c; do
    cmake -S "$source_dir/tests/install/$project" -B "$work/$project" -DCMAKE_BUILD_TYPE=Release >"$work/out" 2>&1 &&
      cmake --build "$work/$project" >>"$work/out" 2>&1 || failed "$project: $(tail -n 20 "$work/out")"
    says "" "$work/$project/$project" "$model"
    readelf -d "$work/$project/$project" | grep -q 'NEEDED.*liblookupffn\.so\.' || failed "$project is not linked with the shared library"
  done
  cc -o "$work/forward" "$source_dir/examples/forward/forward.c" $(pkg-config --cflags --libs lookupffn)
  says "y[3] =" "$work/forward" "$model"
  refuses "there is no ISA 'none'" env LOOKUPFFN_ISA=none "$work/forward" "$model"
fi

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

if [ -n "$arm64_packages" ]; then
  say "an application for arm64, with the packages of both architectures side by side"
  dpkg --add-architecture arm64
  apt-get -q update >"$work/apt.log" 2>&1 || failed "apt-get update: $(cat "$work/apt.log")"
  install g++-aarch64-linux-gnu qemu-user "$arm64_packages"/liblookupffn*.deb
  cmake -S "$source_dir/tests/install/application" -B "$work/application-arm64" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_TOOLCHAIN_FILE=/usr/lib/aarch64-linux-gnu/cmake/lookupffn/toolchains/arm64.cmake >"$work/out" 2>&1 &&
    cmake --build "$work/application-arm64" >>"$work/out" 2>&1 || failed "application for arm64: $(tail -n 20 "$work/out")"
  says "" qemu-aarch64 "$work/application-arm64/application" "$model"
fi

say "the wheel"
python3 -m venv --system-site-packages "$work/environment"
"$work/environment/bin/pip" install -q --no-index "$packages"/*.whl >"$work/out" 2>&1 || failed "the wheel: $(cat "$work/out")"
env -u LOOKUPFFN_LIBRARY "$work/environment/bin/python3" "$source_dir/examples/python/run_model.py" "$model" >"$work/out" 2>&1 ||
  failed "run_model.py: $(cat "$work/out")"

say "all of it works"
