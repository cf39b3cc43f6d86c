"""Examples on their way to tensors."""
