"""Sphinx's settings for the documentation site, which `make docs` builds (`tools/site/build.py`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

REPOSITORY = ""
"""The address of the repository, such as "https://github.com/OWNER/fastgrad". Links to files that are not pages lead there.
While it is empty, such a link is its text and the file's path, without an address."""

BRANCH = "main"

project = "fastgrad"
author = "The fastgrad authors"
copyright = author  # Sphinx's name
extensions = ["myst_parser", "sphinx_copybutton", "links"]

root_doc = "index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4  # headings have the anchors that a repository's page gives them
nitpicky = True
default_role = "code"
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries = False  # the theme would resolve thousands of entries for each page; tables list the names
highlight_language = "text"
copybutton_exclude = ".linenos, .gp, .go"  # a copied doctest has neither prompts nor output

html_theme = "furo"
html_title = "fastgrad"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "top_of_page_buttons": [],
    "footer_icons": [{"name": "repository", "url": REPOSITORY, "html": "repository", "class": ""}]
    if REPOSITORY
    else [],
}
html_context = {"repository": REPOSITORY, "branch": BRANCH}
