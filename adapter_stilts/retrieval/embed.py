"""Sentences to unit vectors, read at a layer of the trunk with whatever composition is active.

    by_layer = embed(encoder, sentences, Reading((2, 14)))
    by_layer[14]                                               [N, H] float32, in the order of the sentences

Layer k is hidden_states[k]: 0 the embedding output, i the output of layer i; layers above the highest one asked for
never run. Equal sentences are read once, in batches of like length, so a vector depends on its batch by rounding alone.
A sentence without any text is `<s></s>` and has a vector like every other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from adapter_stilts.data.batches import length_sorted_batches
from adapter_stilts.data.pieces import marks, pieces
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.compared import Vectors
from adapter_stilts.retrieval.pooling import pooled, unit
from adapter_stilts.retrieval.reading import Reading, check_layers
from adapter_stilts.retrieval.saved import Saved

TokenIds: TypeAlias = NDArray[np.int32]

CUT_AT_ONCE = 1 << 16  # sentences whose pieces are held before they are cut to length


def embed(encoder: AdapterEncoder, sentences: Sequence[str], reading: Reading) -> dict[int, Vectors]:
    """Unit vectors [N, H] float32 by layer, from one pass; `reading` says which, how they are pooled, and what is cut.

    Raises UsageError for a layer that is not there, StiltsError naming the line of a vector that is zero or not finite.
    """
    if not sentences:
        raise UsageError("no sentence to encode", do="give at least one")
    check_layers(reading.layers, encoder.trunk.config.num_hidden_layers)
    texts = list(dict.fromkeys(sentences))
    rows: list[TokenIds] = []
    for start in range(0, len(texts), CUT_AT_ONCE):
        rows += token_rows(encoder, texts[start : start + CUT_AT_ONCE], reading.max_length)[0]
    vectors = embed_rows(encoder, rows, reading)
    number = {text: place for place, text in enumerate(texts)}
    places = np.array([number[sentence] for sentence in sentences], dtype=np.int64)
    return {layer: unit(vectors[layer][places]) for layer in sorted(vectors)}


@torch.inference_mode()
def embed_rows(
    encoder: AdapterEncoder,
    rows: Sequence[TokenIds],
    reading: Reading,
    progress: Callable[[int, int], None] | None = None,
    saved: Saved | None = None,
) -> dict[int, Vectors]:
    """Token ids of N sentences to pooled vectors [N, H] by layer, not yet at length 1; the encoder's mode stays.

    progress  told how many of the tokens are read
    saved     keeps the batches that are done, and has those that were done before
    """
    shape = (len(rows), encoder.trunk.config.hidden_size)
    made = {layer: np.empty(shape, dtype=np.float32) for layer in reading.layers}
    modes = [(module, module.training) for module in encoder.modules()]
    lengths, kept = [len(row) for row in rows], {f"layer-{layer}": vectors for layer, vectors in made.items()}
    batches = length_sorted_batches(lengths, reading.token_budget)
    done = saved.load(kept) if saved is not None else 0
    read, tokens = sum(lengths[row] for batch in batches[:done] for row in batch), sum(lengths)
    progress = progress or (lambda read, tokens: None)
    encoder.eval()
    try:
        progress(read, tokens)
        for number, batch in enumerate(batches[done:], start=done + 1):
            for layer, vectors in _batch(encoder, [rows[row] for row in batch], reading).items():
                made[layer][batch] = vectors
            read += sum(lengths[row] for row in batch)
            progress(read, tokens)
            if saved is not None:
                saved.offer(number, kept)
    finally:
        for module, training in modes:
            module.training = training
    return made


def token_rows(encoder: AdapterEncoder, texts: Sequence[str], max_length: int) -> tuple[list[TokenIds], list[bool]]:
    """The token ids of each text, the trunk's prefix before it, with its marks; and whether it was cut to length."""
    around = marks(encoder.trunk.tokenizer)
    room = min(max_length, encoder.trunk.config.max_length) - around.of_one
    cut = pieces(encoder.trunk.tokenizer, (encoder.trunk.prefix + text for text in texts))
    return [np.array(around.single(ids[:room]), dtype=np.int32) for ids in cut], [len(ids) > room for ids in cut]


def _batch(encoder: AdapterEncoder, rows: Sequence[TokenIds], reading: Reading) -> dict[int, Vectors]:
    layers, device = reading.layers, next(encoder.parameters()).device
    lengths = np.array([len(row) for row in rows])
    inside = np.arange(lengths.max()) < lengths[:, None]
    padded = np.full(inside.shape, encoder.trunk.config.pad_token_id, dtype=np.int64)
    padded[inside] = np.concatenate(rows)
    ids, mask = torch.from_numpy(padded).to(device), torch.from_numpy(inside.astype(np.int64)).to(device)
    if len(layers) == 1:
        states = {layers[0]: encoder.hidden(ids, mask, layers[0])}
    else:
        collected = encoder.states(ids, mask, max(layers))
        states = {layer: collected[layer] for layer in layers}
    own = encoder.trunk.pooling
    return {layer: pooled(reading.pool, state, mask, own).numpy() for layer, state in states.items()}
