"""Settings of the jobs and the identity of what they make."""
