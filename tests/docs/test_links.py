"""Links within the project lead somewhere."""

import pytest

from tests.docs.markdown import ROOT, TEXTS, anchors, links, read


@pytest.mark.parametrize("text", TEXTS)
def test_links_lead_somewhere(text: str) -> None:
    for link in links(read(text)):
        path, _, anchor = link.partition("#")
        target = (ROOT / text).parent / path if path else ROOT / text
        assert target.exists(), f"{text} links to {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{text}: no {link}"


def test_links_are_found() -> None:
    assert "docs/datasets.md" in links(read("README.md"))
    assert "../cluster/README.md" in links(read("docs/scaling.md"))
    assert "docs/checkpoints.md#licences" in links(read("README.md"))
