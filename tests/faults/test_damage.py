"""Every kind of damage to an image set is found, and a sound one has none."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import table_to_parquet
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import METADATA, content_name, image_name
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import STAGING, Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.write import Write
from tests.support.bad_inputs import PHOTO
from tests.support.damage import Damage, find_damage, read_files

IMAGE, CONTENT = image_name("a", "s", "png"), content_name("a", "png")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """An image set of a label map in two styles."""
    folder = Folder(str(tmp_path_factory.mktemp("image_set")))
    styles = [Style("s", "s.png"), Style("t", "t.png")]
    labels = np.zeros(PHOTO.shape[:2], np.uint8)
    scene = Scene(
        "a", styles, "a.png", label_map=labels, content=PHOTO, results=[PHOTO, 255 - PHOTO]
    )
    Write(ImageSetWriter(folder, "png", 95), COCO_STUFF, True)([scene])
    write_index(folder, read_log(folder), {}, {})
    return folder


def test_what_is_sound(folder: Folder) -> None:
    assert find_damage(folder, read_files(folder)) == Damage()


def test_files_that_are_missing_cut_off_or_too_many(folder: Folder) -> None:
    undisturbed = read_files(folder)
    folder.remove(CONTENT)
    folder.write(IMAGE, undisturbed[IMAGE][:-20])
    folder.write("images/00/b/s.png", undisturbed[IMAGE])
    folder.write(f"{STAGING}/0", b"")
    assert find_damage(folder, undisturbed) == Damage(missing=1, orphans=2, truncated=1)


@pytest.mark.parametrize(
    ("copies", "damage"),
    [(2, Damage(duplicates=2, truncated=1)), (0, Damage(missing=2, truncated=1))],
)
def test_rows_of_the_index(copies: int, damage: Damage, folder: Folder) -> None:
    undisturbed = read_files(folder)
    rows = pq.read_table(BytesIO(undisturbed[METADATA]))
    table = pa.concat_tables([rows.slice(0, 0), *[rows] * copies])
    folder.write(METADATA, table_to_parquet(table))
    assert find_damage(folder, undisturbed) == damage
