"""How Sphinx builds the documentation: `sphinx-build -W -n docs build/docs`."""

import sys
import tomllib
from pathlib import Path

sys.path.append(str(Path(__file__).with_name("_ext")))

project = "async_downloads"
author = "the authors of async_downloads"
version = release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"][
    "version"
]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "command_help", "option_class"]

html_theme = "furo"
html_favicon = "../async_downloads/site/templates/icon.svg"
html_title = project
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
# The parts of Furo's sidebar, and the version below the title: in the title it would break the name.
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/version.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp"

# In docstrings, `name` is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# The descriptions of other projects are on the web, which the tests do not reach: only our own names are checked.
nitpick_ignore_regex = [("py:.*", r"(?!async_downloads\.).*")]
# Private classes in the signatures of public functions; their public base class or protocol is described.
nitpick_ignore = [
    ("py:class", f"async_downloads.{name}")
    for name in (
        "client.options.DownloadOptions",
        "content.UploadedFile",
        "offload.Offload",
        "open_file.FileRegion",
        "quart.send.ContentOptions",
        "responder.Response",
        "semantics.representation.RequestHead",
        "sources.files.FileSource",
        "sources.object_storage.source.ObjectSource",
    )
]
