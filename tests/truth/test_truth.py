"""Everything that is read is read right, or refused for the right reason: nothing else.

The table is in the modules of cases. A case that may be refused has no silent wrong result either
when it is read: then it has to be read right.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.listing import SourceError
from tests.truth.case import Case, is_true
from tests.truth.grid_cases import grid_cases
from tests.truth.label_cases import label_cases
from tests.truth.member_cases import member_cases
from tests.truth.photo_cases import photo_cases
from tests.truth.product import Product, RefusedSceneError
from tests.truth.shared_cases import shared_cases

CASES = [*label_cases(), *photo_cases(), *grid_cases(), *member_cases(), *shared_cases()]
REFUSALS = (UnreadableImageError, SourceError, RefusedSceneError)

# Pillow says on the way what it finds odd.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_truth(case: Case, tmp_path: Path) -> None:
    try:
        found = case.read(Product(), tmp_path)
    except REFUSALS as error:
        assert case.refusal is not None, f"refused: {error}"
        assert re.search(case.refusal, str(error)), str(error)
    else:
        assert case.refusal is None, "read, though nothing tells what it means"
        assert is_true(found, case), "read wrong"


def test_names_are_distinct() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
