#!/usr/bin/env bash
# Writes what actions/_lib/run.sh holds every download against: the sha256 of each archive and of each tool in it. And
# SHA256SUMS beside the archives, for people.
#
#   manifest.sh FOLDER     FOLDER holds the archives of one version; writes actions/_lib/manifest of this tree
#
# A release without Linux on x64 and arm64 is none.
set -euo pipefail
folder=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
manifest=$root/actions/_lib/manifest
version=$(sed -n 's/^version //p' "$manifest")
repository=$(sed -n 's/^repository //p' "$manifest")

for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl; do
  if [ ! -s "$folder/windlass-$version-$target.tar.gz" ]; then
    echo "manifest: $folder holds no archive of version $version for $target" >&2
    exit 1
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hash_of() { sha256sum <"$1" | cut -d' ' -f1; }

{
  echo "version $version"
  echo "repository $repository"
  for archive in "$folder"/windlass-"$version"-*.tar.gz; do
    name=$(basename "$archive")
    target=${name#"windlass-$version-"}
    target=${target%.tar.gz}
    mkdir "$work/$target"
    tar -xzf "$archive" -C "$work/$target"
    for tool in "$work/$target"/*; do
      case $(basename "$tool") in LICENSE-*) continue ;; esac
      echo "sha256 $(hash_of "$tool") $target/$(basename "$tool")"
    done
    echo "sha256 $(hash_of "$archive") $target/$name"
  done
} >"$work/manifest"
(cd "$folder" && sha256sum windlass-"$version"-*) >"$work/SHA256SUMS"
# Both or none.
mv "$work/manifest" "$manifest"
mv "$work/SHA256SUMS" "$folder/SHA256SUMS"
