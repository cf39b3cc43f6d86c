"""Changing the few weights that may change."""
