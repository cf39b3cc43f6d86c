"""A trunk that says how it makes a sentence's vector is read so by every verb that reads sentences, which say it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from asking import evaluation

from adapter_stilts.errors import ArtefactError
from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.mine import mine
from adapter_stilts.mining.request import Mining
from adapter_stilts.retrieval.reading import Overrides
from adapter_stilts.runs.evaluate import evaluate

OWN = "layer 2 of 2, pooled by first (as the trunk's own pooling configuration says)"


@pytest.fixture
def trunk(tiny_folder, tmp_path):
    """The tiny trunk as a sentence encoder of the first token, of at most 9 tokens; `trunk("LSTM")` has a module more.

    By itself the tiny trunk is read at layer 1, by the mean.
    """

    def make(*more):
        folder = tmp_path / "encoder"
        shutil.copytree(tiny_folder, folder)
        types = ("Transformer", "Pooling", *more)
        modules = [
            {"type": f"sentence_transformers.models.{name}", "path": f"{i}_{name}"} for i, name in enumerate(types)
        ]
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        settings = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
        (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 9}')
        return str(folder)

    return make


@pytest.fixture
def sides(tmp_path):
    paths = [tmp_path / "f.fi", tmp_path / "f.en"]
    for path in paths:
        path.write_text("".join(f"{path.suffix} sentence number {row}\n" for row in range(6)))
    return paths


def asked(tmp_path, heard):
    return {"runs": tmp_path / "runs", "overwrite": False, "dry_run": False, "report": heard}


def test_encodes_as_the_trunk_says_unless_told_otherwise(trunk, sides, tmp_path, heard):
    request = Encoding(sides[0], trunk=trunk(), precision="fp32")
    made = encode(request, out=tmp_path / "v", **asked(tmp_path, heard))
    assert (made["layer"], made["pool"]) == (2, "first")
    assert f"sentences are read at {OWN}" in heard.lines
    made = encode(replace(request, wanted=Overrides((1,), "max")), out=tmp_path / "w", **asked(tmp_path, heard))
    assert (made["layer"], made["pool"]) == (1, "max")
    assert "sentences are read at layer 1 of 2, pooled by max (layer and pooling as asked)" in heard.lines


def test_encodes_with_the_protocols_layer_where_the_trunk_says_nothing(tiny_folder, sides, tmp_path, heard):
    request = Encoding(sides[0], trunk=str(tiny_folder), precision="fp32")
    made = encode(request, out=tmp_path / "v", **asked(tmp_path, heard))
    assert (made["layer"], made["pool"]) == (1, "mean")
    assert "sentences are read at layer 1 of 2, pooled by mean (as the protocol 'own' says)" in heard.lines


def test_mines_with_the_vectors_that_encode_makes(trunk, sides, tmp_path, heard):
    name = trunk()
    mine(Mining(*sides, trunk=name, precision="fp32"), out=tmp_path / "p.tsv", **asked(tmp_path, heard))
    assert f"sentences are read at {OWN}" in heard.lines
    made = encode(Encoding(sides[0], trunk=name, precision="fp32"), out=None, **asked(tmp_path, heard))
    assert made["state"] == "done"


@pytest.mark.parametrize(
    ("protocol", "layer", "pool", "said"),
    [
        ("own", 2, "first", OWN),
        (
            "xtreme",
            1,
            "mean",
            "(as the protocol 'xtreme' says); the trunk's own configuration says its last layer, first",
        ),
    ],
)
def test_evaluates_as_the_trunk_says_under_own_alone(trunk, sides, tmp_path, heard, protocol, layer, pool, said):
    data = [f"test={path}" for path in sides]
    request = evaluation(run=None, trunk=trunk(), tasks=("bitext",), data=data, protocol=protocol, precision="fp32")
    rows = evaluate(request, out=tmp_path / "out", **asked(tmp_path, heard)).results
    assert {(row.settings["layer"], row.settings["pool"]) for row in rows} == {(layer, pool)}
    assert {row.settings["max_length"] for row in rows} == {9 if protocol == "own" else 512}
    assert any(said in line for line in heard.lines)
    assert np.isfinite(rows[0].score)


def test_refuses_an_encoder_with_a_module_we_lack_unless_told_how_to_read_it(trunk, sides, tmp_path, heard):
    request = Encoding(sides[0], trunk=trunk("LSTM"), precision="fp32")
    with pytest.raises(ArtefactError, match=r"LSTM \(2_LSTM\)(.|\n)*--layer 12 --pool mean"):
        encode(request, out=tmp_path / "v", **asked(tmp_path, heard))
    made = encode(replace(request, wanted=Overrides((2,), "mean")), out=tmp_path / "v", **asked(tmp_path, heard))
    assert (made["layer"], made["pool"]) == (2, "mean")
