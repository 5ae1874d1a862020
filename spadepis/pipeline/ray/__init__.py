"""The job on Ray, the only folder that imports it."""
