"""Adapters that travel: manifest, bundle, verification."""
