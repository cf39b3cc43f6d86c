"""Metrics by the official scripts' rules, and the files predictions are kept in: gold and predictions in, scores with
their units out."""
