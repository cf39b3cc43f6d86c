"""From a place to examples: which files or data set hold a task's rows (sources), finding, reading, and what was
read."""
