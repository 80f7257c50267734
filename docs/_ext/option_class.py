"""Inline code that has an option, such as `--port` or `serve --lan`, gets the class `option` for the style sheet.

A browser may break a line after the dashes of an option. The style sheet keeps each word of such code together. Other
code, such as a long URL, may still be broken.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

OPTION = re.compile(r"(?:^|\s)-")


def mark_options(_: Sphinx, document: nodes.document) -> None:
    for code in document.findall(nodes.literal):
        if OPTION.search(code.astext()):
            code["classes"].append("option")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", mark_options)
    return {"parallel_read_safe": True}
