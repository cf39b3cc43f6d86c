"""The frozen trunk: one file per family, safe loading, fingerprint, precision."""
