"""What generated images are worth in training a segmentation network."""
