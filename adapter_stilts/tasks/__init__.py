"""Tasks: a reader with its facts attached, one small file each."""
