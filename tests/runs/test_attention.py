"""What a fusion listens to is stored per task, split and language, and shown per source."""

from __future__ import annotations

import pytest
import torch

from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.errors import ArtefactError
from adapter_stilts.runs.rows import attention_table, read_attention, store_attention

NAME = "fuse(nli, stack(de, qa))"
TABLE = torch.tensor([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])


def test_adds_languages_and_splits_to_what_is_there(tmp_path):
    store_attention(tmp_path, "xnli", "test", "sw", {NAME: TABLE})
    store_attention(tmp_path, "xnli", "test", "de", {NAME: TABLE})
    store_attention(tmp_path, "xnli", "validation", "sw", {NAME: TABLE[:1]})
    found = read_attention(tmp_path)
    assert found[NAME]["xnli"]["test"].keys() == {"sw", "de"}
    assert found[NAME]["xnli"]["test"]["sw"] == TABLE.tolist()
    assert found[NAME]["xnli"]["validation"]["sw"] == [[0.75, 0.25]]


def test_shows_the_mean_over_layers_per_source(tmp_path):
    store_attention(tmp_path, "xnli", "test", "sw", {NAME: TABLE})
    rows = attention_table(read_attention(tmp_path), fusions(parse(f"stack({NAME}, xnli)")))
    assert rows == [("xnli", "test", "sw", "nli", 0.5), ("xnli", "test", "sw", "stack(de, qa)", 0.5)]


def test_is_empty_where_nothing_was_stored(tmp_path):
    assert read_attention(tmp_path) == {}
    assert attention_table({}, fusions(parse(NAME))) == []


def test_refuses_a_damaged_file(tmp_path):
    store_attention(tmp_path, "xnli", "test", "sw", {NAME: TABLE})
    path = tmp_path / "fusion" / "attention.json"
    whole = path.read_text()
    for damaged in ("{", whole.replace("0.75", "0.35", 1)):
        path.write_text(damaged)
        with pytest.raises(ArtefactError, match="stored attention"):
            read_attention(tmp_path)
