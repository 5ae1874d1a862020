"""How a cluster is shared among the stages of a job."""
