"""Rankings from training to scores: against brute force, in a new process, resumed, under every way to build on runs,
and what is refused."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from asking import evaluation

from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.metrics.base import Options
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.ranking import Pool, score_language
from adapter_stilts.runs.results import read_results
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.sharing.places import trunk_place

SCRIPT = Path(__file__).with_name("ranking_rows.py")
NAMES = ("Anna", "Ben", "Carla", "Dmitri", "Emeka", "Fatima")
THINGS = ("apples", "books", "cats", "trains", "tables", "euros")
PLACES = {"en": ("Paris", "Berlin", "Rome"), "de": ("Hamburg", "Wien", "Bern")}


def pair(number: int, language: str = "en") -> tuple[str, str]:
    name, thing, place = NAMES[number % 6], THINGS[number // 6 % 6], PLACES[language][number % 3]
    return f"What did {name} buy in {place}?", f"{name} bought {number} {thing} in {place}."


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Training and validation files of questions and their sentences."""
    folder = tmp_path_factory.mktemp("pairs")
    found = []
    for split, numbers in (("train", range(36)), ("validation", range(36, 48))):
        rows = [
            {"id": str(number), "query": query, "positive": positive}
            for number in numbers
            for query, positive in [pair(number)]
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        found.append(f"{split}={folder / split}.jsonl")
    return tuple(found)


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """XQuAD-R's layout in two languages: seven paragraphs of three sentences, a question about the second of each."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "xquad-r").mkdir()
    for language in PLACES:
        paragraphs = []
        for number in range(7):
            sentences = [pair(3 * number + place, language)[1] for place in range(3)]
            starts = np.cumsum([0, *(len(one) + 1 for one in sentences)])
            breaks = [[int(start), int(start) + len(one)] for start, one in zip(starts, sentences, strict=False)]
            answer = {"text": sentences[1].split()[0], "answer_start": breaks[1][0]}
            qas = [{"id": f"q{number}", "question": pair(3 * number + 1, language)[0], "answers": [answer]}]
            paragraphs.append(
                {"context": " ".join(sentences), "qas": qas, "sentence_breaks": breaks, "sentences": sentences}
            )
        document = {"data": [{"title": "t", "paragraphs": paragraphs}]}
        (folder / "xquad-r" / f"{language}.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture
def run(trained, pairs):
    """`run(key=value, ...)` trains a ranking on the tiny trunk."""

    def make(**settings):
        return trained(
            "ranking", **{"data__sources": pairs, "training__max_length": 64, "training__token_budget": 512, **settings}
        )

    return make


def scored(folder, release, *, languages=(), task="lareqa", overwrite=False):
    request = evaluation(
        run=folder, trunk=None, tasks=(task,), languages=languages, data=(str(release),), precision="fp32"
    )
    return evaluate(
        request, out=None, runs=folder.parent, overwrite=overwrite, dry_run=False, report=Silent()
    ).to_json()


def average_precision(order: list[int], gold: set[int]) -> float:
    hits = [place for place, number in enumerate(order[:20], start=1) if number in gold]
    return sum(found / place for found, place in enumerate(hits, start=1)) / min(len(gold), 20)


def test_learns_what_a_query_should_find(run, pairs):
    folder = run(training__max_steps=60, training__learning_rate=0.003, adapter__settings__reduction_factor=4)
    losses = [
        row["loss"]
        for line in (folder / "metrics.jsonl").read_text().splitlines()
        if "loss" in (row := json.loads(line))
    ]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])
    (row,) = read_results(folder)
    chance = np.mean([1 / place for place in range(1, 13)])  # 12 validation questions among their own 12 sentences
    assert (row.metric, row.split, row.n, row.retrieval) == ("map20", "validation", 12, True)
    assert row.score > 1.5 * chance


def test_scores_each_language_among_the_candidates_of_all(run, release):
    folder = run(training__head_pool="mean")
    found = {(row["language"], row["metric"]): row for row in scored(folder, release)["results"]}
    assert set(found) == {
        (language, metric) for language in ("de", "en") for metric in ("map20", "map20-other-languages", "own-language")
    }
    assert found["de", "map20"]["settings"]["candidates"] == 42
    assert found["de", "map20"]["settings"]["candidate_languages"] == 2

    script = module()
    bundle = load_bundle(folder)
    trunk = script.load_trunk(trunk_place(folder, bundle.manifest.trunk), precision="fp32")
    model = script.finished_models(trunk, bundle)["head"]
    documents = {language: json.loads((release / "xquad-r" / f"{language}.json").read_text()) for language in PLACES}
    texts, ids, owners, spoken = [], [], [], []
    for language, document in documents.items():
        for number, paragraph in enumerate(document["data"][0]["paragraphs"], start=1):
            for place, (start, end) in enumerate(paragraph["sentence_breaks"]):
                texts.append(Candidate("", paragraph["context"][start:end], paragraph["context"]))
                ids.append(f"{language}_{number}_{place}")
                owners.append(f"q{number - 1}" if place == 1 else "")
                spoken.append(language)
    candidates = script.read_pool(model, texts, script.READING).vectors
    for language, document in documents.items():
        questions = [qa for paragraph in document["data"][0]["paragraphs"] for qa in paragraph["qas"]]
        task, reading = script.tasks["lareqa"], script.Reading(None, 64, 64)
        vectors = [script.query_vectors(model, task, [Query("", qa["question"])], reading)[0] for qa in questions]
        orders = [np.argsort(-(candidates @ vector), kind="stable").tolist() for vector in vectors]
        golds = [{number for number, owner in enumerate(owners) if owner == qa["id"]} for qa in questions]
        expected = np.mean([average_precision(order, gold) for order, gold in zip(orders, golds, strict=True)])
        assert found[language, "map20"]["score"] == pytest.approx(expected, abs=1e-6)
        other = [number for number, code in enumerate(spoken) if code != language]
        kept = [[number for number in order if number in other] for order in orders]
        elsewhere = np.mean(
            [average_precision(order, gold & set(other)) for order, gold in zip(kept, golds, strict=True)]
        )
        assert found[language, "map20-other-languages"]["score"] == pytest.approx(elsewhere, abs=1e-6)
        share = np.mean([spoken[number] == language for order in orders for number in order[:20]])
        assert found[language, "own-language"]["score"] == pytest.approx(share, abs=1e-6)
        lines = [
            json.loads(line)
            for line in (folder / "predictions" / "lareqa" / f"test-{language}.jsonl").read_text().splitlines()
        ]
        assert lines == [
            {"id": qa["id"], "candidates": [ids[number] for number in order[:20]]}
            for qa, order in zip(questions, orders, strict=True)
        ]


def test_asks_one_language_among_the_candidates_of_all_and_only_once(run, release):
    folder = run()
    one = scored(folder, release, languages=("de",))["results"]
    assert {row["language"] for row in one} == {"de"}
    both = scored(folder, release)["results"]
    assert [row for row in both if row["language"] == "de"] == one
    document = json.loads((release / "xquad-r" / "en.json").read_text())
    assert one[0]["settings"]["candidates"] == 3 * 2 * len(document["data"][0]["paragraphs"])


def test_gives_the_same_vectors_in_a_new_process(run, tiny_folder, tmp_path):
    folder = run(training__max_steps=2)
    script = module()
    here = script.vectors(
        script.finished_models(script.load_trunk(str(tiny_folder), precision="fp32"), load_bundle(folder))["head"]
    )
    subprocess.run(
        [sys.executable, str(SCRIPT), str(tiny_folder), str(folder), str(tmp_path / "there.npy")],
        check=True,
        timeout=300,
    )
    assert np.array_equal(np.load(tmp_path / "there.npy"), here)
    np.testing.assert_allclose(np.linalg.norm(here, axis=1), 1, rtol=1e-5)


def test_builds_on_other_runs_in_every_way(run, trained, tmp_path, contents):
    below = run(out="below", training__max_steps=1)
    nli = trained("nli", out="nli", training__max_steps=1)
    for how, after, more in (
        ("sequential", (below,), {}),
        ("stack", (nli,), {}),
        ("fuse", (nli, below), {"fusion__target_adapter": True}),
    ):
        before = contents(nli, "adapter")
        folder = run(
            out=how, how=how, after=tuple(map(str, after)), training__max_steps=2, training__head_pool="mean", **more
        )
        assert load_bundle(folder).of("head")[0].facts["pool"] == "mean"
        assert read_results(folder)[0].n == 12
        assert contents(nli, "adapter") == before


def test_resumes_as_if_it_had_not_stopped(config, pairs, process, tmp_path, contents):
    settings = {
        "data__sources": pairs,
        "training__max_length": 64,
        "training__max_steps": 6,
        "training__checkpoint_steps": 2,
        "training__accumulation": 2,
    }
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    chosen = config("ranking", **settings)
    assert process(chosen, whole).end() == 0
    stopped = process(chosen, broken, pause=0.3)
    stopped.wait_for(3)
    stopped.stop(9)
    assert process(chosen, broken).end() == 0
    assert contents(broken, "adapter", "head") == contents(whole, "adapter", "head")


def pool(*candidates: Candidate) -> Pool:
    return Pool(candidates, np.eye(4, dtype=np.float32)[: len(candidates)])


def test_leaves_the_language_rows_out_where_there_is_one_language():
    one = pool(Candidate("a", "x", None, "en", ("q",)), Candidate("b", "y", None, "en"))
    score, found = score_language(
        "map20", [Query("q", "?")], np.array([[0.1, 0.9, 0, 0]], dtype=np.float32), one, Options(intervals=False)
    )
    assert score.metrics == {"map20": 0.5}
    assert found == {"q": ("b", "a")}


def test_ranks_mentions_by_their_first_right_entity():
    three = pool(*(Candidate(id, id, None, code) for id, code in (("Q1", "de"), ("Q2", "en"), ("Q3", "fi"))))
    vectors = np.array([[0.9, 0.5, 0.1, 0], [0.9, 0.5, 0.1, 0]], dtype=np.float32)
    score, _ = score_language(
        "mrr20",
        [Query("m1", "?", None, ("Q3",)), Query("m2", "?", None, ("Q1",))],
        vectors,
        three,
        Options(intervals=False),
    )
    assert score.metrics == {"mrr20": pytest.approx((1 / 3 + 1) / 2)}


def test_refuses_test_files_it_cannot_score(run, tmp_path):
    folder = run(training__max_steps=1)
    rows, candidates = tmp_path / "rows.jsonl", tmp_path / "pool.jsonl"

    def call(query: str, *listed: str) -> None:
        rows.write_text(query + "\n", encoding="utf-8")
        candidates.write_text("".join(f"{one}\n" for one in listed), encoding="utf-8")
        request = evaluation(
            run=folder,
            trunk=None,
            tasks=("ranking",),
            data=(f"test={rows}", f"candidates={candidates}"),
            precision="fp32",
        )
        evaluate(request, out=tmp_path / "scores", runs=tmp_path, overwrite=True, dry_run=False, report=Silent())

    good = '{"id": "c1", "text": "Anna sleeps."}'
    call('{"id": "q", "query": "Who?", "gold": "c1"}', good)
    for query, listed, message in (
        ('{"id": "q", "query": "Who?", "gold": "c9"}', (good,), "1 of its gold ids are not among the 1 candidates: c9"),
        ('{"id": "q", "query": "Who?"}', (good,), "no candidate is right for this query"),
        ('{"id": "q", "query": "Who?", "gold": "c1"}', (good, good), "id 'c1' occurs twice"),
        ('{"id": "q", "query": "Who?", "gold": "c1"}', (), "the file is empty"),
    ):
        with pytest.raises(TaskDataError, match=message):
            call(query, *listed)


def test_refuses_to_train_on_a_single_pair(trained, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text('{"query": "Who?", "positive": "Anna."}\n', encoding="utf-8")
    with pytest.raises(StiltsError, match="1 training rows, and a batch needs 2"):
        trained("ranking", data__sources=(f"train={path}",))


def module():
    spec = importlib.util.spec_from_file_location("study_ranking_rows", SCRIPT)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
