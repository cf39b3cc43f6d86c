"""The trunk's tokenizer: its class is ours to choose, and no tokenizer_config.json is obeyed.

It is imported where a trunk is loaded, since transformers takes seconds; processes that fork others import it first.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import XLMRobertaConverter

from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
SPECIAL |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
INPUTS = ["input_ids", "attention_mask"]
GET_FAST = "fetch tokenizer.json, or pip install sentencepiece protobuf"


def load_tokenizer(folder: Path, config: TrunkConfig) -> PreTrainedTokenizerFast:
    """From tokenizer.json, else from sentencepiece.bpe.model where the library that reads it is installed.

    Raises MissingError where there is neither, ArtefactError for one that is damaged or knows tokens the trunk does
    not.
    """
    fast, slow = folder / "tokenizer.json", folder / "sentencepiece.bpe.model"
    path, backend, verb, do = fast, _stored, "read", "fetch it again"
    if not fast.is_file():
        path, backend, verb, do = slow, _converted, "converted", GET_FAST
    if not path.is_file():
        do = "fetch the trunk again, all of its files"
        raise MissingError("there is no tokenizer.json", where=str(folder), do=do)
    try:
        tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=backend(path), model_max_length=config.max_length, model_input_names=INPUTS, **SPECIAL
        )
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


def _stored(path: Path) -> Tokenizer:
    """tokenizer.json as it is. transformers 5 would build XLM-R's anew, without the normaliser that some have."""
    return _with_mask(Tokenizer.from_file(str(path)))


def _converted(path: Path) -> Tokenizer:
    """XLM-R's tokenizer of a sentencepiece.bpe.model; ImportError where the library that reads it is missing."""
    slow = SimpleNamespace(vocab_file=str(path), convert_tokens_to_ids={"<s>": 0, "</s>": 2}.get)
    convert: Any = XLMRobertaConverter
    return _with_mask(convert(slow).converted())


def _with_mask(tokenizer: Tokenizer) -> Tokenizer:
    """<mask> takes the blank before it along, as in XLM-R's own tokenizer, whatever a file says."""
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    return tokenizer
