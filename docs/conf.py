"""Sphinx configuration: `sphinx-build -W docs docs/_build`."""

import re
from importlib import metadata

project = "dynboltz"
author = "The dynboltz developers"
release = metadata.version("dynboltz")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"page_width": "72rem", "sidebar_width": "15rem"}

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"

default_role = "code"
napoleon_google_docstring = False
napoleon_use_ivar = True
# Sections "Returns" name values, whose types are in the signature; they are no names of types.
napoleon_use_rtype = False
napoleon_attr_annotations = False
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "imported-members": True,
    "show-inheritance": True,
}

_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"\$(.+?)\$", re.DOTALL)


def _render_math(app, what, name, obj, options, lines):
    """Docstrings write mathematics between dollars; reStructuredText has a directive and a role."""
    text = _DISPLAY.sub(_display, "\n".join(lines))
    text = _INLINE.sub(lambda match: f":math:`{' '.join(match[1].split())}`", text)
    lines[:] = text.split("\n")


def _display(match):
    return f"\n\n.. math:: {' '.join(match[1].split())}\n\n"


def setup(app):
    """Read docstrings as they are written, before napoleon does."""
    app.connect("autodoc-process-docstring", _render_math, priority=400)
