#!/usr/bin/env bash
# tarball_test.sh SOURCE PACKAGES WORK: unpacks the tarball of the folder PACKAGES, runs its tool, and builds and runs a program against it.
set -euo pipefail
source_dir=$1 packages=$2 work=$3
golden=$source_dir/tests/data/golden
rm -rf "$work"
mkdir -p "$work"
unset LOOKUPFFN_ISA LOOKUPFFN_GENERATOR
tar -xzf "$packages"/lookupffn-*.tar.gz -C "$work"
prefix=$(echo "$work"/lookupffn-*)
export PATH=$prefix/bin:$PATH
lookupffn verify "$golden/bh4_d64_t40_b4.model.safetensors" "$golden/bh4_d64_t40_b4.io.safetensors"
lookupffn build "$golden/bh4_d64_t40_b4.model.safetensors" --isa native --out "$work/kernels"
lookupffn verify "$golden/bh4_d64_t40_b4.model.safetensors" "$golden/bh4_d64_t40_b4.io.safetensors" --kernels specialised \
  --library "$work/kernels"
CMAKE_PREFIX_PATH=$prefix cmake -S "$source_dir/tests/install/application" -B "$work/application" -DCMAKE_BUILD_TYPE=Release
cmake --build "$work/application"
"$work/application/application" "$golden/dense_d8_t1_b1.model.safetensors"
# By a path of this prefix, not of where the tarball was made.
folder=$(dirname "$(find "$prefix" -name lookupffn.pc)")
export PKG_CONFIG_PATH=$folder LD_LIBRARY_PATH=$folder/..
cc -o "$work/forward" "$source_dir/examples/forward/forward.c" $(pkg-config --cflags --libs lookupffn)
"$work/forward" "$golden/dense_d8_t1_b1.model.safetensors"
