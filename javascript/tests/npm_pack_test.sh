#!/usr/bin/env bash
# npm_pack_test.sh NPM TSC: packs the package, installs it into an empty project, and uses it there, from JavaScript and, where
# there is a TypeScript compiler, from TypeScript.
set -euo pipefail
npm=$1 tsc=$2 here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
rm -rf "$LOOKUPFFN_WORK"
mkdir -p "$LOOKUPFFN_WORK/project"
export npm_config_cache=$LOOKUPFFN_WORK/cache npm_config_update_notifier=false npm_config_offline=true npm_config_audit=false \
  npm_config_fund=false
(cd "$LOOKUPFFN_PACKAGE" && "$npm" pack --silent --pack-destination "$LOOKUPFFN_WORK")
archive=$(echo "$LOOKUPFFN_WORK"/lookupffn-*.tgz)
tar tzf "$archive" | sort >"$LOOKUPFFN_WORK/files"
diff "$LOOKUPFFN_WORK/files" - <<'EOF'
package/LICENSE
package/README.md
package/lookupffn.d.ts
package/lookupffn.js
package/lookupffn.wasm
package/package.json
package/system.js
EOF
cd "$LOOKUPFFN_WORK/project"
echo '{"name": "project", "private": true, "type": "module"}' >package.json
"$npm" install --silent "$archive"
cp "$here/consumer.ts" .
sed 's/: [A-Z][A-Za-z0-9]*\b//; s/import { type [A-Za-z]*, /import { /' consumer.ts >consumer.js
model=$LOOKUPFFN_TEST_DATA/golden/bh4_d192_t24_b7.model.safetensors
node consumer.js "$model" | grep -x 'y has 96 numbers'
if [ -n "$tsc" ]; then
  mkdir types
  echo 'declare module "node:fs" { export function readFileSync(path: string): Uint8Array; } declare const process: { argv: string[] };' >types/node.d.ts
  "$tsc" --noEmit --strict --target es2022 --module node16 --moduleResolution node16 --lib es2022,dom consumer.ts types/node.d.ts
  echo 'import { Model } from "lookupffn"; Model.fromBytes("text");' >wrong.ts
  if "$tsc" --noEmit --strict --target es2022 --module node16 --moduleResolution node16 --lib es2022,dom wrong.ts >/dev/null; then
    echo "the types let a text be a model" >&2
    exit 1
  fi
fi
