"""What a run is, as values: schema, loading, fingerprints."""
