"""The Python door: the verbs as functions, and a run as a value. Lives above everything but the command line, and calls
what the command line calls."""
