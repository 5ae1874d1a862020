"""Convolutions and compiled loops that the networks share."""
