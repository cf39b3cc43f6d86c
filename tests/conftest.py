"""Fixtures for everyone: a two-layer XLM-R with a tokenizer trained on our own sentences, and the real data beside the
repository."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

pytest_plugins = ["small_runs", "small_files"]

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # a busy machine is no failure
settings.load_profile("any machine")

SENTENCES = (
    "The small cat sleeps under the old table.",
    "Die kleine Katze schläft unter dem alten Tisch.",
    "El gato pequeño duerme debajo de la mesa vieja.",
    "Маленькая кошка спит под старым столом.",
    "Küçük kedi eski masanın altında uyuyor.",
    "Pieni kissa nukkuu vanhan pöydän alla.",
    "छोटी बिल्ली पुरानी मेज़ के नीचे सोती है।",
    "Paka mdogo analala chini ya meza ya zamani.",
    "القطة الصغيرة تنام تحت الطاولة القديمة.",
    "小さな猫は古い机の下で眠る。",
    "Anna bought two red apples in Paris on Monday, didn't she?",
    "Anna kaufte am Montag zwei rote Äpfel in Paris.",
    "Who bought the apples? Anna did, and she paid four euros.",
    "The train from Berlin to Madrid leaves at seven in the morning.",
)
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
CONFIG = {
    "model_type": "xlm-roberta",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-5,
    "initializer_range": 0.02,
}


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XLM-R folder as the hub has them: two layers of 32 dimensions, 64 tokens at most, a masked-LM head, no
    pooler."""
    folder = tmp_path_factory.mktemp("tiny-xlmr")
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = CONFIG | {"vocab_size": tokenizer.get_vocab_size()}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_weights(config), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def tiny_trunk(tiny_folder: Path) -> object:
    """The tiny XLM-R in float32, made new for each test."""
    from adapter_stilts.encoder.trunk.loading import load_trunk

    return load_trunk(str(tiny_folder), precision="fp32")


@pytest.fixture(scope="session")
def shared_path() -> Callable[[str], Path]:
    """A file or folder of the real data beside the repository; skips the test where it is absent."""
    root = Path(os.environ.get("ADAPTER_STILTS_SHARED") or Path(__file__).resolve().parents[2] / "shared")

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"no {name} in ../shared or ADAPTER_STILTS_SHARED")
        return root / name

    return find


@pytest.fixture(scope="module")
def few_rows():
    """The miniature with at most 40 rows of each data set, for tests that go from start to end many times over."""
    from adapter_stilts.miniature import datasets

    def forget() -> None:
        datasets.rows.cache_clear()
        datasets._examples.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        for name, dataset in datasets.DATASETS.items():
            sizes = {split: min(size, 40 if split == "train" else 32) for split, size in dataset.sizes.items()}
            patch.setitem(datasets.DATASETS, name, replace(dataset, sizes=sizes))
        forget()
        yield
    forget()


def _tokenizer() -> Tokenizer:
    """A unigram tokenizer with XLM-R's special tokens in XLM-R's places."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _weights(config: dict[str, object]) -> dict[str, torch.Tensor]:
    """Random weights large enough that every layer changes its input; names as in the hub's files."""
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = XLMRobertaForMaskedLM(XLMRobertaConfig(**config))
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
            else:
                parameter.data *= 5 if "embeddings" not in name else 1
    return {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("lm_head.decoder.")
    }


@pytest.fixture(scope="session")
def slow_mining() -> dict[str, Callable[..., object]]:
    """The reference for mining, and random pools to try it on: slow_mining["slow_mining"],
    slow_mining["random_pools"]."""
    return runpy.run_path(str(Path(__file__).with_name("slow_mining.py")))
