"""What is wrong with a checkpoint; importing this loads no PyTorch."""


class CheckpointError(ValueError):
    """A file is not a checkpoint, or does not fit the network it is meant for."""
