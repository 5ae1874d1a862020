"""What is raised about files of inputs that hold many images."""


class ShardError(ValueError):
    """A shard whose index cannot be read or does not hold what was asked for."""
