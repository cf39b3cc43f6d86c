"""docs/read_bundle.py: a bottleneck without this toolkit gives what it gives here."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import XLMRobertaModel

from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.runs.build import finished_models
from adapter_stilts.sharing.bundle import load_bundle

SCRIPT = Path(__file__).parents[2] / "docs" / "read_bundle.py"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("seq_bn", {"reduction_factor": 4, "scaling": "learned"}),
        ("double_seq_bn", {"reduction_factor": 4, "leave_out": [1]}),
        ("par_bn", {"reduction_factor": 4, "non_linearity": "gelu"}),
    ],
)
def test_gives_the_same_states_and_probabilities(kind, settings, made, tiny_folder, texts):
    run = made("nli", kind, settings)
    model = finished_models(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(run))["head"]
    script = runpy.run_path(str(SCRIPT))
    theirs = XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False).eval()
    script["attach"](theirs, run, "nli")
    with torch.no_grad():
        hidden = theirs(**texts).last_hidden_state
        torch.testing.assert_close(hidden, model.encoder.hidden(**texts), rtol=0, atol=1e-5)
        probabilities = script["classify"](run, hidden[:1])
        expected = dict(
            zip(("contradiction", "entailment", "neutral"), model(texts)[0].softmax(-1).tolist(), strict=True)
        )
    assert probabilities == pytest.approx(expected, abs=1e-5)


def test_runs_alone_and_notices_a_changed_byte(made, tiny_folder, flip):
    """It imports nothing of this package."""
    run = made("nli", "seq_bn", {"reduction_factor": 4})
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(run), str(tiny_folder), "The cat.", "Katze."]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert sum(json.loads(ended.stdout).values()) == pytest.approx(1)
    lines = SCRIPT.read_text(encoding="utf-8").split("\n")
    assert len(lines) <= 120
    assert not any(line.strip().startswith(("import adapter_stilts", "from adapter_stilts")) for line in lines)
    flip(run / "adapter" / "nli.safetensors", -5, 1)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "nli.safetensors was changed or damaged" in ended.stderr


def test_refuses_a_kind_that_it_does_not_know(made, tiny_folder):
    script = runpy.run_path(str(SCRIPT))
    with pytest.raises(ValueError, match="is of kind lora"):
        script["attach"](
            XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False), made("nli", "lora"), "nli"
        )
