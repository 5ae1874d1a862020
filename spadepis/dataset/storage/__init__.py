"""Reading, listing and replacing files on any filesystem that fsspec knows."""
