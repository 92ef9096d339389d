#!/usr/bin/env bash
# clean_root_test.sh SOURCE PACKAGES RELEASE[-ARCHITECTURE] WORK [ARM64_PACKAGES]: installs the Debian packages and the wheel of the
# folder PACKAGES in a root of that release of Debian that has no Halide, and builds and runs programs against them there; with
# ARM64_PACKAGES beside them, one for arm64. Needs root, and the network for what is not cached.
set -euo pipefail
source_dir=$1 packages=$2 release=$3 work=$4
shift 4
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
  echo "this needs root and namespaces of mounts" >&2
  exit 77
fi
# A root of its own, with nothing in it but what programs are built with. What the test installs there is forgotten.
export "LOOKUPFFN_DEBIAN${release/-/_}=${LOOKUPFFN_PACKAGES_ROOTS:-/var/cache/lookupffn}/packages$release"
cd "$source_dir"
unset CCACHE_DIR LOOKUPFFN_KERNEL_CACHE LOOKUPFFN_ISA LOOKUPFFN_GENERATOR CC CXX
for variable in $(compgen -e | grep '^CMAKE_' || true); do unset "$variable"; done
# An emulated compiler takes very long: programs for another architecture are cross-built in the root of this one.
tools="python3-numpy python3-venv"
[[ $release = *-* ]] || tools+=" g++ make cmake pkgconf"
scripts/with-debian "$release" bash -euc '
  export DEBIAN_FRONTEND=noninteractive
  dpkg -s $0 >/dev/null 2>&1 || { apt-get -q update && apt-get -q -y install --no-install-recommends $0; }' "$tools"
rm -rf "$work"
mkdir -p "$work"
exec scripts/with-debian --discard "$release" tests/packages/in_clean_root.sh "$source_dir" "$packages" "$work" "$@"
