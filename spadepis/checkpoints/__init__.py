"""Weights of the networks in files: reading, loading, writing, fetching, and the default models."""
