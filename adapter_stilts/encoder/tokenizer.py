"""XLM-R's tokenizer from its files alone: the class is ours to choose, and no tokenizer_config.json is obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapter_stilts.encoder.trunk_config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

if TYPE_CHECKING:
    from transformers import XLMRobertaTokenizerFast

SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "cls_token": "<s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}

GET_FAST = "fetch tokenizer.json, or pip install sentencepiece protobuf"
ONE_PLACE = "fetch tokenizer and weights from one place"


def load_tokenizer(folder: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    """From tokenizer.json, else from sentencepiece.bpe.model where the library that reads it is installed.

    Raises MissingError where there is neither, ArtefactError for one that is damaged or knows tokens the trunk does
    not.
    """
    fast, slow = folder / "tokenizer.json", folder / "sentencepiece.bpe.model"
    tokenizer = _fast(fast, config) if fast.is_file() else _converted(slow, config)
    if len(tokenizer) > config.vocab_size:
        what = f"the tokenizer knows {len(tokenizer)} tokens and the trunk {config.vocab_size}"
        raise ArtefactError(what, where=str(folder), do=ONE_PLACE)
    if tokenizer.pad_token_id != config.pad_token_id:
        what = f"the tokenizer pads with {tokenizer.pad_token_id}, the trunk with {config.pad_token_id}"
        raise ArtefactError(what, where=str(folder), do=ONE_PLACE)
    return tokenizer


def _fast(path: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    from transformers import XLMRobertaTokenizerFast

    try:
        return XLMRobertaTokenizerFast(tokenizer_file=str(path), model_max_length=config.max_length, **SPECIAL)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ArtefactError(f"the tokenizer cannot be read: {error}", where=str(path), do="fetch it again") from error


def _converted(path: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    from transformers import XLMRobertaTokenizerFast

    if not path.is_file():
        what = "there is no tokenizer.json"
        raise MissingError(what, where=str(path.parent), do="fetch the trunk again, all of its files")
    try:
        return XLMRobertaTokenizerFast(vocab_file=str(path), model_max_length=config.max_length, **SPECIAL)  # type: ignore[no-untyped-call]
    except ImportError as error:
        what = "there is no tokenizer.json, and the library that reads this file is not installed"
        raise MissingError(what, where=str(path), do=GET_FAST) from error
    except Exception as error:
        raise ArtefactError(f"the tokenizer cannot be converted: {error}", where=str(path), do=GET_FAST) from error
