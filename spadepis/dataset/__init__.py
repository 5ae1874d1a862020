"""Where images come from and go to: sources, pairing, and the image set."""
