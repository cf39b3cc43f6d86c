"""What imports peft, sentence-transformers or onnx: one file each, reached when something is converted."""
