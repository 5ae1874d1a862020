"""Training of SPADE generators and of PhotoWCT; used by jobs/ and tools/ alone."""
