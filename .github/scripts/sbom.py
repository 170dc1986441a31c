#!/usr/bin/env python3
"""The parts list of the release binaries as CycloneDX 1.6, from cargo and Cargo.lock: what is linked for one target, without what
only builds or tests need. The umbrella links every other binary's packages; where there is none, each binary counts.

    sbom.py TARGET >windlass-VERSION-TARGET.cdx.json
"""
import json
import os
import subprocess
import sys
import tomllib

def cargo(root, *words):
    run = subprocess.run(["cargo", *words], cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout


def binaries(target):
    """The packages of the binaries that together link all that this target's release does."""
    tools = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools.sh")
    run = subprocess.run(["bash", tools, target], check=True, stdout=subprocess.PIPE, text=True)
    names = [name.removesuffix(".exe") for name in run.stdout.split()]
    return ["windlass"] if "windlass" in names else [f"windlass-{name}" for name in names]


def linked(root, target, roots):
    """Names and versions of what cargo links, by the features that this build has: its metadata would add what tests turn on."""
    trees = [cargo(root, "tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none",
                   "--format", "{p}", "--target", target) for package in roots]
    return {(line.split()[0], line.split()[1].removeprefix("v"))
            for tree in trees for line in tree.splitlines() if line.strip()}


def main(target):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    metadata = json.loads(cargo(root, "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    roots = binaries(target)
    wanted = linked(root, target, roots)
    packages = {package["id"]: package for package in metadata["packages"]
                if (package["name"], package["version"]) in wanted}
    if len(packages) != len(wanted):
        sys.exit(f"sbom: cargo links {len(wanted)} packages and describes {len(packages)} of them")
    edges = {node["id"]: [dependency["pkg"] for dependency in node["deps"] if dependency["pkg"] in packages
                          and any(kind["kind"] is None for kind in dependency["dep_kinds"])]
             for node in metadata["resolve"]["nodes"] if node["id"] in packages}
    released = [package for package in packages if packages[package]["name"] in roots]
    with open(os.path.join(root, "Cargo.lock"), "rb") as lock:
        checksums = {(package["name"], package["version"]): package.get("checksum")
                     for package in tomllib.load(lock)["package"]}

    def reference(package):
        return f"pkg:cargo/{packages[package]['name']}@{packages[package]['version']}"

    def component(package):
        known = packages[package]
        part = {"type": "library", "bom-ref": reference(package), "name": known["name"], "version": known["version"],
                "purl": reference(package)}
        if known.get("license"):
            part["licenses"] = [{"expression": known["license"].replace("/", " OR ")}]
        checksum = checksums.get((known["name"], known["version"]))
        if checksum:
            part["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return part

    version = packages[released[0]]["version"]
    whole = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "windlass", "name": "windlass", "version": version},
                     "properties": [{"name": "target", "value": target}]},
        "components": [component(package) for package in sorted(packages, key=reference)],
        "dependencies": [{"ref": "windlass", "dependsOn": sorted(map(reference, released))}]
        + [{"ref": reference(package), "dependsOn": sorted({reference(one) for one in edges[package]})}
           for package in sorted(edges, key=reference)],
    }
    json.dump(whole, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
