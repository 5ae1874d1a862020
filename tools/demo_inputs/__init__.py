"""The label maps and style pictures of the demonstration."""
