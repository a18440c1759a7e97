"""The settings of the documentation's site: `sphinx-build -W -j 2 docs build/docs`.

Pages are Markdown (MyST) and notebooks; their code runs when the site is built, and a warning stops the build. A page belongs to
the group of its folder: `tutorials/`, `topics/`, `reference/`, and how-to pages beside this file. `reference/api/` is written by
`_ext/api_pages.py`. No page asks the network for anything: formulas are MathML, fonts are those of the reader's system.
"""

import os
import sys
import sysconfig
from pathlib import Path

from seqnets import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "seqnets"
author = "the authors of seqnets"
copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "api_pages", "mathml"]
exclude_patterns = ["_ext", "_static"]

# Pages and notebooks
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 600  # seconds per cell, for busy machines; each takes a few on an idle one
nb_merge_streams = True
html_math_renderer = "mathml"

# What the kernels of the pages inherit: this environment's commands, a CPU, plain lines in the place of progress bars
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
os.environ |= {"JAX_PLATFORMS": "cpu", "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "100"}

# The API reference, from docstrings
default_role = "py:obj"  # a name in backticks becomes a link if it is public
autodoc_typehints = "none"  # the arguments' section says what each is
autodoc_member_order = "bysource"
autosummary_generate = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"seqnets {release}"
html_static_path = ["_static"]
html_css_files = ["seqnets.css"]
html_copy_source = False
html_show_sphinx = False
