"""Finished runs merged to one: the arithmetic is merging/, the folder, the heads and the choice of weights are here."""
