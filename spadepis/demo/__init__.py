"""The demonstration: a job on inputs and with models that come with spadepis."""
