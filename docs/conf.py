"""How Sphinx makes the site: `make docs`. Its sources begin at the repository's root, so links work on GitHub too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import nbdeploy  # noqa: E402 - found by the line above

project = "nbdeploy"
author = project_copyright = "The nbdeploy authors"
version = release = nbdeploy.__version__
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "notebooks/README.md", "README.md", "CHANGELOG.md"]
exclude_patterns = [".venv", "build", "docs/_ext", "docs/_static", "**/.ipynb_checkpoints", "notebooks/build"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "generated", "look"]

# Markdown is what GitHub reads too; the tutorials are run once and kept until they change.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = {"on": "cache", "off": "off"}[os.environ.get("NBDEPLOY_DOCS_EXECUTE", "on")]
nb_execution_cache_path = str(HERE.parent / "build" / "docs" / "cache")
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # nothing is fetched: a widget leaves a plain page below itself, which is shown

# The reference: public names, with what they say of themselves.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "nbdeploy"
html_static_path = ["_static"]
html_css_files = ["nbdeploy.css"]
html_copy_source = html_show_sourcelink = False
highlight_language = "none"
smartquotes = False  # options and quotes stay what a reader types
pygments_style, pygments_dark_style = "friendly", "github-dark"
copybutton_exclude = ".linenos, .gp, .go"
suppress_warnings = ["mystnb.unknown_mime_type"]  # of widgets, see above
