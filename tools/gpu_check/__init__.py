"""Is a GPU's arithmetic right, and how fast is it? One command for a machine that is lent."""
