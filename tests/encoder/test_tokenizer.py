"""The trunk's tokenizer gives the same ids under every transformers, in any script.

tests/fixtures/scripts.json has a text for each script with the ids that XLMRobertaTokenizerFast of transformers 4.57.6
gives it by the miniature's tokenizer.json and by nano-xlmr's, whose normaliser transformers 5 drops.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from adapter_stilts.encoder.trunk.config import TrunkConfig, read_config
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.encoder.trunk.tokenizer import load_tokenizer

SCRIPTS = json.loads((Path(__file__).parents[1] / "fixtures" / "scripts.json").read_text(encoding="utf-8"))
CONFIG = TrunkConfig(8, 16, 3, 2, 32, 22)  # a vocabulary of eight


def test_gives_the_ids_of_xlmr_in_every_script_by_the_miniature() -> None:
    tokenizer = load_trunk("miniature", layers=0).tokenizer
    assert len(SCRIPTS) > 30
    for script, row in SCRIPTS.items():
        assert tokenizer(row["text"])["input_ids"] == row["miniature"], script


def test_gives_the_ids_of_xlmr_in_every_script_with_a_normaliser(shared_path: Callable[[str], Path]) -> None:
    place = shared_path("models/nano-xlmr")
    tokenizer = load_tokenizer(place, read_config(place))
    for script, row in SCRIPTS.items():
        assert tokenizer(row["text"])["input_ids"] == row["nano-xlmr"], script
    assert tokenizer.backend_tokenizer.to_str() == Tokenizer.from_file(str(place / "tokenizer.json")).to_str()


@pytest.mark.parametrize("lstrip", [True, False])
def test_the_mask_takes_the_blank_before_it_along(tiny_folder: Path, tmp_path: Path, lstrip: bool) -> None:
    """As in XLM-R's own tokenizer; tokenizer.json of multilingual-e5-small says otherwise."""
    stored = json.loads((tiny_folder / "tokenizer.json").read_text(encoding="utf-8"))
    mask = next(token for token in stored["added_tokens"] if token["content"] == "<mask>")
    mask["lstrip"] = lstrip
    (tmp_path / "tokenizer.json").write_text(json.dumps(stored), encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path, read_config(tiny_folder))
    apart, close = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a <mask>", "a<mask>"))
    assert apart == close


def test_reads_a_sentencepiece_model(tmp_path: Path) -> None:
    """Its pieces begin with <unk> <s> </s>; XLM-R puts <s> <pad> </s> <unk> before them and <mask> behind."""
    pytest.importorskip("google.protobuf")
    from transformers.convert_slow_tokenizer import import_protobuf

    model = import_protobuf().ModelProto()
    special, pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)], [("▁a", -1, 1), ("▁", -2, 1), ("b", -3, 1)]
    for piece, score, kind in special + pieces:
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = 1
    (tmp_path / "sentencepiece.bpe.model").write_bytes(model.SerializeToString())
    tokenizer = load_tokenizer(tmp_path, CONFIG)
    assert tokenizer("a b", "ab c <mask>")["input_ids"] == [0, 4, 5, 6, 2, 2, 4, 6, 5, 3, 7, 2]
