"""XLM-R's tokenizer from its files alone: the class is ours to choose, and no tokenizer_config.json is obeyed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapter_stilts.encoder.trunk_config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

if TYPE_CHECKING:
    from transformers import XLMRobertaTokenizerFast

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}


def load_tokenizer(folder: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    """From tokenizer.json, else from sentencepiece.bpe.model where the library that reads it is installed.

    Raises MissingError where there is neither, ArtefactError for one that is damaged or knows tokens the trunk does not.
    """
    fast, slow = folder / "tokenizer.json", folder / "sentencepiece.bpe.model"
    tokenizer = _fast(fast, config) if fast.is_file() else _converted(slow, config)
    if len(tokenizer) > config.vocab_size:
        raise ArtefactError(f"the tokenizer knows {len(tokenizer)} tokens and the trunk {config.vocab_size}", where=str(folder), do="fetch both from one place")
    if tokenizer.pad_token_id != config.pad_token_id:
        raise ArtefactError(f"the tokenizer pads with {tokenizer.pad_token_id} and the trunk with {config.pad_token_id}", where=str(folder), do="fetch both from one place")
    return tokenizer


def _fast(path: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    from transformers import XLMRobertaTokenizerFast

    try:
        tokenizer: XLMRobertaTokenizerFast = XLMRobertaTokenizerFast(tokenizer_file=str(path), model_max_length=config.max_length, **SPECIAL)
    except Exception as error:
        raise ArtefactError(f"the tokenizer cannot be read: {error}", where=str(path), do="fetch it again") from error
    return tokenizer


def _converted(path: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    from transformers import XLMRobertaTokenizerFast

    if not path.is_file():
        raise MissingError("there is no tokenizer.json", where=str(path.parent), do="fetch the trunk again, all of its files")
    try:
        tokenizer: XLMRobertaTokenizerFast = XLMRobertaTokenizerFast(vocab_file=str(path), model_max_length=config.max_length, **SPECIAL)
    except ImportError as error:
        raise MissingError("there is no tokenizer.json, and reading sentencepiece.bpe.model needs a library that is not installed", where=str(path), do="fetch tokenizer.json") from error
    except Exception as error:
        raise ArtefactError(f"the tokenizer cannot be converted: {error}", where=str(path), do="fetch tokenizer.json") from error
    return tokenizer
