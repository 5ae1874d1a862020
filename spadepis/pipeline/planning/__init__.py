"""What a job has to do, and how long it would take."""
