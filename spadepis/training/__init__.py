"""How the small default models are trained and measured; used by jobs/ alone."""
