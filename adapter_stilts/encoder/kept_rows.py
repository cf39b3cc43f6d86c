"""Word embeddings of which only some rows are held: those a run's data uses.

XLM-R's 250,002 rows are two thirds of Base. The trunk is frozen, so a row that no sentence uses changes nothing, and the outputs are
bit-equal. Token ids stay what the tokenizer gives.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.errors import UsageError


class KeptRows(nn.Embedding):
    """An embedding table with rows left out.

    rows    ascending token ids that are held, [n]
    weight  their embeddings, [n, H]
    """

    def __init__(self, rows: Tensor, weight: Tensor, vocabulary: int) -> None:
        super().__init__(weight.shape[0], weight.shape[1], _weight=weight, _freeze=True)
        place = torch.full((vocabulary,), -1, dtype=torch.int32)
        place[rows] = torch.arange(len(rows), dtype=torch.int32)
        self.register_buffer("place", place, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """[B, T] to [B, T, H]; UsageError for a token whose row was left out."""
        place: Tensor = self.get_buffer("place")[input]
        if bool((place < 0).any()):
            missing = int(input[place < 0][0])
            raise UsageError(f"token {missing} is not among the rows that were loaded", do="load the trunk with the rows of all data, or with all rows")
        return functional.embedding(place, self.weight)
