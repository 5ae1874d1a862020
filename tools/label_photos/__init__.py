"""Label maps for photos that have none."""
