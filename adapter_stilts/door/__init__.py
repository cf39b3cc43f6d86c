"""The Python door: the verbs as functions, and a run as a value. Lives above everything but the command line, and calls
what the command line calls."""

import os

from adapter_stilts.environment import patient_threads

patient_threads(os.environ)  # before PyTorch is imported, where it is not already
