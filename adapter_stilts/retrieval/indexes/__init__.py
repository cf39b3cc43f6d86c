"""One FAISS index per file."""
