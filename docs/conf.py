"""How Sphinx makes a site of the pages: `make docs`.

Its sources are the whole repository, so that a link between pages, or from one to a file, is the same here and
where the repository is browsed.
"""

from contract.version import VERSION

project = "review-sentiment"
version = release = VERSION
html_title = f"{project} {VERSION}"
language = "en"

nitpicky = True
root_doc = "docs/index"
include_patterns = ["docs/**.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"]
exclude_patterns = [".*", "runs", "build"]
templates_path = ["templates"]
html_additional_pages = {"index": "to_home.html"}  # a site is opened at its root

extensions = ["myst_parser"]
myst_heading_anchors = 3  # what `page.md#heading` leads to

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
