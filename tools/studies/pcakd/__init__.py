"""PhotoWCT and PCA-KD beside each other, on the same pictures."""
