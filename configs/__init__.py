"""Ready-made configurations; each opens with the command line that uses it."""
