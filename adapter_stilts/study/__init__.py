"""Runs: one from start to end, and what is done with many."""
