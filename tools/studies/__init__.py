"""Studies behind the documentation: augmentation and pairing."""
