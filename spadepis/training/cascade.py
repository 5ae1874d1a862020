"""PhotoWCT's cascade in training: one encoder that holds the shallower ones, and 4 decoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from spadepis.photowct.network import ENCODER_BLOCKS, LEVELS, Decoder, Encoder, Pooling
from spadepis.photowct.photowct import POOLING_TOLERANCE_KEY

# Features are stored so much larger than they are trained. PhotoWCT adds the identity to their
# covariance before it whitens: at this scale it only mutes what is under a hundredth of a unit.
FEATURE_SCALE = 100.0

# Up to which difference of features poolings do not tell their positions (see ``max_pool``): what
# noise of one to two levels of 255 makes of flat areas.
POOLING_TOLERANCE = 0.1

# The channels that pass colours through at the start, and what random weights count in them.
COLOUR_CHANNELS = 6
RANDOM_SHARE = 0.1

# The decoders' convolutions right after an unpooling.
AFTER_UNPOOLING = ("conv1_2", "conv2_2", "conv3_4")


def widths_by_name(widths: Sequence[int]) -> dict[str, int]:
    """Output channels of every convolution from those of levels 1 to 4; 64 to 512 as published."""
    blocks = zip(widths, ENCODER_BLOCKS[4], strict=True)
    return {name: width for width, block in blocks for name in block}


class Cascade(nn.Module):
    """What is trained: the deepest encoder, a decoder for each level, and the distilling heads.

    The heads predict SqueezeNet's features from those of levels 3 and 4, which have the same
    stride, so that what is transferred is more than colours; they are dropped at the end.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        by_name = widths_by_name(widths)
        self.encoder = Encoder(4, by_name, POOLING_TOLERANCE)
        self.decoders = nn.ModuleDict({str(level): Decoder(level, by_name) for level in LEVELS})
        self.heads = nn.ModuleDict(
            {"3": nn.Conv2d(widths[2], 256, 1), "4": nn.Conv2d(widths[3], 512, 1)}
        )
        self._initialize()
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def _initialize(self) -> None:
        """Start with six channels that pass colours through, beside random ones.

        From random weights alone it takes thousands of steps until the deep decoders see colour.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and name != "encoder.conv0":
                assert module.bias is not None
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
                if not name.startswith("heads."):
                    unpooled = name.startswith("decoders.") and name.endswith(AFTER_UNPOOLING)
                    _pass_colours(module, unpooled)
        # As in the published network conv0 normalizes: here from [0,1] to [-1,1]. The colour
        # channels are the positive and the negative parts.
        assert self.encoder.conv0.bias is not None
        colours = torch.eye(3)
        self.encoder.conv0.weight[:] = 2 * colours.view(3, 3, 1, 1)
        self.encoder.conv0.bias.fill_(-1.0)
        first = self.encoder.get_submodule("conv1_1")
        assert isinstance(first, nn.Conv2d)
        first.weight[:COLOUR_CHANNELS] = 0
        first.weight[:COLOUR_CHANNELS, :, 1, 1] = torch.cat([colours, -colours])
        for level in LEVELS:
            last = self.decoders[str(level)].get_submodule("conv1_1")
            assert isinstance(last, nn.Conv2d) and last.bias is not None
            last.weight *= RANDOM_SHARE
            last.weight[:, :COLOUR_CHANNELS] = 0
            last.weight[:, :COLOUR_CHANNELS, 1, 1] = torch.cat([colours, -colours], dim=1) / 2
            last.bias.fill_(0.5)

    @property
    def metadata(self) -> dict[str, str]:
        """What the metadata of a safetensors file of the exported weights must say."""
        return {POOLING_TOLERANCE_KEY: f"{FEATURE_SCALE * POOLING_TOLERANCE:g}"}

    def decode(self, level: int, features: Tensor, poolings: list[Pooling]) -> Tensor:
        """Features of a level to pictures [N,3,H,W]."""
        decoded: Tensor = self.decoders[str(level)](features, poolings[: level - 1])
        return decoded

    @torch.no_grad()
    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights that ``export`` gave, and train the decoders only from there.

        The heads, through which the encoder learns, are not among these weights, and stay random.

        Raises:
            KeyError, RuntimeError: they are of another network, or of other widths.
        """
        for name, scaled in (("encoder", "e4"), *((f"decoders.{k}", f"d{k}") for k in LEVELS)):
            module = self.get_submodule(name)
            own = {
                key: weights[f"{scaled}.{key}"].float() / _export_factor(f"{scaled}.{key}")
                for key in module.state_dict()
            }
            module.load_state_dict(own)
        # Gradients of the heads would count in the length that those of the decoders are cut to.
        self.encoder.requires_grad_(False)
        self.heads.requires_grad_(False)

    def export(self) -> dict[str, Tensor]:
        """The state dict of ``PhotoWCT``: four encoders, four decoders, features scaled up."""
        weights: dict[str, Tensor] = {}
        for key, tensor in self.encoder.state_dict().items():
            for level in LEVELS:
                names = [name for block in ENCODER_BLOCKS[level] for name in block]
                if key.split(".")[0] in ("conv0", *names):
                    weights[f"e{level}.{key}"] = tensor * _export_factor(f"e{level}.{key}")
        for level in LEVELS:
            for key, tensor in self.decoders[str(level)].state_dict().items():
                weights[f"d{level}.{key}"] = tensor * _export_factor(f"d{level}.{key}")
        return {key: tensor.detach().clone().contiguous() for key, tensor in weights.items()}


def _export_factor(key: str) -> float:
    """What a weight of the exported network is multiplied by, so that its features are scaled."""
    module, convolution, kind = key.split(".")
    if module.startswith("d"):
        return 1 / FEATURE_SCALE if f"{convolution}.{kind}" == f"conv{module[1]}_1.weight" else 1.0
    # A ReLU network of scaled input and biases gives scaled output.
    scaled = kind == "bias" or convolution == "conv1_1"
    return FEATURE_SCALE if scaled and convolution != "conv0" else 1.0


def _pass_colours(convolution: nn.Conv2d, unpooled: bool) -> None:
    """Make the first output channels hand the first input channels on, with little else.

    After an unpooling they spread them over the gaps: one pixel in four is not zero, and 9/4 of
    them lie under a kernel on average. There random weights must be twice as large.
    """
    weight = convolution.weight
    weight *= 2 if unpooled else 1
    weight[:COLOUR_CHANNELS] *= RANDOM_SHARE
    for channel in range(min(COLOUR_CHANNELS, *weight.shape[:2])):
        if unpooled:
            weight[channel, channel] = 4 / 9
        else:
            weight[channel, channel] = 0
            weight[channel, channel, 1, 1] = 1
