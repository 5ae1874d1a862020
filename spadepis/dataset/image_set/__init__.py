"""The image set that a job writes: commit log, files, index, verification, and its reader."""
