"""Vectors on disk: written shard by shard, and read a block at a time."""
