"""Which styles a scene gets: at random, by a table, or those that are most like it."""
