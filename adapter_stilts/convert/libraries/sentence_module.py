"""A run as a module of sentence-transformers: sentences to pooled vectors, by our own encoder.

modules.json names it where a run is no model of transformers (convert/sentence_transformers.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers.base.modules import Module
from torch import Tensor

from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.pooling import pooled
from adapter_stilts.runs.subject import sentence_reader

SETTINGS = "sentence_encoder.json"


class Encoder(Module):  # type: ignore[misc]
    """The first and only module before what is done to vectors."""

    save_in_root = True

    def __init__(self, folder: Path, layer: int, pool: str, max_length: int) -> None:
        super().__init__()
        self.folder, self.layer, self.pool, self.max_seq_length = folder, layer, pool, max_length
        reader = sentence_reader(folder / "run", str(folder / "trunk"), layer=layer, pool=pool, precision="fp32")
        self.encoder = reader.encoder
        self.tokenizer = reader.encoder.trunk.tokenizer

    @classmethod
    def load(cls, model_name_or_path: str, **kwargs: Any) -> Encoder:
        """From a folder that `convert` has written."""
        folder = Path(model_name_or_path)
        if not folder.is_dir():
            do = "fetch it with `adapter-stilts pull`, and name its folder"
            raise UsageError("such a model is loaded from a folder", where=model_name_or_path, do=do)
        return cls(folder, **json.loads((folder / SETTINGS).read_text(encoding="utf-8")))

    def tokenize(self, texts: Sequence[str], **kwargs: Any) -> dict[str, Tensor]:
        """Token ids, padded; what is too long is cut."""
        options = {"padding": True, "truncation": True, "max_length": self.max_seq_length, "return_tensors": "pt"}
        batch = self.tokenizer(list(texts), **options)
        return {name: batch[name] for name in ("input_ids", "attention_mask")}

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **kwargs: Any) -> dict[str, Tensor]:
        """The same after a prompt."""
        return self.tokenize([(prompt or "") + text for text in inputs])

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Adds "sentence_embedding" [B, H], not yet of length 1."""
        ids, mask = features["input_ids"], features["attention_mask"]
        hidden = self.encoder.hidden(ids, mask, self.layer)
        vectors = pooled(self.pool, hidden, mask, self.encoder.trunk.pooling).to(ids.device)
        return {**features, "sentence_embedding": vectors}

    def get_embedding_dimension(self) -> int:
        return int(self.encoder.trunk.config.hidden_size)

    get_sentence_embedding_dimension = get_embedding_dimension

    def get_max_seq_length(self) -> int:
        return self.max_seq_length

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Its files are those of the folder it came from."""
        raise UsageError("such a model is written by `adapter-stilts convert`", do="copy its folder")
