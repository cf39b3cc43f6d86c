"""The trunk's tokenizer: its class is ours to choose, and no tokenizer_config.json is obeyed.

It is imported where a trunk is loaded, since transformers takes seconds; processes that fork others import it first.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import XLMRobertaConverter

from adapter_stilts.data.pieces import marks
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

SPELLINGS = (  # of special tokens; a tokenizer has all of one
    {"cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "pad": "[PAD]", "mask": "[MASK]"},
    {"cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
    {"cls": "<bos>", "sep": "<eos>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
)
CHARSMAP = re.compile(r'"precompiled_charsmap"\s*:\s*"([^"]*)"')
PROBE = "A fi\ufb01 \u00c4 \u0416 \u4e2d\u3000\ud55c \u0e01\u0e33 e\u0301"  # has to be normalised in many ways
PANIC = "PanicException"  # what the library raises where it finds itself in the wrong
GET_FAST = "fetch tokenizer.json, or pip install sentencepiece protobuf"


def load_tokenizer(folder: Path, config: TrunkConfig) -> PreTrainedTokenizerFast:
    """From tokenizer.json, else from sentencepiece.bpe.model where the library that reads it is installed.

    Raises MissingError where there is neither, ArtefactError for one that is damaged or knows tokens the trunk does
    not.
    """
    fast, slow = folder / "tokenizer.json", folder / "sentencepiece.bpe.model"
    path, verb, do = fast, "read", "fetch it again"
    if not fast.is_file():
        path, verb, do = slow, "converted", GET_FAST
    if not path.is_file():
        do = "fetch the trunk again, all of its files"
        raise MissingError("there is no tokenizer.json", where=str(folder), do=do)
    try:
        backend = _converted(path) if path == slow else _read(path)
        backend.encode(PROBE)
        tokenizer = _by_its_marks(backend, config)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        if path == slow and isinstance(error, ImportError):
            what = "there is no tokenizer.json, and the library that reads this file is not installed"
            raise MissingError(what, where=str(path), do=do) from error
        raise ArtefactError(f"the tokenizer cannot be {verb}: {error}", where=str(path), do=do) from error
    if len(tokenizer) > config.vocab_size:
        what = f"the tokenizer knows {len(tokenizer)} tokens and the trunk {config.vocab_size}"
        raise ArtefactError(what, where=str(folder), do="fetch tokenizer and weights from one place")
    marked(config, tokenizer, folder)
    return tokenizer


def marked(config: TrunkConfig, tokenizer: PreTrainedTokenizerFast, folder: Path) -> TrunkConfig:
    """With the tokenizer's ids of its marks; ArtefactError where the trunk's arithmetic contradicts them."""
    try:
        return config.marked(int(tokenizer.pad_token_id), int(tokenizer.sep_token_id), marks(tokenizer).typed)
    except ArtefactError as error:
        raise ArtefactError(error.what, where=str(folder), do=error.do) from error
    except (IndexError, TypeError, ValueError) as error:
        what = f"the marks that the tokenizer puts around a text cannot be told: {error}"
        raise ArtefactError(what, where=str(folder), do="fetch the trunk again, all of its files") from error


def _read(path: Path) -> Tokenizer:
    """A tokenizer.json; ValueError for a table of characters that does not hold what it says, on which the library
    would end the process."""
    text = path.read_text(encoding="utf-8")
    for table in CHARSMAP.findall(text):
        held = base64.b64decode(table, validate=True)
        if len(held) < 4 or int.from_bytes(held[:4], "little") not in range(4, len(held) - 3, 4):
            raise ValueError("its precompiled_charsmap is damaged")
    return Tokenizer.from_str(text)


def _converted(path: Path) -> Tokenizer:
    """XLM-R's tokenizer of a sentencepiece.bpe.model; ImportError where the library that reads it is missing."""
    slow = SimpleNamespace(vocab_file=str(path), convert_tokens_to_ids={"<s>": 0, "</s>": 2}.get)
    convert: Any = XLMRobertaConverter
    tokenizer: Tokenizer = convert(slow).converted()
    return tokenizer


def _by_its_marks(backend: Tokenizer, config: TrunkConfig) -> PreTrainedTokenizerFast:
    """A tokenizer as it is stored, with the special tokens in it; ValueError where they are of no known spelling.

    The class for XLM-R would be built anew by transformers 5, without the normaliser that some files have. What it
    has of its own is done here: <mask> takes the blank before it along, whatever the file says.
    """
    known = [spelt for spelt in SPELLINGS if all(backend.token_to_id(token) is not None for token in spelt.values())]
    if not known:
        raise ValueError("its special tokens are spelt neither as BERT's nor as XLM-R's nor as Gemma's")
    options: dict[str, Any] = {f"{name}_token": token for name, token in known[0].items()}
    if config.model_type == "xlm-roberta":
        backend.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
        options |= {"bos_token": "<s>", "eos_token": "</s>", "model_input_names": ["input_ids", "attention_mask"]}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=_Uncopied(backend), model_max_length=config.max_length, **options
    )


@dataclass(frozen=True)
class _Uncopied:
    """A tokenizer that transformers, which copies what it is given, takes as it is: XLM-R's takes 290 MB."""

    backend: Tokenizer

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokenizer:
        return self.backend
