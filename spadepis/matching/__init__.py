"""Which styles a scene gets: drawn at random, given by a table, or the styles most like it."""
