"""Word embeddings that stay in the file until a text asks for them: the whole table's values, and no more memory."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapter_stilts.encoder.model import AdapterEncoder, count
from adapter_stilts.encoder.trunk.loading import load_trunk, save_trunk
from adapter_stilts.encoder.trunk.rows import StoredRows, UsedRows
from adapter_stilts.errors import ArtefactError

NAME = "roberta.embeddings.word_embeddings.weight"


@pytest.fixture
def table(tmp_path):
    """A table of 5,000 rows, 6 wide, in a file beside another tensor; `table(dtype)` is (path, values)."""

    def make(dtype):
        values = torch.randn(5000, 6, generator=torch.Generator().manual_seed(1)).to(dtype)
        save_file({"another": torch.ones(7), NAME: values}, tmp_path / "model.safetensors")
        return tmp_path / "model.safetensors", values

    return make


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gives_the_values_of_the_whole_table(table, stored, dtype):
    path, values = table(stored)
    rows = UsedRows(StoredRows(path, NAME), dtype)
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        ids = torch.randint(0, 5000, (4, 50), generator=generator)
        assert torch.equal(rows(ids), values.float().to(dtype)[ids])
    assert torch.equal(rows.weight, values.float().to(dtype))


def test_holds_the_rows_that_were_asked_for_and_no_others(table):
    path, values = table(torch.float32)
    rows = UsedRows(StoredRows(path, NAME), torch.float32)
    for _ in range(3):
        rows(torch.tensor([[4999, 0, 7], [7, 8, 0]]))
    assert int((rows.place >= 0).sum()) == 4
    assert len(rows.held) == 1024  # room for the next ones
    rows(torch.arange(3000)[None])
    assert int((rows.place >= 0).sum()) == 3001
    rows(torch.arange(5000)[None])
    assert len(rows.held) == 5000
    assert torch.equal(rows.weight, values)  # in the order of the tokens, whichever was asked for first
    assert torch.equal(rows(torch.tensor([3, 4999])), values[[3, 4999]])


def test_a_copy_is_a_whole_embedding_that_may_be_trained(table):
    path, values = table(torch.float32)
    rows = UsedRows(StoredRows(path, NAME), torch.float32)
    whole = copy.deepcopy(rows)
    assert torch.equal(whole.weight, values)
    assert whole.weight.requires_grad
    with torch.no_grad():
        whole.weight.zero_()
    assert torch.equal(rows.weight, values)


def test_says_that_the_file_was_cut_short(table):
    path, _ = table(torch.float32)
    rows = UsedRows(StoredRows(path, NAME), torch.float32)
    with path.open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(ArtefactError, match="cut short"):
        rows(torch.tensor([[4999]]))


def test_a_loaded_trunk_reads_its_rows_when_they_occur(tiny_folder):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    stored = next(value for name, value in load_file(tiny_folder / "model.safetensors").items() if "word_emb" in name)
    rows = trunk.model.word_embeddings
    assert isinstance(rows, UsedRows)
    assert int((rows.place >= 0).sum()) == 0
    assert count(trunk.model) == sum(tensor.numel() for tensor in trunk.model.tensors().values())
    fresh = load_trunk(str(tiny_folder), precision="fp32")
    ids = torch.tensor([[0, 5, 9, 2]])
    AdapterEncoder(fresh).eval().hidden(ids, torch.ones_like(ids))
    assert int((fresh.model.word_embeddings.place >= 0).sum()) == 4
    assert torch.equal(rows(ids), stored.float()[ids])


def test_a_trunk_whose_rows_were_not_read_is_saved_whole(tiny_folder, tmp_path):
    trunk = load_trunk(str(tiny_folder), precision="fp32")
    save_trunk(replace(trunk), tmp_path / "copy")
    assert load_trunk(str(tmp_path / "copy"), precision="fp32").fingerprint == trunk.fingerprint


def test_reads_in_inference_and_in_training_by_turns(table):
    path, values = table(torch.float32)
    rows = UsedRows(StoredRows(path, NAME), torch.float32)
    for start in range(0, 4000, 1000):
        with torch.inference_mode():
            assert torch.equal(rows(torch.arange(start, start + 500)), values[start : start + 500])
        assert torch.equal(rows(torch.arange(start, start + 1000)), values[start : start + 1000])
    with torch.inference_mode():
        whole = rows.weight
    assert torch.equal(whole, values)
    rows(torch.arange(5000)) * torch.ones(6, requires_grad=True)
