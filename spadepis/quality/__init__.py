"""Quality metrics, which need no other pictures than the result and what it was made from.

Nothing is imported here: the libraries behind the metrics take long to load, and only the stage
that computes metrics needs them.
"""
