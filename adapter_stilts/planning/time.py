"""How many operations a pass takes: multiplications and additions of its matrix products."""

from __future__ import annotations

from adapter_stilts.planning.memory import Work
from adapter_stilts.planning.parameters import adapter_parameters, layer_parameters


def operations(work: Work, mean: float) -> float:
    """Of one forward pass over `work.tokens`, and in training of the backward pass.

    mean  tokens of a row: how many others each one attends to

    A frozen matrix is multiplied once forth and once back, for its inputs' gradient; one that trains once more, for its
    own. Recomputed activations are a second forward pass.
    """
    matrices, _ = layer_parameters(work.trunk)
    layers, width = work.trunk.num_hidden_layers, work.trunk.hidden_size
    own = adapter_parameters(work.kind, work.settings, work.trunk) / layers
    attention = 4 * mean * width
    forth = layers * (2 * matrices + 2 * own + attention)
    if not work.training:
        return work.tokens * forth
    kept = layers - work.lowest
    back = kept * (2 * matrices + 4 * own + 2 * attention)
    again = kept * (2 * matrices + attention) if work.checkpointing else 0.0
    return work.tokens * (forth + back + again)
