"""The stages of the pipeline; each takes a table of scenes and returns it one step further."""
