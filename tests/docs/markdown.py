"""The documents of the project, and what is in them."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "spadepis/**/*.md", "cluster/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}.*\n|\n(?= {4}))+")
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_COMMAND = re.compile(
    r"(?:python jobs/|python -m tools\.|"
    r"spadepis (?:demo|run|plan|inspect|repair|checkpoints|figure|completion)\b)"
)


def read(text: str) -> str:
    return (ROOT / text).read_text(encoding="utf-8")


def fenced_blocks(markdown: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [block for name, block in _FENCED.findall(markdown) if name == language]


def commands(markdown: str) -> Iterator[str]:
    """The project's command lines in code blocks and spans, each as one line."""
    blocks = [block for name, block in _FENCED.findall(markdown) if name in ("", "bash", "sh")]
    prose = _FENCED.sub("", markdown)
    blocks += [textwrap.dedent(block) for block in _INDENTED.findall(prose)]
    # A span with only the name of a command is not a command line.
    spans = [" ".join(span.split()) for span in _SPAN.findall(_INDENTED.sub("", prose))]
    spans = [span for span in spans if len(span.replace("python -m ", "python ").split()) > 2]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    for line in [*lines, *spans]:
        for command in line.split("&&"):
            if _COMMAND.match(command.strip()):
                yield command.strip()


def links(markdown: str) -> list[str]:
    """Targets of links and pictures within the project."""
    prose = _INDENTED.sub("", _FENCED.sub("", markdown))
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(markdown: str) -> set[str]:
    """The anchors of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", markdown), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(markdown: str) -> Iterator[str]:
    """The rows of tables as they are displayed: links and code without their markup."""
    for line in _FENCED.sub("", markdown).splitlines():
        if line.startswith("|"):
            yield re.sub(r"\[([^\]]+)\]\([^)]+\)|`([^`]+)`", r"\1\2", line).replace("**", "")
