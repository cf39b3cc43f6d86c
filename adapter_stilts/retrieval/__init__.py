"""Finding translations with FAISS."""
