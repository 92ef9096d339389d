#!/usr/bin/env bash
# lintian_test.sh PACKAGES: the Debian packages have no errors and warnings of lintian, but for those that are explained here.
set -euo pipefail
packages=$1
if ! command -v lintian >/dev/null; then
  echo "there is no lintian: apt-get install lintian" >&2
  exit 77
fi
suppressed=(
  initial-upload-closes-no-bugs # they are not uploaded to Debian
  maintscript-calls-ldconfig    # CPack does so, beside the trigger
)
lintian --allow-root --fail-on error,warning --suppress-tags "$(IFS=,; echo "${suppressed[*]}")" "$packages"/*.deb
