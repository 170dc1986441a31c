#!/bin/sh
# Builds what is released into dist/. The pipeline runs it, and so can you. It is yours to change.
set -eu
cd "$(dirname "$0")/.."
for tool in @needs@; do
  command -v "$tool" >/dev/null || { echo "windlass/build.sh: install $tool on this machine" >&2; exit 3; }
done
# What may stay from one build to the next; the pipeline says where, or keeps .cache itself.
cache=${BUILD_CACHE:-$PWD/.cache}
mkdir -p "$cache"

@build@
