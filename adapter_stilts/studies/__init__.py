"""Many runs, one question: grids, their tables, and the demo."""
