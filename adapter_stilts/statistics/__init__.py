"""Scores as rows, and how sure they are: results, intervals, paired comparisons."""
