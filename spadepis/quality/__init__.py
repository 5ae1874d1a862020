"""How good a result is, in figures that need no other picture than those it was made from.

Nothing is imported here: the libraries behind the figures take long to load, and only what finds
them needs them.
"""
