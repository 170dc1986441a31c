#!/usr/bin/env bash
# The crates of this workspace, one a line, each after all that it depends on: the order in which they can be published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo metadata --locked --format-version 1 --no-deps | python3 -c '
import json, sys

packages = json.load(sys.stdin)["packages"]
ours = {package["name"] for package in packages}
needs = {package["name"]: {dependency["name"] for dependency in package["dependencies"]
                           if dependency["name"] in ours and dependency["kind"] != "dev"} for package in packages}
while needs:
    ready = sorted(name for name in needs if not needs[name] & needs.keys())
    if not ready:
        sys.exit("crates: they need each other in a circle: " + ", ".join(sorted(needs)))
    for name in ready:
        print(name)
        del needs[name]
'
