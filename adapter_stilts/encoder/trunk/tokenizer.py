"""The trunk's tokenizer: its class is ours to choose, and no tokenizer_config.json is obeyed.

It is imported where a trunk is loaded, since transformers takes seconds; processes that fork others import it first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import XLMRobertaTokenizerFast

from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
SPECIAL |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
GET_FAST = "fetch tokenizer.json, or pip install sentencepiece protobuf"


def load_tokenizer(folder: Path, config: TrunkConfig) -> XLMRobertaTokenizerFast:
    """From tokenizer.json, else from sentencepiece.bpe.model where the library that reads it is installed.

    Raises MissingError where there is neither, ArtefactError for one that is damaged or knows tokens the trunk does
    not.
    """
    fast, slow = folder / "tokenizer.json", folder / "sentencepiece.bpe.model"
    path, argument, verb, do = fast, "tokenizer_file", "read", "fetch it again"
    if not fast.is_file():
        path, argument, verb, do = slow, "vocab_file", "converted", GET_FAST
    if not path.is_file():
        do = "fetch the trunk again, all of its files"
        raise MissingError("there is no tokenizer.json", where=str(folder), do=do)
    options: dict[str, Any] = {argument: str(path), "model_max_length": config.max_length, **SPECIAL}
    try:
        tokenizer = XLMRobertaTokenizerFast(**options)  # type: ignore[no-untyped-call]
    except Exception as error:
        if path == slow and isinstance(error, ImportError):
            what = "there is no tokenizer.json, and the library that reads this file is not installed"
            raise MissingError(what, where=str(path), do=do) from error
        raise ArtefactError(f"the tokenizer cannot be {verb}: {error}", where=str(path), do=do) from error
    if len(tokenizer) > config.vocab_size:
        what = f"the tokenizer knows {len(tokenizer)} tokens and the trunk {config.vocab_size}"
    elif tokenizer.pad_token_id != config.pad_token_id:
        what = f"the tokenizer pads with {tokenizer.pad_token_id}, the trunk with {config.pad_token_id}"
    else:
        return tokenizer
    raise ArtefactError(what, where=str(folder), do="fetch tokenizer and weights from one place")
