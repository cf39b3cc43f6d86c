"""The embedded default: a small generated world in real languages, and the tiny XLM-R trained on it."""
