"""The quality metrics of many results at once with PyTorch, on a GPU or any other device.

They are computed in float32 and differ from those of ``metrics`` by 1e-4 at most, and
``boundary_disagreement`` by 2e-3: there rounding breaks ties between edges of equal strength, and
here they are ties. The host waits for nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadepis.quality.appearance import BLOCK, LARGEST_STEP
from spadepis.quality.artifacts import FRAME_LINES, LOWEST_FREQUENCY
from spadepis.quality.gaussians import Gaussian
from spadepis.quality.look import ChannelStatistics, Look
from spadepis.quality.structure import FAR, REACH

# Weights of red, green and blue in luminance. With integers float32 is exact, and edges of equal
# strength tie.
LUMINANCE = (2125, 7154, 721)
LEVEL = 10_000
WHITE_LEVEL = 255 * LEVEL
# Of Wang et al. (2004), as in scikit-image: the side of a window, and the constants for values up
# to 1.
WINDOW = 7
C1, C2 = 0.01**2, 0.03**2
# sRGB to CIE XYZ, and the white of D65.
XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)


def luminance(images: Tensor) -> Tensor:
    """Luminance of uint8 [N,H,W,3] in units of ``1 / LEVEL`` of a level, float32 [N,H,W]."""
    red, green, blue = images.float().unbind(-1)
    return LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue


def edge_magnitudes(planes: Tensor) -> Tensor:
    """Magnitudes of the Sobel gradient of luminances [N,H,W], as scikit-image scales them."""
    padded = _with_border(planes)
    across = padded[..., 2:] - padded[..., :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = padded[:, 2:] - padded[:, :-2]
    down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return ((across.square() + down.square()) / 2).sqrt() / (4 * WHITE_LEVEL)


def edge_similarity(content_edges: Tensor, edges: Tensor) -> Tensor:
    """SSIM between edge magnitudes [N,H,W], [N]; see ``structure.edge_similarity``."""

    def mean(planes: Tensor) -> Tensor:
        return F.avg_pool2d(planes[:, None], WINDOW, stride=1)[:, 0]

    x, y = content_edges, edges
    mean_x, mean_y = mean(x), mean(y)
    of_sample = WINDOW**2 / (WINDOW**2 - 1)
    variance_x = of_sample * (mean(x * x) - mean_x * mean_x)
    variance_y = of_sample * (mean(y * y) - mean_y * mean_y)
    covariance = of_sample * (mean(x * y) - mean_x * mean_y)
    similarity = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    similarity /= (mean_x.square() + mean_y.square() + C1) * (variance_x + variance_y + C2)
    return similarity.mean(dim=(1, 2))


def clipped_share(images: Tensor) -> Tensor:
    """The share of pixels of uint8 [N,H,W,3] that have a channel at 0 or 255, [N]."""
    return ((images == 0) | (images == 255)).any(dim=3).float().mean(dim=(1, 2))


def sharpness(planes: Tensor) -> Tensor:
    """Standard deviation of the Laplacian of luminances [N,H,W], in 8-bit levels, [N]."""
    padded = _with_border(planes / LEVEL)
    inner = padded[:, 1:-1, 1:-1]
    across = padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2] - 2 * inner
    down = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] - 2 * inner
    return (across + down).std(dim=(1, 2), correction=0)


def blockiness(planes: Tensor) -> Tensor:
    """How much 8x8 blocks stand out in luminances [N,H,W], [N]; see ``appearance.blockiness``."""
    levels = planes / LEVEL
    return (_step_at_blocks(levels) * _step_at_blocks(levels.mT)).sqrt()


def _step_at_blocks(planes: Tensor) -> Tensor:
    slopes = planes.diff(dim=2)
    bends = (slopes[..., 1:-1] - (slopes[..., :-2] + slopes[..., 2:]) / 2).abs()
    columns = bends.clamp(max=LARGEST_STEP).mean(dim=1)
    if columns.shape[1] < BLOCK:
        return columns.new_full((len(columns),), torch.nan)
    at_positions = torch.stack([columns[:, i::BLOCK].mean(dim=1) for i in range(BLOCK)], dim=1)
    ranked = at_positions.sort(dim=1).values
    return ranked[:, -1] - (ranked[:, BLOCK // 2 - 1] + ranked[:, BLOCK // 2]) / 2


def stripes(planes: Tensor) -> Tensor:
    """Share of power in horizontal and vertical frequencies of luminances [N,H,W], [N].

    See ``artifacts.stripes``.
    """
    levels = planes / WHITE_LEVEL
    height, width = planes.shape[1:]
    if min(height, width) < 3:
        return levels.new_full((len(levels),), torch.nan)
    device = planes.device
    window = torch.hann_window(height, False, device=device)[:, None]
    window = window * torch.hann_window(width, False, device=device)
    mean = (levels * window).sum(dim=(1, 2)) / window.sum()
    spectra = torch.fft.fft2((levels - mean[:, None, None]) * window)
    power = spectra.real.square() + spectra.imag.square()
    rows = torch.fft.fftfreq(height, 1 / height, device=device).abs()[:, None]
    columns = torch.fft.fftfreq(width, 1 / width, device=device).abs()
    fast = torch.maximum(rows, columns) >= LOWEST_FREQUENCY
    along_an_axis = torch.minimum(rows, columns) <= 1
    striped = (power * (fast & along_an_axis)).sum(dim=(1, 2))
    share: Tensor = striped / (power * fast).sum(dim=(1, 2))
    lowest, highest = levels[:, 1:-1, 1:-1].flatten(1).aminmax(dim=1)
    single_colour = lowest == highest
    return share.masked_fill(single_colour, torch.nan)


def frame(images: Tensor) -> Tensor:
    """How much more uint8 [N,H,W,3] change at their borders, [N]; see ``artifacts.frame``."""
    levels = images.float()
    if min(images.shape[1:3]) <= 2 * FRAME_LINES:
        return levels.new_full((len(levels),), torch.nan)
    turned = levels.transpose(1, 2)
    lines = slice(None, 2 * FRAME_LINES + 1, FRAME_LINES)
    changes = [
        side[:, lines].diff(dim=1).abs().mean(dim=(2, 3))
        for side in (levels, levels.flip(1), turned, turned.flip(1))
    ]
    outer, inner = torch.stack(changes).sum(dim=0).unbind(dim=1)
    return (outer / inner).masked_fill(inner == 0, torch.nan)


def boundary_disagreement(label_maps: Tensor, edges: Tensor) -> Tensor:
    """How little edges tell of boundaries, [N]; see ``structure.boundary_disagreement``.

    Args:
        label_maps: class indices, uint8 [N,H,W].
        edges: edge magnitudes of the images, float32 [N,H,W].

    Returns:
        0 to 1; NaN if no pixel is beside a boundary, or none is far from all boundaries.
    """
    across = F.pad((label_maps[..., 1:] != label_maps[..., :-1]).float(), (1, 1))
    down = F.pad((label_maps[:, 1:] != label_maps[:, :-1]).float(), (0, 0, 1, 1))
    beside = (across[..., 1:] + across[..., :-1] + down[:, 1:] + down[:, :-1]).clamp(max=1)
    near = beside
    for _ in range(FAR):
        rows = F.max_pool2d(near, (3, 1), stride=1, padding=(1, 0))
        near = torch.maximum(rows, F.max_pool2d(near, (1, 3), stride=1, padding=(0, 1)))
    strongest = F.max_pool2d(edges, 2 * REACH + 1, stride=1, padding=REACH).flatten(1)
    beside, far = beside.flatten(1), 1 - near.flatten(1)
    # Mann and Whitney's U counts far pixels with a weaker edge, and half of those with the same.
    weakest_first = strongest.masked_fill(far == 0, torch.inf).sort(dim=1).values
    weaker = torch.searchsorted(weakest_first, strongest)
    not_stronger = torch.searchsorted(weakest_first, strongest, right=True)
    u = (beside * (weaker + not_stronger)).sum(dim=1) / 2
    return 1 - u / (beside.sum(dim=1) * far.sum(dim=1))


def lab_statistics(images: Tensor) -> Tensor:
    """Mean and covariance of the CIELAB colours of uint8 [N,H,W,3], [N,12]."""
    values = images.flatten(1, 2).float() / 255
    linear = torch.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    red, green, blue = linear.unbind(-1)
    # Numbers rather than a matrix, which would have to go to the device.
    xyz = torch.stack(
        [
            (row[0] * red + row[1] * green + row[2] * blue) / white
            for row, white in zip(XYZ_FROM_RGB, WHITE, strict=True)
        ],
        dim=-1,
    )
    curved = torch.where(xyz > 0.008856, xyz.clamp(min=1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = curved.unbind(-1)
    lab = torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)
    mean = lab.mean(dim=1)
    centred = lab - mean[:, None]
    covariance = centred.mT @ centred / (lab.shape[1] - 1)
    return torch.cat([mean, covariance.flatten(1)], dim=1)


def feature_statistics(features: Sequence[Tensor]) -> Tensor:
    """Means and standard deviations of the channels of features [N,C,h,w], side by side, [N,D]."""
    parts = []
    for level in features:
        parts += [level.float().mean(dim=(2, 3)), level.float().std(dim=(2, 3), correction=0)]
    return torch.cat(parts, dim=1)


def look_of(statistics: Tensor, channels: Sequence[int]) -> Look:
    """The look of an image from its row of ``lab_statistics`` and ``feature_statistics``.

    Args:
        statistics: float [12 + D] on the CPU.
        channels: number of channels of each level.
    """
    values = statistics.double().numpy()
    colours = Gaussian(values[:3], values[3:12].reshape(3, 3))
    levels, start = [], 12
    for count in channels:
        mean, deviation = values[start : start + 2 * count].reshape(2, count)
        levels.append(ChannelStatistics(mean, deviation))
        start += 2 * count
    return Look(colours, levels)


def _with_border(planes: Tensor) -> Tensor:
    """Planes [N,H,W] with their border repeated once."""
    return F.pad(planes[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
