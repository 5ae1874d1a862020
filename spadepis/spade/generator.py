"""The SPADE generator: a label map in, a photo out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.loading import load_weights
from spadepis.checkpoints.reading import read_metadata, read_state_dict
from spadepis.kernels.convolution import Convolution3x3
from spadepis.kernels.derived import Derived
from spadepis.kernels.precision import exact_float32
from spadepis.labels import LabelSpace, instance_edges
from spadepis.spade.folding import FoldedConvolution
from spadepis.spade.noise import gaussian_noise, gaussian_noise_of_layers
from spadepis.spade.residual_block import NEGATIVE_SLOPE, Padding, SpadeResidualBlock
from spadepis.spade.semantic_map import LabelPadding, SemanticMap
from spadepis.spade.spectral_norm import fold_spectral_norm
from spadepis.spade.unlabelled_frame import Frame, fill_frame

# Five doublings lie between the first feature map and the image.
STRIDE = 32

# Noise maps of a block. A linear filter of a single map looks like a relief lit from one side.
NOISE_MAPS = 4

# The strides of the features in the blocks, in order.
BLOCK_STRIDES = (32, 16, 16, 8, 4, 2, 1)

# With a larger share of distinct 3x3 neighbourhoods, convolving at every pixel is faster: measured
# on a CPU; on a GPU by count of products and of bytes that are read and written.
DENSE_ABOVE_ON_CPU, DENSE_ABOVE_ON_GPU = 0.55, 0.15

# The weights whose shapes tell how wide the network of a checkpoint is.
BASE_WIDTH_KEY = "conv_img.weight"
HIDDEN_WIDTH_KEY = "head_0.norm_0.mlp_shared.0.weight"

# Weights that only networks with noise have.
NOISE_KEY = "head_0.noise_strength"

# The metadata of a safetensors file may name other paddings than zeros, and say that unlabelled
# frames of label maps are filled.
PADDING_KEY, LABEL_PADDING_KEY, FRAME_KEY = "padding", "label_padding", "unlabelled_frame"


class SpadeGenerator(nn.Module):
    """SPADE generator without encoder, ``num_upsampling_layers = normal`` (Park et al., fig. 11).

    The module's state dict has the keys of the published ``latest_net_G.pth`` after spectral
    norm is folded into the weights.

    Args:
        label_space: gives the input channels: one per class, and one of instance edges where
            the label space has them.
        base_width: channels of the last feature map; 64 in the published networks.
        hidden_width: channels inside each SPADE; 128 in the published networks.
        padding: padding of the features in 3x3 convolutions; zeros in the published networks.
        noise: whether the blocks add noise; those of the published networks do not.
        frame: whether an unlabelled frame of a label map is filled (see ``fill_frame``); it is kept
            in the published networks.
        label_padding: padding in convolutions of the label map; zeros in the published networks,
            which therefore see where the border is.

    Attributes:
        dense_above: the share of distinct 3x3 neighbourhoods above which the second convolution of
            each SPADE is computed at every pixel; None for that of the device.
    """

    def __init__(
        self,
        label_space: LabelSpace,
        base_width: int = 64,
        hidden_width: int = 128,
        padding: Padding = "zeros",
        noise: bool = False,
        frame: Frame = "kept",
        label_padding: LabelPadding = "zeros",
    ) -> None:
        super().__init__()
        self.label_space = label_space
        self.frame = frame
        self.label_padding = label_padding
        self.dense_above: float | None = None
        self._folded_fc: Derived[FoldedConvolution] = Derived()
        widths = [base_width * multiple for multiple in (16, 8, 4, 2, 1)]

        def block(channels_in: int, channels_out: int) -> SpadeResidualBlock:
            semantic_channels = label_space.semantic_channels
            return SpadeResidualBlock(
                channels_in, channels_out, semantic_channels, hidden_width, padding, noise
            )

        self.fc = nn.Conv2d(
            label_space.semantic_channels, widths[0], 3, padding=1, padding_mode=label_padding
        )
        self.head_0 = block(widths[0], widths[0])
        self.G_middle_0 = block(widths[0], widths[0])
        self.G_middle_1 = block(widths[0], widths[0])
        self.up_0 = block(widths[0], widths[1])
        self.up_1 = block(widths[1], widths[2])
        self.up_2 = block(widths[2], widths[3])
        self.up_3 = block(widths[3], widths[4])
        self.conv_img = Convolution3x3(widths[4], 3, padding)

    @classmethod
    def from_checkpoint(
        cls,
        path_or_uri: str | os.PathLike[str],
        label_space: LabelSpace,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a published ``latest_net_G.pth``, or the same weights as safetensors.

        Spectral norm is folded into the weights here, once. The widths, and whether the blocks
        add noise, follow from the weights; the padding is zeros and unlabelled frames are kept
        unless the metadata of a safetensors file says otherwise. The generator is returned in
        evaluation mode, without gradients.

        Raises:
            CheckpointError: the file is not a checkpoint, or a tensor does not fit
                ``label_space``; the message names the key, both shapes and the label space.
        """
        uri = str(path_or_uri)
        weights = fold_spectral_norm(read_state_dict(uri))
        for key in (BASE_WIDTH_KEY, HIDDEN_WIDTH_KEY):
            if key not in weights or weights[key].ndim != 4:
                raise CheckpointError(f"checkpoint {uri} is not a SPADE generator: no {key}")
        metadata = read_metadata(uri)
        padding, label_padding = (
            metadata.get(key, "zeros") for key in (PADDING_KEY, LABEL_PADDING_KEY)
        )
        frame = metadata.get(FRAME_KEY, "kept")
        if padding not in get_args(Padding):
            raise CheckpointError(f"checkpoint {uri} asks for an unknown padding, {padding!r}")
        if label_padding not in get_args(LabelPadding):
            raise CheckpointError(
                f"checkpoint {uri} asks for an unknown padding of label maps, {label_padding!r}"
            )
        if frame not in get_args(Frame):
            raise CheckpointError(
                f"checkpoint {uri} asks for an unlabelled frame to be {frame!r}, "
                "which is neither kept nor filled"
            )
        with torch.device("meta"):
            base_width = weights[BASE_WIDTH_KEY].shape[1]
            hidden_width = weights[HIDDEN_WIDTH_KEY].shape[0]
            generator = cls(
                label_space,
                base_width,
                hidden_width,
                cast(Padding, padding),
                NOISE_KEY in weights,
                cast(Frame, frame),
                cast(LabelPadding, label_padding),
            )
        # It counts batches in training only; safetensors files may lack it.
        for key in generator.state_dict():
            if key.endswith("num_batches_tracked"):
                weights.setdefault(key, torch.zeros((), dtype=torch.int64))
        purpose = f"the label space {label_space.name}"
        load_weights(generator, weights, uri, purpose, device, dtype)
        if torch.device(device).type != "cpu" or dtype == torch.float16:
            # They are folded into weights on GPUs. In float16 a variance may overflow.
            for name, module in generator.named_modules():
                if isinstance(module, nn.BatchNorm2d):
                    for statistic in ("running_mean", "running_var"):
                        exact = weights[f"{name}.{statistic}"].to(
                            device, torch.promote_types(dtype, torch.float32)
                        )
                        setattr(module, statistic, exact)
        return generator

    @property
    def metadata(self) -> dict[str, str]:
        """What the metadata of a safetensors file must say, for ``from_checkpoint`` to read it."""
        properties = {
            PADDING_KEY: self.conv_img.padding_mode,
            LABEL_PADDING_KEY: self.label_padding,
            FRAME_KEY: self.frame,
        }
        return {key: value for key, value in properties.items() if value not in ("zeros", "kept")}

    def forward(
        self, labels: Tensor, edges: Tensor | None = None, seeds: Tensor | None = None
    ) -> Tensor:
        """Synthesize photos.

        Args:
            labels: integer class indices [N,H,W], H and W divisible by 32. A network on a GPU
                wants them on the CPU as well.
            edges: instance edges, bool [N,H,W], for label spaces that have them. By default they
                are the borders between classes, as of an instance map without any object.
            seeds: seed of the noise of each image, int64 [N], by default 0. A network that adds no
                noise ignores them.

        Returns:
            [N,3,H,W] in [-1,1], in the dtype of the weights. Where values overflow, as they may in
            float16, it is NaN.

        Raises:
            ValueError: the size is not divisible by 32, a class index is outside the label space,
                or edges are given for a label space without them.
        """
        return self.synthesize(self.prepare(labels, edges), seeds)

    def prepare(
        self, labels: Tensor, edges: Tensor | None = None, device: torch.device | None = None
    ) -> SemanticMap:
        """What the CPU does for a GPU, which can be busy with another batch; see ``forward``.

        Args:
            labels: see ``forward``.
            edges: likewise.
            device: where the result is; that of the weights by default. A process that must not
                touch the GPU leaves it on the CPU, and another one moves it.
        """
        space = self.label_space
        labels = labels.cpu()
        self._check(labels, edges)
        given = classes = labels.numpy()
        instance_borders = None if edges is None else edges.cpu().bool().numpy()
        if self.frame == "filled":
            classes, instance_borders = fill_frame(classes, instance_borders, space)
        if space.has_instance_edges and instance_borders is None:
            instance_borders = instance_edges(classes)
        # A tensor of the same memory would hold garbage once another process is handed ``labels``.
        if classes is not given:
            labels = torch.from_numpy(classes)
        edges = None if instance_borders is None else torch.from_numpy(instance_borders)
        weight = self.fc.weight
        dense_above = self.dense_above
        if dense_above is None:
            on_cpu = weight.device.type == "cpu"
            dense_above = DENSE_ABOVE_ON_CPU if on_cpu else DENSE_ABOVE_ON_GPU
        semantics = SemanticMap(
            labels,
            edges,
            space.num_classes,
            weight.dtype,
            weight.device if device is None else device,
            dense_above,
            self.label_padding,
        )
        if weight.device.type != "cpu":
            for stride in sorted(set(BLOCK_STRIDES)):
                semantics.neighbourhoods(labels.shape[1] // stride)
        return semantics

    def _check(self, labels: Tensor, edges: Tensor | None) -> None:
        space = self.label_space
        height, width = labels.shape[-2:]
        if labels.ndim != 3 or height % STRIDE or width % STRIDE or not height * width:
            raise ValueError(
                f"labels must be [N,H,W] with H and W divisible by {STRIDE}, "
                f"not {list(labels.shape)}"
            )
        if not len(labels):
            raise ValueError("labels hold no label map")
        # Not every type of integers has a minimum in PyTorch.
        lowest, highest = int(labels.numpy().min()), int(labels.numpy().max())
        if lowest < 0 or highest >= space.num_classes:
            raise ValueError(
                f"class indices {lowest}..{highest} are outside {space.name} "
                f"(0..{space.num_classes - 1})"
            )
        if edges is not None and not space.has_instance_edges:
            raise ValueError(f"the label space {space.name} has no instance edges")
        if edges is not None and edges.shape != labels.shape:
            raise ValueError(f"edges {list(edges.shape)} do not match labels {list(labels.shape)}")

    @exact_float32()
    def synthesize(self, semantics: SemanticMap, seeds: Tensor | None = None) -> Tensor:
        """Synthesize photos of label maps that are prepared; see ``forward``."""
        noise = self._noise(semantics.labels.shape, seeds)
        x = self._coarsest_features(semantics)
        x = self.head_0(x, semantics, noise[0])
        x = self.G_middle_0(_double(x), semantics, noise[1])
        x = self.G_middle_1(x, semantics, noise[2])
        upsampling = self.up_0, self.up_1, self.up_2, self.up_3
        for block, block_noise in zip(upsampling, noise[3:], strict=True):
            x = block(_double(x), semantics, block_noise)
        image: Tensor = self.conv_img(F.leaky_relu(x, NEGATIVE_SLOPE))
        # Otherwise what is infinite would be black or white.
        return torch.add(torch.tanh(image), image, alpha=0)

    def _coarsest_features(self, semantics: SemanticMap) -> Tensor:
        """The features that the first block begins with."""
        height = semantics.labels.shape[1] // STRIDE
        weight = self.fc.weight
        if weight.device.type == "cpu" or weight.requires_grad:
            features: Tensor = self.fc(semantics.one_hot(height))
            return features

        def fold() -> FoldedConvolution:
            return FoldedConvolution(self.fc, self.label_space.num_classes, weight.dtype)

        table = self._folded_fc.get(weight.dtype, list(self.fc.parameters()), fold)
        neighbourhoods = semantics.neighbourhoods(height)
        pixels = F.embedding(neighbourhoods.index_3x3, table(neighbourhoods))
        return pixels.permute(0, 3, 1, 2)

    def _noise(self, shape: Sequence[int], seeds: Tensor | None) -> Sequence[Tensor | None]:
        """The noise maps of each block, or None where the network adds none."""
        if self.head_0.noise_strength is None:
            return [None] * len(BLOCK_STRIDES)
        count, height, width = shape
        if seeds is None:
            seeds = torch.zeros(count, dtype=torch.int64)
        sizes = [(height // stride, width // stride) for stride in BLOCK_STRIDES]
        weight = self.fc.weight
        if weight.device.type != "cpu":
            options = weight.device, weight.dtype
            return gaussian_noise_of_layers(seeds.cpu(), NOISE_MAPS, sizes, *options)
        return [gaussian_noise(seeds, layer, NOISE_MAPS, *size) for layer, size in enumerate(sizes)]


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
