"""Which styles a mask gets."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spadepis.matching.pairing import PairingError, random_styles, read_pairs


def test_styles_are_drawn_independently_of_order_and_other_masks() -> None:
    styles = [f"style{i}" for i in range(16)]
    drawn = random_styles("mask", styles, 4, seed=0)
    assert len(set(drawn)) == 4
    assert random_styles("mask", styles[::-1], 4, seed=0) == drawn
    assert random_styles("mask", styles, 2, seed=0) == drawn[:2]
    assert random_styles("mask", styles, 4, seed=1) != drawn
    counts = dict.fromkeys(styles, 0)
    for i in range(1000):
        for style in random_styles(f"mask{i}", styles, 4, seed=0):
            counts[style] += 1
    # Binomial with mean 250 and standard deviation 14.
    assert all(180 < count < 320 for count in counts.values())
    with pytest.raises(ValueError, match="17 styles"):
        random_styles("mask", styles, 17, seed=0)


def test_pairs_are_read_from_csv_and_parquet(tmp_path: Path) -> None:
    csv = tmp_path / "pairs.csv"
    csv.write_text('note,style_id,mask_id\n,dusk,000139\nx,"a,b",000139\n,dusk,7\n,dusk,000139\n')
    expected = {"000139": ["dusk", "a,b"], "7": ["dusk"]}
    assert read_pairs(str(csv)) == expected
    rows = [{"mask_id": mask, "style_id": style} for mask in expected for style in expected[mask]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    assert read_pairs(str(tmp_path / "pairs.parquet")) == expected
    csv.write_text("mask_id,style_id\nNA,null\nnan,None\n")
    assert read_pairs(str(csv)) == {"NA": ["null"], "nan": ["None"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("mask_id,style\na,b\n", "has no column style_id"),
        ("mask_id,style_id\na,b\n,c\n", "row 2 has no id"),
        ("mask_id,style_id\na,b,c\n", "cannot be read as a table"),
        ("mask_id,style_id\n", "has no rows"),
        ("mask_id,style_id,style_id\na,b,c\n", "has several columns style_id"),
        ("", "cannot be read as a table"),
        ("mask_id,style_id\na,b\n".encode("utf-16"), "cannot be read as a table"),
        ("mask_id,style_id,größe\na,b,c\n".encode("latin-1"), "cannot be read as a table"),
    ],
)
def test_tables_that_cannot_be_used(content: str | bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(PairingError, match=reason):
        read_pairs(str(path))
    with pytest.raises(PairingError, match="cannot be read"):
        read_pairs(str(tmp_path / "none.csv"))


@pytest.mark.parametrize("ids", [[["a"]], [b"\xff"], [{"a": 1}]], ids=["list", "bytes", "struct"])
def test_ids_are_texts(ids: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.table({"mask_id": ids, "style_id": ["s"]}), path)
    with pytest.raises(PairingError, match="column mask_id is of .*, not of texts"):
        read_pairs(str(path))
