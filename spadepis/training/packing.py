"""Training data and the weights of the features in one file, for machines that have neither."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.replacement import replacing
from spadepis.training.photos import MAPPING_FILE, PairFile
from spadepis.training.sources import Source
from spadepis.training.training_pairs import TrainingPairs

FEATURE_WEIGHTS = "features.safetensors"
# Two thirds of JPEG's size at a quality of 80, without blocks that a network would learn.
WEBP_QUALITY = 75
SLOWEST_WEBP = 6
MEGABYTE = 10**6
# What an entry of a zip file takes beside its content and, twice, its name; the end of the file.
ENTRY_OVERHEAD, END_OF_FILE = 76, 22


def write_pack(
    path: Path,
    data: Path,
    pairs: TrainingPairs,
    shown: Sequence[PairFile],
    features: Mapping[str, Tensor],
    megabytes: int,
) -> int:
    """Write a zip file of pairs and weights, of which ``unpack`` makes a folder.

    Photos are shrunk as they are for training, and saved as WebP of quality 75. Each source gets
    space by its weight; what a small source does not need goes to the others. Of a source that does
    not fit, pairs with rare classes are taken rather than others, as they are drawn in training.

    Args:
        path: file to write.
        data: folder that all pairs lie in.
        pairs: the pairs to train on.
        shown: the pairs of the sample sheets.
        features: weights of the frozen features; they are saved in float16.
        megabytes: largest size of the file, in 10^6 bytes.

    Returns:
        The number of pairs to train on that the file holds.

    Raises:
        ConfigurationError: a pair does not lie in the data folder, or there is no space for a pair
            of each source.
    """
    everything = [pair for source in pairs.sources for pair in source.items]
    for file in (file for pair in (*everything, *shown) for file in (pair.photo, pair.labels)):
        if not file.is_relative_to(data) or ".." in file.relative_to(data).parts:
            raise ConfigurationError(f"--pack: {file} does not lie in --data {data}")
    count = 0
    with replacing(path) as unfinished, ZipFile(unfinished, "w") as pack:
        half = {key: value.half().contiguous() for key, value in features.items()}
        free = (
            megabytes * MEGABYTE
            - END_OF_FILE
            - _add(pack, {FEATURE_WEIGHTS: safetensors.torch.save(half)})
        )
        labels = {pair.labels.parents[1] for pair in (*everything, *shown)}
        for mapping in sorted(folder / MAPPING_FILE for folder in labels):
            if mapping.exists():
                free -= _add(pack, {str(mapping.relative_to(data)): mapping.read_bytes()})
        for pair in shown:
            free -= _add(pack, _files(pair, data))
        # The smallest first, so that it is known what they leave over.
        sources = sorted(pairs.sources, key=lambda source: len(source.items) / source.weight)
        weights = [source.weight for source in sources]
        for number, source in enumerate(sources):
            share = free * weights[number] / sum(weights[number:])
            before = count
            for pair in _shuffled(source):
                files = _files(pair, data)
                if _space(files) > share:
                    break
                taken = _add(pack, files)
                share, free, count = share - taken, free - taken, count + 1
            if count == before:
                raise ConfigurationError(
                    f"--pack {megabytes}: too few megabytes for the weights, the pairs of the "
                    "sheets, and a pair of each source"
                )
    return count


def unpack(path: Path, folder: Path) -> None:
    """Extract what ``write_pack`` wrote into a folder.

    Raises:
        ConfigurationError: it is damaged, or there is no space.
    """
    try:
        with ZipFile(path) as pack:
            pack.extractall(folder)
    except (BadZipFile, OSError, zlib.error, EOFError) as error:
        raise ConfigurationError(f"{path} cannot be unpacked: {error}") from error


def _shuffled(source: Source[PairFile]) -> list[PairFile]:
    """All pairs of a source in the order in which they would be drawn by their weights.

    Efraimidis and Spirakis, *Information Processing Letters* 2006: by ``u ** (1 / weight)``, where
    u is random; here it is a hash of the name, so that a pack comes out the same again.
    """
    hashes = torch.tensor([zlib.crc32(pair.id.encode()) for pair in source.items])
    keys = ((hashes + 1).double() / 2**32).log() / source.weights
    return [source.items[int(number)] for number in keys.argsort(descending=True)]


def _files(pair: PairFile, data: Path) -> dict[str, bytes]:
    """Photo and label map at the size for training, by path in the data folder."""
    photo, values = pair.read_values()
    encoded = io.BytesIO()
    Image.fromarray(photo).save(encoded, "WEBP", quality=WEBP_QUALITY, method=SLOWEST_WEBP)
    encoded_labels = io.BytesIO()
    Image.fromarray(values).save(encoded_labels, "PNG", optimize=True)
    return {
        str(pair.photo.relative_to(data).with_suffix(".webp")): encoded.getvalue(),
        str(pair.labels.relative_to(data)): encoded_labels.getvalue(),
    }


def _add(pack: ZipFile, files: Mapping[str, bytes]) -> int:
    """Write files into a zip file; the space that they take."""
    for name, content in files.items():
        pack.writestr(name, content)
    return _space(files)


def _space(files: Mapping[str, bytes]) -> int:
    return sum(
        len(content) + 2 * len(name.encode()) + ENTRY_OVERHEAD for name, content in files.items()
    )
