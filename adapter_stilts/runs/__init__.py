"""One run from start to end: prepare, train, evaluate, and the folder it leaves behind."""
