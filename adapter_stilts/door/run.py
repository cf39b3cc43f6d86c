"""A finished run, or a bare trunk, as a value: what it says of itself, its model, and what it makes of text.

    run = stilts.load("runs/nli-1a2b3c4d")
    run.results                                     its scores, a Result each
    run.predict([{"premise": ..., "hypothesis": ...}])
    run.encode(["Guten Morgen.", "Good morning."])  [2, H] float32
    run.module                                      a torch module: a batch in, logits out

Nothing is loaded before it is asked for, and everything is loaded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.batches import collate
from adapter_stilts.data.feature import Feature
from adapter_stilts.data.sentences import visible
from adapter_stilts.data.tables import refused
from adapter_stilts.door.rows import path_or_rows
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.errors import TaskDataError, UsageError, refuse
from adapter_stilts.formats.base import Cut
from adapter_stilts.mining.encode import Encoding
from adapter_stilts.reporting import Logged, Reporter
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.runs.predict import Asked, LeftOut, Predictor, Source
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.subject import Request, SentenceReader, Subject, sentence_reader, subject_of
from adapter_stilts.sharing.manifest import Manifest, read_manifest
from adapter_stilts.statistics.result import Result

Vectors = NDArray[np.float32]


class Module(nn.Module):
    """A trained head over its frozen trunk; the adapters and the head train on where they are told to.

    module(batch)                       logits; batch: input_ids, attention_mask ..., as `Run.batch` makes it
    module(**batch)                     {"logits": ...}, and "loss" where the batch has labels, as transformers' Trainer
                                        wants it
    """

    def __init__(self, model: TaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, batch: Mapping[str, Tensor] | None = None, *, labels: Tensor | None = None, **tensors: Tensor
    ) -> Any:
        if batch is not None:
            return self.model(batch)
        given = {**tensors, **({} if labels is None else {"labels": labels})}
        if labels is None:
            return {"logits": self.model(given)}
        if self.model.format.ranking:  # compares queries with answers, and has no logits of a query alone
            total, targets, penalty = self.model.loss_parts(given)
            return {"loss": total / max(targets, 1) + penalty}
        logits = self.model(given)
        total, targets = self.model.head.loss(logits, labels)
        return {"loss": total / max(targets, 1) + self.model.encoder.fusion_penalty(), "logits": logits}


class Run:
    """A finished run in its folder; or a bare trunk, which encodes and has no head.

    folder  of the run; None for a trunk
    trunk   its name; of a run, where its own trunk lies elsewhere now, else None
    config  settings other than the run's own (trunk.precision, task.columns, retrieval.layer ...)
    """

    def __init__(self, folder: Path | None, trunk: str | None = None, config: RunConfig | None = None) -> None:
        self.folder, self.trunk, self.config = folder, trunk, config or RunConfig()

    def __repr__(self) -> str:
        if self.folder is None:
            return f"<trunk {self.trunk}>"
        return f"<run {self.folder}: {self.manifest.task}, {self.manifest.composition}>"

    def __fspath__(self) -> str:
        return str(self._folder)

    @property
    def _folder(self) -> Path:
        if self.folder is None:
            do = "train one: stilts.train(TASK, trunk=...)"
            raise UsageError(f"'{self.trunk}' is a bare trunk, and only a run has that", do=do)
        return self.folder

    @property
    def manifest(self) -> Manifest:
        """What the run says of itself: trunk, parts, data with sha256, seeds, versions."""
        return read_manifest(self._folder)

    @property
    def results(self) -> list[Result]:
        """All scores that the run has so far; not those of the first rows alone, which are in `partial_results`."""
        return [row for row in read_results(self._folder) if not row.partial]

    @property
    def partial_results(self) -> list[Result]:
        """Scores of the first rows alone (`limit`)."""
        return [row for row in read_results(self._folder) if row.partial]

    @cached_property
    def _subject(self) -> Subject:
        return subject_of(Request(self.config, (), self._folder), None, self._folder.parent)

    def predictor(self, task: str = "") -> Predictor:
        """The model of the head that answers a task ("": the only one), with how its rows are read."""
        if task not in self._predictors:
            source = Source.of(Asked(self.config, self._folder, task))
            self._predictors[task] = Predictor.of(source, self._subject)
        return self._predictors[task]

    @cached_property
    def _predictors(self) -> dict[str, Predictor]:
        return {}

    def predict(
        self, task: Any, rows: Any = None, *, skip_bad: bool = False, reporter: Reporter | None = None
    ) -> list[dict[str, Any]]:
        """What the run says of rows: of a task's, or of its only task's where rows alone are given.

        rows  a path, or dictionaries, lines of text, a frame or a data set; labels in them are not looked at

        Returns a dictionary each, in order: id, texts, label and probability; words and tags; answer, start and end.
        """
        name, rows = ("", task) if rows is None else (str(task), rows)
        report = reporter or Logged()
        predictor, left_out, cut = self.predictor(name), LeftOut(report, skip_bad), list[str]()
        given = path_or_rows(rows)
        answers = list(predictor.answers(predictor.source.examples(given, left_out), cut=cut))
        for line in predictor.notes(cut):
            report.say(line)
        return answers

    def encode(self, texts: Sequence[str], layer: int | None = None, pool: str | None = None) -> Vectors:
        """Texts to unit vectors [N, H] float32, read as `encode` reads a file; a text without any letter is zero."""
        if isinstance(texts, str):
            raise UsageError(
                "a list of texts was expected, not one text", do='write ["..."]; stilts.encode reads files'
            )
        texts = list(texts)
        wrong = next((number for number, text in enumerate(texts) if not isinstance(text, str)), None)
        if wrong is not None:
            what = f"a text was expected, not {texts[wrong]!r:.40}"
            raise TaskDataError(what, where=f"text {wrong}", do="give strings alone")
        chosen = {name: value for name, value in (("layer", layer), ("pool", pool)) if value is not None}
        retrieval = self.config.retrieval.model_copy(update=chosen)
        config = self.config.model_copy(update={"retrieval": retrieval})
        asked = Encoding.from_config(config, Path(), run=self.folder)
        reader = self._reader(asked)
        reading = asked.reading(reader)
        vectors = np.zeros((len(texts), reader.encoder.trunk.config.hidden_size), dtype=np.float32)
        there = {number: text for number, each in enumerate(texts) if (text := visible(each))}
        if there:
            vectors[list(there)] = embed(reader.encoder, list(there.values()), reading)[reader.layer]
        return vectors

    def _reader(self, asked: Encoding) -> SentenceReader:
        layer = asked.wanted.one_layer()
        key = (layer, asked.wanted.pool, asked.wanted.prefix)
        if key not in self._readers:
            how: dict[str, Any] = {"layer": layer, "pool": asked.wanted.pool, "revision": asked.revision}
            how |= {"precision": asked.precision, "prefix": asked.wanted.prefix}
            self._readers[key] = sentence_reader(asked.run, self.trunk or asked.trunk, **how)
        reader = self._readers[key]
        # a module that was handed out may have been trained since
        return replace(reader, encoder=self._subject.encoder) if self._modules else reader

    @cached_property
    def _readers(self) -> dict[tuple[int | str | None, str | None, str], SentenceReader]:
        return {}

    @property
    def module(self) -> Module:
        """The model of the run's only head, in evaluation mode; what the run trained has gradients, the trunk none."""
        return self.module_of("")

    def module_of(self, task: str) -> Module:
        """The model of the head that answers a task."""
        if task not in self._modules:
            model = self.predictor(task).model
            parts = self._subject.bundle.parts if self._subject.bundle else ()
            trained = [part.name for part in parts if part.role != "head" and part.facts["trained"]]
            model.train_parts(trained, head=True)
            self._modules[task] = Module(model)
        return self._modules[task]

    @cached_property
    def _modules(self) -> dict[str, Module]:
        return {}

    @property
    def tokenizer(self) -> Any:
        """The trunk's tokenizer, of transformers."""
        return self._subject.trunk.tokenizer

    def features(self, rows: Any, task: str = "") -> list[Feature]:
        """Rows with labels as tokens, for a loop of one's own or transformers' Trainer (with `collate`)."""
        predictor = self.predictor(task)
        given = path_or_rows(rows)
        examples = list(predictor.source.labelled().examples(given, refused))
        how = Cut(predictor.max_length, predictor.labels, predictor.source.task.query_length, training=True)
        return predictor.source.task.format.features(examples, self.tokenizer, how)

    def collate(self, features: Sequence[Feature]) -> dict[str, Tensor]:
        """One padded batch of features: input_ids, attention_mask and labels."""
        refuse(not features, "a batch of no rows", "give at least one")
        batch = collate(features, self._subject.trunk.config.pad_token_id)
        return {name: tensor for name, tensor in batch.items() if name != "rows"}

    def batch(self, rows: Any, task: str = "") -> dict[str, Tensor]:
        """Rows with labels as one batch."""
        return self.collate(self.features(rows, task))
