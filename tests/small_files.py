"""A small real tokenizer with XLM-R's conventions, files written by a test, and where real data lies."""

import gzip
import os
from pathlib import Path

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.formats.reading import read

TEXT = [
    "The Panthers defense gave up just 308 points, ranking sixth in the league.",
    "A man is riding a red motorcycle with a small child sitting in front of him.",
    "Die Verteidigung der Panthers gab nur 308 Punkte ab und war damit die sechstbeste der Liga.",
    "黑豹队的防守只丢了308分，在联赛中排名第六。",
    "ทีมรับของแพนเธอร์สยอมแพ้ที่คะแนนเพียง 308",
    "Panthers savunması ligde altıncı sırada 308 sayı bıraktı.",
    "पैंथर्स डिफ़ेंस ने केवल 308 अंक दिए।",
]


@pytest.fixture(scope="session")
def tokenizer():
    """XLM-R's special tokens and template over 300 unigram pieces, made from the sentences above."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaTokenizerFast

    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator(
        TEXT * 3,
        trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False),
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", backend.token_to_id("<s>")), ("</s>", backend.token_to_id("</s>"))],
    )
    return XLMRobertaTokenizerFast(tokenizer_object=backend)


@pytest.fixture
def write(tmp_path):
    """Write a text under a name, gzip where the name ends so; returns the path."""

    def put(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return put


@pytest.fixture(scope="session")
def shared():
    """The folder of real data beside the repository; the test is skipped where it is absent."""
    folder = Path(os.environ.get("ADAPTER_STILTS_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


def read_rows(path, format, columns=None, labels=None):
    """The examples of one file of a format, its columns and labels given or not."""
    return read(path, Layout(format, columns or {}, None if labels is None else tuple(labels)))
