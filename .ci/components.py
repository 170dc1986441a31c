"""Writes out what GitLab makes of components: components.py FOLDER TEMPLATE...

A component is two YAML documents, and GitLab's schema describes the second only once its inputs are filled in. So each is
taken apart, and the jobs are written with the inputs' defaults, and with a word of their own where they have none.
"""

import pathlib
import re
import sys

import yaml

REFERENCE = re.compile(r"\$\[\[ inputs\.([a-z-]+) \]\]")


def default(name, spec):
    if "default" in spec:
        return spec["default"]
    if spec.get("type") == "array":
        return ["true"]
    return name


def filled(node, inputs):
    if isinstance(node, dict):
        return {filled(key, inputs): filled(value, inputs) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, inputs) for value in node]
    if not isinstance(node, str):
        return node
    whole = REFERENCE.fullmatch(node)
    if whole:
        # Alone it keeps its type; within a text it becomes one.
        return inputs[whole[1]]

    def text(found):
        value = inputs[found[1]]
        return str(value).lower() if isinstance(value, bool) else str(value)

    return REFERENCE.sub(text, node)


def main(folder, templates):
    for template in map(pathlib.Path, templates):
        spec, jobs = yaml.safe_load_all(template.read_text())
        inputs = {name: default(name, one or {}) for name, one in spec["spec"]["inputs"].items()}
        for part, content in (("spec", spec), ("jobs", filled(jobs, inputs))):
            target = pathlib.Path(folder) / f"{template.parent.name}-{part}.yml"
            target.write_text(yaml.safe_dump(content, sort_keys=False))


main(sys.argv[1], sys.argv[2:])
