"""Authoring and measuring; not installed with spadepis."""
