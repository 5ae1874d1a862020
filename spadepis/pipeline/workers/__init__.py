"""Processes that host stages, and how they are set up and end."""
