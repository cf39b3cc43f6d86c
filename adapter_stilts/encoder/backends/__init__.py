"""What we need of an adapter library, and the only files that may import one."""
