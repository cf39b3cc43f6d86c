"""What encoding a file holds in memory, by cause, and how many rows a shard may have under a limit.

The numbers follow from the trunk, the settings and the file alone, not from what this process holds at the moment, so
that the same command chooses the same shards when it goes on. Every term is an upper bound;
`benchmarks/encode_memory.py` holds them against what is measured.
"""

from __future__ import annotations

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import DoesNotFit, refuse
from adapter_stilts.retrieval.plan import GB
from adapter_stilts.retrieval.reading import Reading

REMEMBERED = 1 << 22  # texts of earlier shards that are not encoded again: 24 bytes each
SHARD_ROWS = 1 << 16
FEWEST_ROWS = 1 << 10  # a smaller shard would save less than its files cost

LIBRARIES = 450 * 10**6  # Python with torch, transformers and faiss imported
PER_PIECE = 1200  # of the tokenizer's vocabulary, its tables and the text they were read from
AT_ONCE = 150 * 10**6  # a million characters and their tokens on the way through the tokenizer
PER_ROW = 500  # hash, source and token array of a row, as Python objects
PER_TEXT = 24 * 2  # of the table of known texts, which is copied when it grows


def memory(encoder: AdapterEncoder, reading: Reading, *, rows: int, shard_rows: int) -> dict[str, int]:
    """Bytes by cause, at most, while a file of so many rows is encoded."""
    config, at_once = encoder.trunk.config, min(rows, shard_rows)
    tokens, length = max(reading.token_budget, reading.max_length), reading.max_length
    states = tokens * (16 * config.hidden_size + 3 * config.intermediate_size) * 4
    return {
        "libraries": LIBRARIES,
        "trunk": sum(tensor.nbytes for tensor in [*encoder.parameters(), *encoder.buffers()]),
        "tokenizer": PER_PIECE * config.vocab_size + AT_ONCE,
        "batch": states + 8 * tokens * length * config.num_attention_heads,
        "shard": at_once * (4 * config.hidden_size + 4 * length + PER_ROW),
        "known texts": PER_TEXT * min(rows, REMEMBERED),
    }


def rows_of_a_shard(
    encoder: AdapterEncoder, reading: Reading, rows: int, asked: int | None, limit_gb: float | None
) -> int:
    """The rows of a shard: as asked, else the most that fit under the limit, a power of two of at most 65,536.

    Raises DoesNotFit where not even the fewest rows fit, or those that were asked for do not; it says what would.
    """
    size = asked or SHARD_ROWS
    if limit_gb is None:
        return size
    no_limit = f"--limit-gb {limit_gb}: a limit is a number above 0"
    refuse(not limit_gb > 0, no_limit, "give the memory that encoding must fit in, in GB")
    needs = memory(encoder, reading, rows=rows, shard_rows=size)
    while sum(needs.values()) > limit_gb * GB:
        if asked or size == FEWEST_ROWS:
            parts = ", ".join(f"{name} {part / GB:.2f}" for name, part in needs.items())
            smaller = "let --limit-gb choose the shards: leave --shard-rows out; or " if asked else ""
            needed = f"encoding needs up to {sum(needs.values()) / GB:.2f} GB with {size} rows a shard ({parts})"
            what = f"{needed}, and the limit is {limit_gb:g} GB"
            raise DoesNotFit(what, do=f"{smaller}raise the limit, use a lower layer or precision bf16")
        size //= 2
        needs = memory(encoder, reading, rows=rows, shard_rows=size)
    return size
