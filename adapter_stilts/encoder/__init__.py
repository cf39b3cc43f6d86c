"""The frozen trunk and what hangs on it."""
