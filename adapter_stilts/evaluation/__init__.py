"""Measuring: metrics, predictions, zero-shot transfer."""
