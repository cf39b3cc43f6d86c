"""Intermediate-task training with adapters over a frozen XLM-R, scored zero-shot across languages."""

__version__ = "0.1.0"
