"""Where images come from and go to: storage, inputs and image sets."""
