"""Semantic label maps in, photorealistic stylized photos out, for whole datasets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spadepis.dataset.image_set.reader import ImageSet

__all__ = ["ImageSet", "__version__"]

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> Any:
    # Loaded on first use: it needs torchvision, which workers should not have to hold in memory.
    if name == "ImageSet":
        from spadepis.dataset.image_set.reader import ImageSet

        return ImageSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
