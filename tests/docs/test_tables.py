"""Tables fit on a screen."""

import pytest

from tests.docs.markdown import TEXTS, read, table_rows

WIDEST = 120


@pytest.mark.parametrize("text", TEXTS)
def test_rows_fit_on_a_screen(text: str) -> None:
    too_wide = [row for row in table_rows(read(text)) if len(row) > WIDEST]
    assert not too_wide


def test_rows_are_found() -> None:
    rows = list(table_rows("| [a](b.md) | `c` |\n|---|---|\ntext | text\n"))
    assert rows == ["| a | c |", "|---|---|"]
