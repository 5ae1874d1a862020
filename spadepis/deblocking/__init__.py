"""Removing the visible blocks of photos that were compressed as JPEG.

Nothing is imported here: the library behind the transform takes long to load.
"""
