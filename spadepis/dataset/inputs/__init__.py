"""Label maps and photos: finding them in folders and shards, and decoding them."""
