from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.photowct import PhotoWCT
from spadepis.training.cascade import Cascade, widths_by_name
from spadepis.training.config import TrainPhotoWCTConfig
from spadepis.training.descent import descend
from spadepis.training.perceptual import PerceptualNetwork
from spadepis.training.photos import read_photo
from spadepis.training.photowct import train_photowct
from spadepis.training.photowct_losses import (
    structure_distance,
    style_distance,
    transfer,
)
from spadepis.training.runs import train_photowct_job
from spadepis.training.sources import Source

WIDTHS = (8, 10, 12, 16)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Gradients of different colours, 80 pixels a side."""
    ramp = torch.linspace(0, 255, 80).expand(80, 80)
    paths = []
    for shade in (0.0, 0.3, 0.6, 0.9):
        photo = torch.stack([ramp * shade, ramp.T * (1 - shade), ramp], dim=2).byte()
        paths.append(tmp_path / f"{shade}.jpg")
        Image.fromarray(photo.numpy()).save(paths[-1], quality=95)
    return paths


def train(
    photos: list[Path], perceptual: PerceptualNetwork, output: Path, steps: int
) -> dict[str, Tensor]:
    config = TrainPhotoWCTConfig(
        output=output,
        widths=WIDTHS,
        steps=steps,
        batch_size=2,
        crop=32,
        learning_rate=1e-3,
        bfloat16=False,
    )
    return train_photowct(config, [Source.of_equals(photos)], photos[:1], perceptual).export()


def error(weights: dict[str, Tensor], photo_file: Path, path: Path) -> float:
    safetensors.torch.save_file(weights, path)
    network = PhotoWCT.from_checkpoint(path)
    photo = read_photo(photo_file).float() / 255
    with torch.no_grad():
        return float(
            (network.stylize(photo, [network.encode_style(photo)])[0] - photo).abs().mean()
        )


def test_training_learns_to_give_photos_back(
    photos: list[Path], perceptual: PerceptualNetwork, tmp_path: Path
) -> None:
    first = train(photos, perceptual, tmp_path / "first", 1)
    last = train(photos, perceptual, tmp_path / "last", 80)
    before = error(first, photos[0], tmp_path / "before.safetensors")
    assert error(last, photos[0], tmp_path / "after.safetensors") < 0.8 * before
    assert (tmp_path / "last" / "samples.jpg").exists()


def test_a_stopped_training_is_resumed(
    photos: list[Path], perceptual: PerceptualNetwork, tmp_path: Path
) -> None:
    train(photos, perceptual, tmp_path, 3)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 3
    first = {key: tensor.clone() for key, tensor in state["parts"]["cascade"].items()}
    train(photos, perceptual, tmp_path, 4)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 4
    steps = {int(moments["step"]) for moments in state["parts"]["optimizer"]["state"].values()}
    assert max(steps) == 4
    assert any(not torch.equal(first[key], state["parts"]["cascade"][key]) for key in first)


def test_export_scales_features_and_keeps_pictures() -> None:
    torch.manual_seed(0)
    cascade = Cascade(WIDTHS).double()
    for parameter in cascade.parameters():
        # Biases too, so that a wrong scale of one shows.
        parameter.data += 0.05 * torch.randn_like(parameter)
    weights = cascade.export()
    widths = dict.fromkeys((1, 2, 3, 4), widths_by_name(WIDTHS))
    network = PhotoWCT(widths, float(cascade.metadata["pooling_tolerance"])).double()
    network.load_state_dict(weights)
    image = torch.rand(1, 3, 48, 40, dtype=torch.float64)
    with torch.no_grad():
        features, poolings = cascade.encoder.forward_levels(image)
        for level in (1, 2, 3, 4):
            encoded, kept = network.get_submodule(f"e{level}")(image)
            torch.testing.assert_close(encoded, 100 * features[level])
            decoded = network.get_submodule(f"d{level}")(encoded, kept)
            expected = cascade.decode(level, features[level], poolings)
            torch.testing.assert_close(decoded, expected)


def test_training_starts_from_what_it_exported() -> None:
    first, second = Cascade(WIDTHS), Cascade(WIDTHS)
    second.start_from(first.export())
    torch.testing.assert_close(first.export(), second.export())
    trained = {name.split(".")[0] for name, p in second.named_parameters() if p.requires_grad}
    assert trained == {"decoders"}


def test_transfer_gives_the_statistics_of_the_style() -> None:
    random = torch.Generator().manual_seed(0)
    content = torch.randn(2, 3, 16, 16, generator=random)
    style = 2 + torch.randn(2, 3, 16, 16, generator=random) * torch.tensor([1.0, 3, 5]).view(
        3, 1, 1
    )
    transferred = transfer(content, style, scale=1000.0)
    assert style_distance([transferred], [style]) < 1e-4 < style_distance([content], [style])


def test_flat_photos_can_be_trained_on(
    perceptual: PerceptualNetwork, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{shade}.png" for shade in (0, 255)]
    for path in paths:
        Image.new("RGB", (40, 40), (int(path.stem),) * 3).save(path)
    weights = train(paths, perceptual, tmp_path / "out", 1)
    assert all(weight.isfinite().all() for weight in weights.values())
    assert "step 0 of 1; state and samples in" in capsys.readouterr().out


def test_a_training_that_diverges_ends_with_one_line() -> None:
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight])
    with pytest.raises(ConfigurationError, match="the training has diverged"):
        descend(optimizer, (weight * torch.inf).sum(), 1.0)
    assert float(weight.detach()) == 1


def test_an_output_that_cannot_be_written_is_found_before_training(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spadepis.training.runs.perceptual_network", lambda _: None)
    config = TrainPhotoWCTConfig(data=photos[0].parent, output=photos[0], photos=(Path(),))
    with pytest.raises(ConfigurationError, match=r"--output .* cannot be written: File exists"):
        train_photowct_job(config)


def test_structure_distance_is_zero_under_a_change_of_light() -> None:
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert abs(float(structure_distance(0.3 * image + 0.2, image))) < 1e-5
    assert float(structure_distance(image.flip(3), image)) > 0.5


def test_without_photos_there_is_nothing_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases: list[tuple[tuple[Path, ...], str]] = [
        ((), "give folders with --photos"),
        ((Path("empty"),), "has no photo"),
    ]
    for photos, reason in cases:
        config = TrainPhotoWCTConfig(data=tmp_path, output=tmp_path / "out", photos=photos)
        with pytest.raises(ConfigurationError, match=reason):
            train_photowct_job(config)
