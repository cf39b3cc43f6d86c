"""Tiny trunks of every form people name, as the hub has them: by transformers' own classes, with random weights.

write_form("labse", folder)      config.json, model.safetensors, tokenizer.json and what lies beside them
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WEIGHTS = "model.safetensors"
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
BERT_MARKS = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
GEMMA_MARKS = {"pad": "<pad>", "sep": "<eos>", "cls": "<bos>", "unk": "<unk>", "mask": "<mask>"}
XLMR_MARKS = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
TEXTS = (
    "A grey dog runs along the river.",
    "Ein grauer Hund läuft am Fluss entlang.",
    "Un perro gris corre junto al río.",
    "Серая собака бежит вдоль реки.",
    "Gri bir köpek nehir boyunca koşuyor.",
    "灰色の犬が川に沿って走る。",
    "Seven ships left the harbour before noon, and two came back.",
    "Sieben Schiffe verließen den Hafen vor Mittag, und zwei kamen zurück.",
)


def write_form(form: str, folder: Path, texts: Sequence[str] = TEXTS, **changes: Any) -> Path:
    """A trunk of that form, its tokenizer made of `texts`; changes: of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    FORMS[form](folder, texts, changes)
    return folder


def _xlmr(folder: Path, texts: Sequence[str], changes: Mapping[str, Any]) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

    size = _unigram(texts, XLMR_MARKS).save(folder)
    numbers = SMALL | {"max_position_embeddings": 130, "type_vocab_size": 1, "vocab_size": size} | dict(changes)
    _save(folder, lambda: XLMRobertaForMaskedLM(XLMRobertaConfig(**numbers)))


def _mbert(folder: Path, texts: Sequence[str], changes: Mapping[str, Any]) -> None:
    """Word pieces, `[CLS] a [SEP] b [SEP]`, a masked-LM head and a pooler."""
    from transformers import BertConfig, BertForPreTraining

    size = _word_pieces(texts).save(folder)
    numbers = SMALL | {"max_position_embeddings": 128, "vocab_size": size} | dict(changes)
    _save(folder, lambda: BertForPreTraining(BertConfig(**numbers)))


def _labse(folder: Path, texts: Sequence[str], changes: Mapping[str, Any]) -> None:
    """LaBSE's vocabulary of 501,153 rows, names without a prefix, a pooler, and its own pooling: the first token, and
    a dense layer."""
    from transformers import BertConfig, BertModel

    _word_pieces(texts).save(folder)
    numbers = SMALL | {"max_position_embeddings": 128, "vocab_size": 501_153} | dict(changes)
    _save(folder, lambda: BertModel(BertConfig(**numbers)))
    _pooling(folder, "cls_token", "2_Dense")
    function = "torch.nn.modules.activation.Tanh"
    dense = {"in_features": 32, "out_features": 32, "bias": True, "activation_function": function}
    (folder / "2_Dense").mkdir(exist_ok=True)
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense), encoding="utf-8")
    layer = torch.nn.Linear(32, 32)
    layer.load_state_dict({"weight": torch.linspace(-99, 99, 1024).view(32, 32).sin(), "bias": torch.ones(32) / 2})
    save_file({f"linear.{name}": tensor for name, tensor in layer.state_dict().items()}, folder / "2_Dense" / WEIGHTS)


def _e5(folder: Path, texts: Sequence[str], changes: Mapping[str, Any]) -> None:
    """multilingual-e5-small's: BERT's form with XLM-R's tokenizer, which pads with 1 where the configuration says 0."""
    from transformers import BertConfig, BertModel

    size = _unigram(texts, XLMR_MARKS).save(folder)
    numbers = SMALL | {"max_position_embeddings": 128, "vocab_size": size} | dict(changes)
    _save(folder, lambda: BertModel(BertConfig(**numbers)))
    _pooling(folder, "mean_tokens")


def _mmbert(folder: Path, texts: Sequence[str], changes: Mapping[str, Any]) -> None:
    """ModernBERT's layers, `<bos> a <eos>`, two layers of three with local attention."""
    with warnings.catch_warnings():  # its module is made with torch.compile, whose own parts are deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        from transformers import ModernBertConfig, ModernBertForMaskedLM

    made = _unigram(texts, GEMMA_MARKS)
    size = made.save(folder)
    ids = {f"{name}_token_id": made.tokenizer.token_to_id(token) for name, token in GEMMA_MARKS.items()}
    ids |= {"bos_token_id": ids["cls_token_id"], "eos_token_id": ids["sep_token_id"]}
    numbers = SMALL | {"num_hidden_layers": 4, "max_position_embeddings": 128, "local_attention": 8}
    numbers |= {"vocab_size": size, "reference_compile": False, **ids} | dict(changes)
    _save(folder, lambda: ModernBertForMaskedLM(ModernBertConfig(**numbers)))


FORMS: Mapping[str, Callable[[Path, Sequence[str], Mapping[str, Any]], None]] = {
    "xlm-r": _xlmr,
    "mbert": _mbert,
    "labse": _labse,
    "e5": _e5,
    "mmbert": _mmbert,
}


class _Made:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def save(self, folder: Path) -> int:
        self.tokenizer.save(str(folder / "tokenizer.json"))
        return int(self.tokenizer.get_vocab_size())


def _unigram(texts: Sequence[str], marks: Mapping[str, str]) -> _Made:
    """Pieces of a unigram model, with the marks as its first ids; pairs double the mark between them as XLM-R does."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = list(marks.values())
    options = {"special_tokens": special, "unk_token": marks["unk"], "show_progress": False}
    trainer = trainers.UnigramTrainer(vocab_size=400, **options)
    tokenizer.train_from_iterator(texts, trainer)
    between = f"{marks['sep']} {marks['sep']}" if marks is XLMR_MARKS else marks["sep"]
    return _Made(_with_template(tokenizer, marks, between))


def _word_pieces(texts: Sequence[str]) -> _Made:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = list(BERT_MARKS.values())
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    )
    return _Made(_with_template(tokenizer, BERT_MARKS, "[SEP]"))


def _with_template(tokenizer: Tokenizer, marks: Mapping[str, str], between: str) -> Tokenizer:
    type = ":1" if marks is BERT_MARKS else ""
    tokens = [(marks[name], tokenizer.token_to_id(marks[name])) for name in ("cls", "sep")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{marks['cls']} $A {marks['sep']}",
        pair=f"{marks['cls']} $A {between} $B{type} {marks['sep']}{type}",
        special_tokens=tokens,
    )
    return tokenizer


def _save(folder: Path, make: Callable[[], Any]) -> None:
    """Weights large enough that every layer changes its input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = make()
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
            else:
                parameter.data *= 1 if "word_embeddings" in name or "tok_embeddings" in name else 5
    model.save_pretrained(folder)


def _pooling(folder: Path, mode: str, *more: str) -> None:
    types = [(path, path.partition("_")[2] or "Transformer") for path in ("", "1_Pooling", *more, "3_Normalize")]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{type}"}
        for number, (path, type) in enumerate(types)
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    settings = {f"pooling_mode_{name}": name == mode for name in ("cls_token", "mean_tokens")}
    settings["word_embedding_dimension"] = 32
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings), encoding="utf-8")
