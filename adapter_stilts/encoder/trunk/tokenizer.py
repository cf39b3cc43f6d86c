"""The trunk's tokenizer: its class is ours to choose, and no tokenizer_config.json is obeyed.

It is imported where a trunk is loaded, since transformers takes seconds; processes that fork others import it first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, XLMRobertaTokenizerFast

from adapter_stilts.data.pieces import marks
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.errors import ArtefactError, MissingError

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
SPECIAL |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
SPELLINGS = (  # of special tokens; a tokenizer has all of one
    {"cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "pad": "[PAD]", "mask": "[MASK]"},
    {"cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
    {"cls": "<bos>", "sep": "<eos>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
)
GET_FAST = "fetch tokenizer.json, or pip install sentencepiece protobuf"


def load_tokenizer(folder: Path, config: TrunkConfig) -> PreTrainedTokenizerFast:
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
    try:
        if path == slow or config.model_type == "xlm-roberta":
            options: dict[str, Any] = {argument: str(path), "model_max_length": config.max_length, **SPECIAL}
            tokenizer: PreTrainedTokenizerFast = XLMRobertaTokenizerFast(**options)  # type: ignore[no-untyped-call]
        else:
            tokenizer = _by_its_marks(path, config.max_length)
    except Exception as error:
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


def _by_its_marks(path: Path, longest: int) -> PreTrainedTokenizerFast:
    """tokenizer.json as it is, with the special tokens in it; ValueError where they are of no known spelling."""
    backend = Tokenizer.from_file(str(path))
    known = [spelt for spelt in SPELLINGS if all(backend.token_to_id(token) is not None for token in spelt.values())]
    if not known:
        raise ValueError("its special tokens are spelt neither as BERT's nor as XLM-R's nor as Gemma's")
    options: dict[str, Any] = {f"{name}_token": token for name, token in known[0].items()}
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, model_max_length=longest, **options
    )
