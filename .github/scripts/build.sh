#!/usr/bin/env bash
# Builds every binary that one target has in release, each by itself: a build of the whole workspace would unify the features of their
# dependencies, and a gate would link what only a deploy needs.
#
#   build.sh TARGET OUT
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=$1 out=$2
mkdir -p "$out"
files=$(bash .github/scripts/tools.sh "$target")
for file in $files; do
  tool=${file%.exe}
  package=windlass-$tool
  if [ "$tool" = windlass ]; then package=windlass; fi
  cargo build --release --locked --target "$target" --package "$package" --bin "$tool"
  cp "${CARGO_TARGET_DIR:-target}/$target/release/$file" "$out/$file"
done
