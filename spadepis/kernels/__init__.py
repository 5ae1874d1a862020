"""Convolutions, and the compilation of loops over arrays, that the numeric packages share."""
