"""How good a SPADE generator and a PhotoWCT are, in figures."""
