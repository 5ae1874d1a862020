"""A hook of MkDocs, named by mkdocs.yml: pages from all over the repository, and mathematics.

Pages and the files that they link to keep their paths in the repository, so that one relative link
works on the site and in the repository.
"""

import re
from html import unescape
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PUBLISHED = (
    "*.md",
    "CITATION.cff",
    "LICENSE",
    "cluster/*",
    "docs/**/*",
    "examples/*",
    "spadepis/checkpoints/models/README.md",
)
# What the Markdown extension arithmatex makes of $...$ and of $$...$$.
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_DISPLAYED = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of ``docs_dir`` by all that are published."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for path in sorted({path for pattern in PUBLISHED for path in ROOT.glob(pattern)}):
        if path.is_file():
            uri = path.relative_to(ROOT).as_posix()
            files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn formulas into MathML, which browsers show without any script."""
    html = _INLINE.sub(lambda formula: _mathml(formula[1], "inline"), html)
    return _DISPLAYED.sub(lambda formula: _mathml(formula[1], "block"), html)


def _mathml(formula: str, display: str) -> str:
    return convert(unescape(formula), display=display)
