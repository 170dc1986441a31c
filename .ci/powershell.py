"""Reads PowerShell scripts with tree-sitter's grammar: nothing here can run them. Names each place that it cannot read.

    python powershell.py FILE...
"""
import sys

import tree_sitter_powershell
from tree_sitter import Language, Parser


def wrong(node):
    """The places below a node that the grammar does not know."""
    if node.is_error or node.is_missing:
        yield node.start_point
    for child in node.children:
        yield from wrong(child)


def main(paths):
    if not paths:
        sys.exit(__doc__)
    parser = Parser(Language(tree_sitter_powershell.language()))
    places = []
    for path in paths:
        with open(path, "rb") as script:
            tree = parser.parse(script.read())
        places += [f"{path}:{place[0] + 1}:{place[1] + 1}: not PowerShell" for place in wrong(tree.root_node)]
    if places:
        sys.exit("\n".join(places))


main(sys.argv[1:])
