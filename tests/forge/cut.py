#!/usr/bin/env python3
"""Cuts GitHub's own OpenAPI description to the calls that Windlass makes: `cut.py IN OUT [PREFIX]`.

PREFIX stands before every path, as /api/v3 does on GitHub Enterprise Server. A call that the description does not have is
an error: what is asked there exists.
"""

import json
import sys

CALLS = {
    "/repos/{owner}/{repo}": ["get"],
    "/repos/{owner}/{repo}/deployments": ["get", "post"],
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses": ["get", "post"],
    "/repos/{owner}/{repo}/environments/{environment_name}": ["get"],
    "/repos/{owner}/{repo}/branches/{branch}": ["get"],
    "/repos/{owner}/{repo}/rules/branches/{branch}": ["get"],
    "/repos/{owner}/{repo}/actions/runs": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}": ["get"],
    "/repos/{owner}/{repo}/actions/runs/{run_id}/approvals": ["get"],
    "/repos/{owner}/{repo}/commits/{ref}": ["get"],
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ["get"],
    "/repos/{owner}/{repo}/pulls": ["get"],
    "/repos/{owner}/{repo}/pulls/{pull_number}/commits": ["get"],
    "/repos/{owner}/{repo}/pulls/{pull_number}/reviews": ["get"],
    "/orgs/{org}/teams/{team_slug}": ["get"],
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": ["get"],
}


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def main(source, target, prefix=""):
    with open(source, encoding="utf-8") as file:
        whole = json.load(file)
    paths, components = {}, {}
    for path, methods in CALLS.items():
        kept = {method: whole["paths"][path][method] for method in methods}
        # Examples of callbacks and code samples are not looked at, and cost memory.
        for call in kept.values():
            call.pop("x-codeSamples", None)
        if "parameters" in whole["paths"][path]:
            kept["parameters"] = whole["paths"][path]["parameters"]
        paths[prefix + path] = kept
    wanted = list(references(paths))
    seen = set()
    while wanted:
        reference = wanted.pop()
        if reference in seen:
            continue
        seen.add(reference)
        _, _, group, name = reference.split("/")
        component = whole["components"][group][name]
        components.setdefault(group, {})[name] = component
        wanted.extend(references(component))
    description = {
        "openapi": whole["openapi"],
        "info": {"title": "GitHub, cut", "version": whole["info"]["version"]},
        "paths": paths,
        "components": components,
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(description, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
