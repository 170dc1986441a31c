#!/usr/bin/env bash
# Packs the binaries of one target into the archive that actions/_lib/run.sh looks for. The same binaries make the same bytes.
#
#   pack.sh TARGET FOLDER OUT     FOLDER holds the binaries; OUT gets windlass-VERSION-TARGET.tar.gz
#
# Needs GNU tar and gzip, so it runs on Linux for every target.
set -euo pipefail
target=$1 folder=$2 out=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=$(sed -n 's/^version //p' "$root/actions/_lib/manifest")
tools=$("$root/.github/scripts/tools.sh" "$target")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for tool in $tools; do
  if [ ! -s "$folder/$tool" ]; then
    echo "pack: $folder holds no $tool: build it for $target first" >&2
    exit 1
  fi
  # Uploads between jobs lose permissions.
  install -m 755 "$folder/$tool" "$work/$tool"
done
cp "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$work/"

mkdir -p "$out"
archive=$out/windlass-$version-$target.tar.gz
tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner --format=ustar \
  -C "$work" -cf - . | gzip -9n >"$archive"
echo "$archive"
