"""Mining from files to files, on vectors whose right pairs are known and on the tiny trunk."""

from __future__ import annotations

import gzip
import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.reporting import Silent


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.mark.parametrize(("name", "duplicates"), [("xtreme", "drop"), ("jiant", "expand")])
def test_writes_the_pairs_of_the_slow_algorithm(slow_mining, put, start, tmp_path, name, duplicates):
    for seed in range(4):
        source_texts, source, target_texts, target = slow_mining["random_pools"](seed)
        vectors = [np.array(side, dtype=np.float32) for side in (source, target)]
        start(**put(vectors, (source_texts, target_texts)), protocol=name, json_lines=True, overwrite=True)
        rows = [json.loads(line) for line in (tmp_path / "pairs.tsv").read_text().split("\n")[:-1]]
        found = {(row["source_line"] - 1, row["target_line"] - 1): float(row["score"]) for row in rows}
        expected = slow_mining["slow_mining"](
            source_texts, vectors[0].tolist(), target_texts, vectors[1].tolist(), duplicates
        )
        assert found == {pair: pytest.approx(score, abs=1e-5) for pair, score in expected.items()}
        assert all(
            (row["source"], row["target"])
            == (source_texts[row["source_line"] - 1], target_texts[row["target_line"] - 1])
            for row in rows
        )


def test_writes_planted_pairs_best_first_with_a_report(put, start, tmp_path, planted, numbers, read):
    document = start(**put(planted(), (numbers("s"), numbers("t"))), threshold=1.33)
    rows = read(tmp_path / "pairs.tsv")
    assert {(one, other) for _, one, other in rows} == {
        (f"s sentence {number}", f"t sentence {number}") for number in range(12)
    }
    assert [float(score) for score, _, _ in rows] == sorted((float(score) for score, _, _ in rows), reverse=True)
    assert (document["pairs"], document["threshold"], document["threshold_from"]) == (12, 1.33, "given")
    assert document["source"]["rows"] == document["source"]["searched"] == 20
    assert json.loads((tmp_path / "pairs.tsv.report.json").read_text())["pairs"] == 12
    assert not (tmp_path / "pairs.tsv.work").exists()


def test_says_how_to_find_a_threshold_where_there_is_none(put, start, planted):
    fields = put(planted(pairs=300, more=300))
    notes = start(**fields)["notes"]
    assert "read down the file until every other pair is wrong" in notes[1]
    between = re.search(r"the fewest pairs from ([\d.]+) to ([\d.]+): read there first", notes[2])
    assert start(**fields, threshold=sum(map(float, between.groups())) / 2, overwrite=True)["pairs"] == 300
    assert "read down" not in str(start(**fields, threshold=1.3, overwrite=True)["notes"])
    assert "read down" not in str(start(**fields, aligned=True, overwrite=True)["notes"])


def test_writes_line_numbers_where_texts_are_not_known(put, start, tmp_path, planted, read):
    start(**put(planted()), threshold=1.33)
    assert {(int(one), int(other)) for _, one, other in read(tmp_path / "pairs.tsv")} == {
        (number, number) for number in range(1, 13)
    }


def test_finds_sentences_that_occur_twice(put, start, tmp_path, planted, numbers):
    source, target = planted()
    texts = (numbers("s"), numbers("t"))
    for side, names, place in ((source, texts[0], 15), (target, texts[1], 16)):
        side[place], names[place] = side[0], names[0]
    fields = put((source, target), texts, threshold=1.33)
    written = {}
    for duplicates in ("once", "expand", "drop"):
        assert start(**fields, duplicates=duplicates, overwrite=True, json_lines=True)["source"]["repeated"] == 1
        rows = [json.loads(line) for line in (tmp_path / "pairs.tsv").read_text().split("\n")[:-1]]
        written[duplicates] = {(row["source_line"], row["target_line"]) for row in rows}
        if duplicates == "once":
            assert next(row for row in rows if row["source_line"] == 1)["source_lines"] == [1, 16]
    others = {(number, number) for number in range(2, 13)}
    assert written == {
        "once": others | {(1, 1)},
        "expand": others | {(1, 1), (1, 17), (16, 1), (16, 17)},
        "drop": others,
    }


@pytest.mark.parametrize("name", ["exact", "ivf", "ivf-sq", "ivf-pq", "hnsw", "auto"])
def test_finds_them_with_every_index(put, start, tmp_path, name, planted, read):
    told = Told()
    document = start(
        **put(planted()), threshold=1.33, index=name, probes=1 if name.startswith("ivf") else None, report=told
    )
    assert document["settings"]["recall"] == 1.0
    assert {(one, other) for _, one, other in read(tmp_path / "pairs.tsv")} == {
        (str(number), str(number)) for number in range(1, 13)
    }
    assert any("exact search both ways takes" in line for line in told.lines) == (name == "auto")


def test_tunes_on_gold_and_says_what_is_held_out_and_what_an_oracle(put, start, planted, gold_file):
    gold = gold_file([(number, number) for number in range(1, 13)])
    document = start(**put(planted()), gold=gold)
    scores = {
        row["metric"]: (row["score"], row["settings"]["threshold_chosen_on"], row["n"]) for row in document["results"]
    }
    assert scores["f1"] == (1.0, "the other half of the gold", 12)
    assert scores["f1-oracle"] == (1.0, "this gold (oracle)", 12)
    assert (document["pairs"], document["threshold_from"]) == (12, "gold")
    assert document["curve"][-1]["recall"] == 1.0
    assert sum(document["histogram"]["right"]) == 12


def test_scores_a_given_threshold_as_held_out(put, start, planted, gold_file):
    gold = gold_file([(number, number) for number in range(1, 25) if number < 13] + [(14, 13)])
    document = start(**put(planted()), gold=gold, threshold=1.33)
    scores = {row["metric"]: row["score"] for row in document["results"]}
    assert (scores["precision"], scores["recall"]) == (1.0, 12 / 13)  # (14, 13) are strangers
    assert document["results"][0]["settings"]["threshold_chosen_on"] == "given"


def test_says_where_no_half_can_be_held_out(put, start, planted, gold_file):
    document = start(**put(planted()), gold=gold_file([(1, 1)]))
    assert [row["metric"] for row in document["results"]] == ["f1-oracle", "precision-oracle", "recall-oracle"]
    assert "no held-out score: 1 gold pairs cannot be halved" in document["notes"]


def test_keeps_a_target_precision(put, start, planted, gold_file):
    gold = gold_file([(number, number) for number in range(1, 7)])  # half of the right pairs: the others count as wrong
    document = start(**put(planted()), gold=gold, target_precision=0.5)
    assert 6 / document["pairs"] >= 0.5
    with pytest.raises(UsageError, match="no threshold reaches a precision of 1.0"):
        start(**put(planted()), gold=gold_file([(20, 19)]), target_precision=1.0, overwrite=True)


def test_scores_given_pairs_only(put, start, tmp_path, planted, numbers, read):
    fields = put(planted(), (numbers("s"), numbers("t")))
    start(**fields, json_lines=True)
    mined = {
        (row["source"], row["target"]): row["score"]
        for row in map(json.loads, (tmp_path / "pairs.tsv").read_text().split("\n")[:-1])
    }
    given = tmp_path / "given.tsv"
    given.write_text("s sentence 3\tt sentence 3\n0.5\ts sentence 0\tt sentence 0\ns sentence 0\tt sentence 19\n")
    start(**fields, score_only=given, out="scored.tsv")
    rows = read(tmp_path / "scored.tsv")
    scored = {(one, other): float(score) for score, one, other in rows}
    assert len(rows) == 3
    assert scored["s sentence 3", "t sentence 3"] == pytest.approx(mined["s sentence 3", "t sentence 3"], abs=1e-6)
    assert rows[-1][1:] == ["s sentence 0", "t sentence 19"]
    start(**fields, score_only=given, threshold=1.1, out="scored.tsv", overwrite=True)
    assert len(read(tmp_path / "scored.tsv")) == 2
    given.write_text("s sentence 3\tnobody said this\n")
    with pytest.raises(TaskDataError, match=r"1 sentences are not where they should be: 'nobody said this' \(line 1\)"):
        start(**fields, score_only=given, overwrite=True)


def test_scores_the_pairs_that_it_wrote_of_sentences_with_a_tab(put, start, tmp_path, planted, read):
    fields = put(planted(pairs=3, more=0))
    for side in ("source", "target"):
        fields[side] = tmp_path / f"{side}.jsonl"
        fields[side].write_text("".join(json.dumps({"text": f"{side}\t{number}\nends"}) + "\n" for number in range(3)))
    start(**fields)
    start(**fields, score_only=tmp_path / "pairs.tsv", out="scored.tsv")
    assert read(tmp_path / "scored.tsv") == read(tmp_path / "pairs.tsv")
    assert read(tmp_path / "scored.tsv")[0][1].startswith("source ")


def test_knows_pairs_by_their_ids(put, start, tmp_path, planted, gold_file):
    texts = (
        [f"de-{number:09d}\tSatz {number}" for number in range(20)],
        [f"en-{number:09d}\tsentence {number}" for number in range(20)],
    )
    pairs = [(f"en-{number:09d}", f"de-{number:09d}") for number in range(12)]  # the other way round
    document = start(**put(planted(), texts), gold=gold_file(pairs), json_lines=True)
    assert document["results"][0]["score"] == 1.0
    row = json.loads((tmp_path / "pairs.tsv").read_text().split("\n")[0])
    assert row["source_id"].replace("de", "en") == row["target_id"]
    assert row["source"].startswith("Satz")


def test_reads_pairs_as_written_where_both_sides_have_the_same_ids(put, start, planted, gold_file):
    source, target = planted()
    texts = [
        [f"{word}-{number:09d}\t{side} {number}" for number in range(20)] for word, side in (("xx", "s"), ("xx", "t"))
    ]
    pairs = [(f"xx-{number:09d}", f"xx-{number + 1:09d}") for number in range(12)]
    document = start(**put((source, np.roll(target, 1, axis=0)), texts), gold=gold_file(pairs), threshold=1.33)
    assert document["results"][0]["score"] == 1.0


class StopsBackward(Silent):
    """Breaks off when one direction has been searched."""

    def progress(self, label):
        if label == "searching backward":
            raise KeyboardInterrupt
        return super().progress(label)


def test_goes_on_after_a_stop_in_the_search(put, start, tmp_path, monkeypatch, planted):
    fields = put(planted(pairs=200, more=100), limit_gb=2.0)
    monkeypatch.setattr("adapter_stilts.retrieval.saved.SECONDS", 0.0)
    start(**fields, out="whole.tsv")

    with pytest.raises(KeyboardInterrupt):
        start(**fields, report=StopsBackward())
    assert (tmp_path / "pairs.tsv.work/forward.npz").exists()
    again = []

    class Tells(Silent):
        @contextmanager
        def progress(self, label):
            yield lambda done, total, detail="": again.append((label, done))

    start(**fields, report=Tells())
    assert again == [("searching backward", 1)]  # forward is there
    assert (tmp_path / "pairs.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_mines_text_with_a_trunk_and_a_threshold_of_dev(start, read, gold_file, tmp_path, tiny_folder):
    sentences = [
        f"Anna bought {number} red apples in Paris on {day}."
        for number, day in enumerate(("Monday", "Tuesday", "Friday", "Sunday") * 3)
    ]
    for name in ("source", "target", "dev.source", "dev.target"):
        shift = 6 if name.startswith("dev") else 0
        content = "".join(f"{text}\n" for text in sentences[shift : shift + 6]).encode()
        (tmp_path / f"{name}.txt.gz").write_bytes(gzip.compress(content))
    dev = (
        tmp_path / "dev.source.txt.gz",
        tmp_path / "dev.target.txt.gz",
        gold_file([(number, number) for number in range(1, 7)]),
    )
    fields = {
        "source": tmp_path / "source.txt.gz",
        "target": tmp_path / "target.txt.gz",
        "trunk": str(tiny_folder),
        "precision": "fp32",
    }
    document = start(**fields, dev=dev)
    assert document["threshold_from"] == "dev"
    assert document["pairs"] > 0
    assert all(one == other for _, one, other in read(tmp_path / "pairs.tsv"))
    other = start(**fields, layer=0, out="other.tsv")
    mixed = {"source_vectors": Path(document["source"]["vectors"]), "target_vectors": Path(other["target"]["vectors"])}
    with pytest.raises(UsageError, match="not encoded alike: layer 1 and 0"):
        start(**mixed, out="mixed.tsv")
    with pytest.raises(TaskDataError, match="the vectors were made of another text"):
        start(
            source=dev[0],
            target=dev[1],
            source_vectors=mixed["source_vectors"],
            target_vectors=mixed["source_vectors"],
            out="mixed.tsv",
        )


def test_goes_on_after_a_stop_just_before_the_end(put, start, tmp_path, monkeypatch, planted):
    fields = put(planted())
    start(**fields, out="whole.tsv")

    def stop(*_):
        raise KeyboardInterrupt

    for place in ("sharing.sealed.write_bytes", "files.os.replace"):
        monkeypatch.setattr(f"adapter_stilts.{place}", stop)
        with pytest.raises(KeyboardInterrupt):
            start(**fields)
        monkeypatch.undo()
        start(**fields)
        assert (tmp_path / "pairs.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
        (tmp_path / "pairs.tsv").unlink()


def test_does_not_take_up_the_search_of_a_text_with_other_repeats(
    put, start, tmp_path, monkeypatch, planted, numbers, read
):
    source = numbers("s")
    fields = put(planted(), ([*source[:2], source[1], *source[3:]], numbers("t")))

    with pytest.raises(KeyboardInterrupt):
        start(**fields, report=StopsBackward())
    fields = put(planted(), ([source[0], source[0], *source[2:]], numbers("t")))
    start(**fields, out="whole.tsv")
    start(**fields)
    assert (tmp_path / "pairs.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_does_not_take_other_ids_for_the_same_mining(put, start, tmp_path, planted):
    fields = put(
        planted(),
        [[f"{language}-{number:09d}\tSatz {number}" for number in range(20)] for language in ("de", "en")],
        json_lines=True,
    )
    start(**fields)
    fields["target"].write_text(fields["target"].read_text().replace("en-", "fr-"))
    with pytest.raises(UsageError, match="is not the outcome of this very mining"):
        start(**fields)
    start(**fields, overwrite=True)
    assert '"fr-000000000"' in (tmp_path / "pairs.tsv").read_text()
