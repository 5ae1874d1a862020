from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.labels import COCO_STUFF, instance_edges
from tools.demo_inputs.layouts import LAYOUTS, draw_layout, draw_layouts
from tools.demo_inputs.layouts.canvas import FIRST_OBJECT, SIZE, Camera, Layout
from tools.demo_inputs.layouts.objects import car

INPUTS = Path(str(files("spadepis"))) / "demo" / "inputs"
NUM_THINGS = 91


def read(folder: str, name: str) -> np.ndarray:
    return read_label_map(str(INPUTS / folder / f"{name}.png"), SIZE * SIZE)


def test_streets_landscapes_and_rooms_are_there() -> None:
    assert len(LAYOUTS) >= 12
    assert {path.stem for path in (INPUTS / "masks").iterdir()} == set(LAYOUTS)
    assert {path.stem for path in (INPUTS / "instances").iterdir()} == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_files_are_what_is_drawn(name: str) -> None:
    layout = draw_layout(name)
    np.testing.assert_array_equal(COCO_STUFF.decode(read("masks", name)), layout.labels)
    np.testing.assert_array_equal(read("instances", name), layout.instances)


def test_drawn_twice_the_files_have_the_same_bytes(tmp_path: Path) -> None:
    for output in ("first", "second"):
        draw_layouts(tmp_path / output)
    first = sorted((tmp_path / "first").rglob("*.png"))
    assert len(first) == 2 * len(LAYOUTS)
    for path in first:
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_a_scene_of_several_classes(name: str) -> None:
    labels = COCO_STUFF.decode(read("masks", name))
    shares = np.bincount(labels.ravel(), minlength=COCO_STUFF.num_classes) / labels.size
    assert labels.shape == (SIZE, SIZE)
    assert np.count_nonzero(shares) >= 5
    assert shares.max() < 0.6
    assert shares[COCO_STUFF.names.index("unknown")] < 0.02


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_object_has_an_id_and_stuff_that_of_its_class(name: str) -> None:
    labels, instances = COCO_STUFF.decode(read("masks", name)), read("instances", name)
    things = labels < NUM_THINGS
    np.testing.assert_array_equal(instances >= FIRST_OBJECT, things)
    np.testing.assert_array_equal(instances[~things], labels[~things])
    for identity in np.unique(instances[things]):
        assert len(np.unique(labels[instances == identity])) == 1


def test_adjacent_objects_of_one_class_are_told_apart() -> None:
    labels, instances = COCO_STUFF.decode(read("masks", "avenue")), read("instances", "avenue")
    cars = labels == COCO_STUFF.names.index("car")
    _, connected = ndimage.label(cars)
    assert len(np.unique(instances[cars])) > connected
    assert (instance_edges(instances) & ~instance_edges(labels)).any()


def test_an_object_painted_over_another_is_a_new_one() -> None:
    layout = Layout(np.random.default_rng(0), Camera(), "road")
    car(layout, (0.0, 12.0))
    car(layout, (0.9, 9.0))
    road = COCO_STUFF.names.index("road")
    assert np.unique(layout.instances).tolist() == [road, FIRST_OBJECT, FIRST_OBJECT + 1]


def test_the_camera_projects_metres_to_pixels_and_clips_what_is_behind() -> None:
    camera = Camera(focal=400.0, horizon=300.0, height=1.5)
    (corner, *_) = camera.project([(2.0, 0.0, 10.0), (2.0, 3.0, 10.0), (-2.0, 0.0, 10.0)])
    assert corner == pytest.approx((SIZE / 2 + 80.0, 360.0))
    assert camera.project([(0.0, 0.0, -1.0), (1.0, 0.0, -1.0), (0.0, 1.0, -2.0)]) == []
    # A triangle with one corner behind is cut to four.
    assert len(camera.project([(0.0, 0.0, -1.0), (1.0, 0.0, 5.0), (-1.0, 0.0, 5.0)])) == 4
