"""Encode, mine and sweep: a person's own text as jobs over retrieval, in shards that resume."""
