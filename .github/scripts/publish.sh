#!/usr/bin/env bash
# Makes the commit that is released out of the one that was built, and tags it vVERSION. Pushes nothing.
#
# A commit cannot name itself, so there are two: the first has the manifest of what was built; the second has the workflows
# that others call refer to this project's actions by the sha of the first, instead of by the version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=$(sed -n 's/^version //p' actions/_lib/manifest)
repository=$(sed -n 's/^repository //p' actions/_lib/manifest)
workflows=(.github/workflows/pipeline.yml .github/workflows/environment.yml .github/workflows/rollback.yml)

if ! grep -q '^sha256 ' actions/_lib/manifest; then
  echo "publish: actions/_lib/manifest names no archive: run manifest.sh first" >&2
  exit 1
fi
if git rev-parse -q --verify "refs/tags/v$version" >/dev/null; then
  echo "publish: v$version is released already: raise the version in Cargo.toml and actions/_lib/manifest" >&2
  exit 1
fi

# The pipeline calls environment.yml, which refers to the actions: each gets the sha of a commit in which the other is right.
name_actions() { # FILE SHA
  sed -i "s|uses: $repository/\\(.*\\)@v$version\$|uses: $repository/\\1@$2 # v$version|" "$1"
}

git add actions/_lib/manifest
git commit -q -m "Name what was built of $version by its sha256"
built=$(git rev-parse HEAD)
sed -i "/actions\\//s|uses: $repository/\\(.*\\)@v$version\$|uses: $repository/\\1@$built # v$version|" "${workflows[@]}"
git add "${workflows[@]}"
git commit -q -m "Refer to the actions of $version by their commit"
named=$(git rev-parse HEAD)
name_actions .github/workflows/pipeline.yml "$named"
git add "${workflows[@]}"
git commit -q -m "Refer to the workflows of $version by their commit"
if grep -n "uses: $repository/.*@v" "${workflows[@]}" >&2; then
  echo "publish: a reference is left that is not a commit" >&2
  exit 1
fi
git tag -a "v$version" -m "Windlass $version"
git rev-parse HEAD
