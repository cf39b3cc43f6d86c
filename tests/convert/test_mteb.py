"""A run as a model of mteb: Tatoeba in mteb's own task class is ours to the last digit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    mteb = pytest.importorskip("mteb", reason="needs the library mteb")

import datasets
from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
from sklearn.metrics import f1_score
from small_runs import NAMES, PLACES, THINGS

import adapter_stilts as stilts
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.tatoeba import tatoeba

PAIRS = [
    (f"{name} kauft {number} {thing} in {place}.", f"{name} buys {number} {thing} in {place}.")
    for number, (name, thing, place) in enumerate(
        (name, thing, place) for name in NAMES for thing in THINGS for place in PLACES
    )
]

ENGLISH = [english for _, english in PAIRS]
PAIRS = [  # some with the other's translation, so that the best encoder does not find all
    (foreign, ENGLISH[number ^ 1] if number < 8 else english) for number, (foreign, english) in enumerate(PAIRS)
]


class Pairs(AbsTaskBitextMining):
    """Sentences of ours in the class of mteb's Tatoeba."""

    metadata = mteb.TaskMetadata(
        name="OwnPairs",
        dataset={"path": "none/none", "revision": "1"},
        description="made here",
        type="BitextMining",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["deu-Latn", "eng-Latn"],
        main_score="f1",
        reference=None,
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation=None,
    )

    def load_data(self, **kwargs):
        rows = {"sentence1": [pair[0] for pair in PAIRS], "sentence2": [pair[1] for pair in PAIRS]}
        self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(rows)})
        self.data_loaded = True


@pytest.mark.filterwarnings("ignore")  # of mteb's own parts
def test_tatoeba_is_ours_to_the_last_digit(made):
    run = made("nli", "seq_bn", {"reduction_factor": 4})
    model = stilts.mteb_model(run, layer=2, pool="first", precision="fp32")
    result = mteb.evaluate(model, Pairs(), cache=None, show_progress_bar=False, co2_tracker=False)
    (scores,) = result.task_results[0].scores["test"]
    foreign, english = (model.encode([{"text": [pair[side] for pair in PAIRS]}]) for side in (0, 1))
    own = tatoeba(foreign, english, protocol("xtreme", "tatoeba"))
    measures = {measure.metric: measure.score for measure in own.measures}
    assert scores["accuracy"] == measures["accuracy-xx-en"]
    assert 0 < scores["accuracy"] < 1
    found = (foreign @ english.T).argmax(1)
    assert scores["f1"] == f1_score(np.arange(len(PAIRS)), found, average="weighted", zero_division=0)
    assert_array_equal(model.similarity_pairwise(foreign, english).shape, (len(PAIRS),))
