#!/usr/bin/env bash
# From the binaries of all targets to everything that a release is made of.
#
#   assemble.sh BUILT OUT     BUILT/built-TARGET/ holds the binaries of a target; OUT gets archives, parts lists, SHA256SUMS and
#                             the manifest, which is written into actions/_lib/ of this tree as well
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
built=$1 out=$2
manifest=$scripts/../../actions/_lib/manifest
version=$(sed -n 's/^version //p' "$manifest")

mkdir -p "$out"
for folder in "$built"/built-*/; do
  target=$(basename "$folder")
  target=${target#built-}
  "$scripts/pack.sh" "$target" "$folder" "$out"
  python3 "$scripts/sbom.py" "$target" >"$out/windlass-$version-$target.cdx.json"
done
"$scripts/manifest.sh" "$out"
cp "$manifest" "$out/manifest"
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "version=$version" >>"$GITHUB_OUTPUT"; fi
