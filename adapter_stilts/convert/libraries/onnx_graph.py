"""A module to an ONNX graph by torch's exporter, and a graph's output by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

SINGLE_FILE = 1 << 30  # bytes of weights; more lie beside the graph, since protobuf ends at 2 GiB
OPSET = 18


def export(module: nn.Module, file: Path, longest: int, output: str) -> None:
    """Write a graph of (input_ids, attention_mask), whose rows and tokens may be any number."""
    ids = torch.full((2, min(8, longest)), 5, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", min=2, max=longest)}
    size = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
    names: Any = {"input_names": ["input_ids", "attention_mask"], "output_names": [output]}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of torchvision, which nothing here needs
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (ids, mask),
            file,
            **names,
            dynamo=True,
            dynamic_shapes=(axes, axes),
            opset_version=OPSET,
            external_data=size > SINGLE_FILE,
            verbose=False,
        )


def run(file: Path, ids: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
    """What a graph makes of a batch."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    output: NDArray[Any] = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return output
