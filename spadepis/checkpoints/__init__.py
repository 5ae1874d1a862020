"""Weights of the networks: reading, fetching and converting them, and the default models."""
