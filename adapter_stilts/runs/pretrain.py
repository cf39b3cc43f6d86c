"""A trunk from scratch: a vocabulary, then masked language modelling on texts and translation pairs.

    texts = {"de": [PlainText("0", "ein Satz"), PlainText("1", "ein Satz", pair="a sentence"), ...], ...}
    pretrain(texts, Path("trunk"), Recipe(steps=2000))

The trunk trains as a kind `full` adapter under a head for masked text. Its folder is then one that `load_trunk` reads,
head included, with `pretraining.json` saying what it was made of and `metrics.jsonl` how it went.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import Trunk, new_trunk, save_trunk
from adapter_stilts.errors import ConfigError, UsageError
from adapter_stilts.files import disk_errors, read_json, sha256, write_bytes, write_json
from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature.aligned_start import aligned_embeddings
from adapter_stilts.miniature.pretraining_rows import Corpus, encode, sample
from adapter_stilts.miniature.vocabulary import train_tokenizer
from adapter_stilts.runs.measure import masking_of
from adapter_stilts.seeding import Seeds
from adapter_stilts.training.devices import own_generators, pick_device
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.loop import Run
from adapter_stilts.training.plan import Outcome, Progress, TrainingData, TrainingPlan
from adapter_stilts.training.usual import USUAL_EPOCHS

PART = "whole"  # the name of the one part that trains
BETAS, EPSILON = (0.9, 0.98), 1e-6  # of AdamW, as RoBERTa was trained
FACTS = "pretraining.json"


@dataclass(frozen=True)
class Recipe:
    """What a pretrained trunk is and how it is made; `steps`, `minutes` or both must be given."""

    steps: int | None = None
    minutes: float | None = None  # of training; the learning rate reaches zero there
    vocabulary: int = 8000
    layers: int = 4
    hidden: int = 128
    heads: int = 4
    max_length: int = 128
    learning_rate: float = 1e-3
    warmup: float = 0.1
    token_budget: int = 4096
    pair_share: float | None = 0.5  # of the rows; the rest are single texts. None: as many as the texts have
    mask_rate: float = 0.2
    language_exponent: float = 0.7
    aligned_start: bool = False  # word embeddings from an SVD of the translation pairs
    dropout: float = 0.1  # written into config.json for whoever trains on the trunk; pretraining itself uses none
    precision: str = "fp32"
    checkpoint_steps: int = 500
    seed: int = 13

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ConfigError("neither steps nor minutes are given", where="recipe", do="say how long to pretrain")
        if not (0 <= (self.pair_share or 0) <= 1 and 0 < self.mask_rate < 1):
            what = f"pair_share {self.pair_share} and mask_rate {self.mask_rate} are shares"
            raise ConfigError(what, where="recipe", do="give numbers between 0 and 1")


def pretrain(
    texts: Mapping[str, Sequence[PlainText]],
    out: Path,
    recipe: Recipe,
    *,
    tokenizer_folder: Path | None = None,
    device: str = "auto",
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: StopSignal | None = None,
) -> Outcome | None:
    """Make the trunk in `out`; continues what an interrupted call left there, and returns None where it is made.

    texts             by language; those with a `pair` (their translation, English where there is one) are read as pairs
    tokenizer_folder  a tokenizer.json to use; None trains one

    Raises ArtefactError where `out` holds an unfinished trunk of another recipe or other texts, UsageError where it
    holds a finished one.
    """
    where = pick_device(device)
    identity = _identity(texts, recipe, tokenizer_folder)
    if (out / FACTS).is_file():
        if read_json(out / FACTS)["identity"] != identity:
            what = "the folder holds a trunk made by another recipe or of other texts"
            raise UsageError(what, where=str(out), do="choose another folder, or remove this one")
        return None
    work = out / "training"
    vocabulary = tokenizer_folder or _vocabulary(texts, work / f"vocabulary-{identity}", recipe)
    corpus = encode(texts, Tokenizer.from_file(str(vocabulary / "tokenizer.json")))
    share, exponent = recipe.pair_share, recipe.language_exponent
    rows = sample(corpus, max_length=recipe.max_length, pair_share=share, exponent=exponent, seed=recipe.seed)
    trunk = _fresh(vocabulary, recipe, corpus)
    encoder = AdapterEncoder(trunk)
    encoder.add(PART, "full")
    encoder.activate(parse(PART))
    head = build_head("text", recipe.hidden, trunk.config.vocab_size, recipe.seed)
    model = TaskModel(encoder, head, "text").to(where)
    model.train_parts([PART])
    data = TrainingData(rows.lengths, rows.collate, masking_of(model.format, trunk, recipe.mask_rate))
    run = Run(model, data, _plan(recipe), work, None, identity, progress, stop or StopSignal())
    outcome = run.to_the_end(resume=True)
    _save(out, trunk, model, recipe.dropout)
    languages = {
        language: {"texts": len(texts), "pairs": len(corpus.pairs[language]), "tokens": corpus.tokens(language)}
        for language, texts in corpus.singles.items()
    }
    ended = {name: getattr(outcome, name) for name in ("steps", "epochs", "stopped_by")}
    measured = {"loss": outcome.losses[-1][1], "seconds": round(outcome.seconds, 1), "rows_an_epoch": len(rows.spans)}
    facts = {"identity": identity, "recipe": asdict(recipe), **ended, **measured, "languages": languages}
    write_json(out / FACTS, facts)
    with disk_errors(out):
        shutil.rmtree(work)
    return outcome


def _vocabulary(texts: Mapping[str, Sequence[PlainText]], folder: Path, recipe: Recipe) -> Path:
    """The folder of a tokenizer trained on all texts, both sides of pairs; an interrupted call may have left it."""
    if not (folder / "tokenizer.json").is_file():
        by_language = {language: [row.text for row in rows] for language, rows in texts.items()}
        translations = {row.pair: None for rows in texts.values() for row in rows if row.pair is not None}
        train_tokenizer({**by_language, "translations": list(translations)}, folder, recipe.vocabulary, recipe.seed)
    return folder


def _fresh(vocabulary: Path, recipe: Recipe, corpus: Corpus) -> Trunk:
    sizes = (recipe.hidden, recipe.layers, recipe.heads, 4 * recipe.hidden, recipe.max_length + 2)
    numbers = TrunkConfig(0, *sizes, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    trunk = new_trunk(vocabulary, numbers, recipe.seed)
    if recipe.aligned_start:
        with own_generators(torch.device("cpu")):
            torch.manual_seed(Seeds(recipe.seed).number("aligned start"))
            start = aligned_embeddings(corpus, trunk.config.vocab_size, recipe.hidden)
        embeddings = trunk.model.word_embeddings.weight.data
        paired = start.abs().sum(1) > 0  # special tokens, and tokens in no pair, keep their random start
        embeddings[paired] = start[paired]
    return trunk


def _plan(recipe: Recipe) -> TrainingPlan:
    names = ("minutes", "learning_rate", "warmup", "token_budget", "checkpoint_steps", "precision", "seed")
    settings = {"max_steps": recipe.steps, "log_steps": 50, **{name: getattr(recipe, name) for name in names}}
    config = with_settings(RunConfig(), {f"training.{name}": value for name, value in settings.items()})
    return TrainingPlan(**{**vars(config.training), "epochs": USUAL_EPOCHS}, betas=BETAS, epsilon=EPSILON)


def _save(out: Path, trunk: Trunk, model: TaskModel, dropout: float) -> None:
    """The trunk's own folder: float16 weights with their head, the tokenizer, and the metrics."""
    head = {name: parameter.detach().cpu() for name, parameter in model.head.named_tensors().items()}
    config = replace(trunk.config, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    save_trunk(replace(trunk, config=config), out, torch.float16, weights=model.encoder.tensors(PART), mask_head=head)
    write_bytes(out / "metrics.jsonl", (out / "training" / "metrics.jsonl").read_bytes())


def _identity(texts: Mapping[str, Sequence[PlainText]], recipe: Recipe, tokenizer_folder: Path | None) -> str:
    """A hash of the recipe, the vocabulary given, and every text."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    digest.update(sha256(tokenizer_folder / "tokenizer.json").encode() if tokenizer_folder else b"")
    for language, rows in sorted(texts.items()):
        digest.update(json.dumps([language, [[row.text, row.pair] for row in rows]]).encode())
    return digest.hexdigest()[:16]
