"""From a place to examples: finding files and data sets, reading them, and what was read. Which of them: sources.py."""
