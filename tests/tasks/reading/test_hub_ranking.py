"""LAReQA and Mewsli-X from copies of the hub's data sets: rows of our own, in the columns and the files that the hub
has; read with the network off."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest
from datasets import Dataset, Features, Sequence, Value

from adapter_stilts.data.layout import Layout
from adapter_stilts.data.tables import Row
from adapter_stilts.errors import TaskDataError, Unreachable
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.reading import examples_of
from adapter_stilts.tasks.base import all_tasks, tasks
from adapter_stilts.tasks.pools import gold_of, joined, load_pool
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.source import PLAIN
from adapter_stilts.tasks.sources import has_split, languages_of, load
from adapter_stilts.tasks.user import find_task

TEXT = Value("string")
XQUAD_R = Features(
    {
        "id": TEXT,
        "context": TEXT,
        "question": TEXT,
        "answers": {"text": Sequence(TEXT), "answer_start": Sequence(Value("int32"))},
    }
)
SENTENCES = {
    "de": ("Anna kaufte ein Boot.", "Sie zahlte zehn Euro.", "zehn"),
    "zh": ("安娜买了一艘船。", "她付了十欧元。", "十"),
    "en": ("Anna bought a boat.", "She paid ten euros.", "ten"),
}
MENTIONS = ("ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk")
ENTITIES = [
    {"entity_id": "Q1", "description": "Roma on kaupunki."},
    {"entity_id": "Q2", "description": "Anna on laulaja."},
]


pytestmark = pytest.mark.usefixtures("no_network")


def question(language: str, *, cut: int = 0):
    """One question, about the second sentence; `cut` characters of white space were taken off the paragraph, and its
    answers not moved."""
    first, second, answer = SENTENCES.get(language, SENTENCES["en"])
    context = f"{first} {second}"
    answers = {"text": [answer], "answer_start": [context.index(answer) + cut]}
    return {"id": "q1", "context": context, "question": f"{language}?", "answers": answers}


@pytest.fixture
def lareqa(tmp_path):
    """google-research-datasets/xquad_r as it is since its script was converted:
    LANGUAGE/validation-00000-of-00001.parquet."""
    root = tmp_path / "google-research-datasets/xquad_r"
    lines = ["---", "configs:"]
    for language in tasks["lareqa"].languages:
        (root / language).mkdir(parents=True)
        row = question(language, cut=1 if language == "zh" else 0)
        Dataset.from_dict({name: [cell] for name, cell in row.items()}, features=XQUAD_R).to_parquet(
            root / language / "validation-00000-of-00001.parquet"
        )
        lines += [
            f"- config_name: {language}",
            "  data_files:",
            "  - split: validation",
            f"    path: {language}/validation-*",
        ]
    (root / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")
    return Where("hub", folder=tmp_path, cache=tmp_path / "cache")


def packed(path, rows):
    """A tar archive with one file of JSON lines, called as the archive is without its endings."""
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(path.name.removesuffix(".tar.gz"))
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


@pytest.fixture
def mewslix(write, tmp_path):
    """izhx/mewsli-x: pairs and entities packed, mentions plain, one configuration for each language that has
    mentions."""
    root = tmp_path / "izhx/mewsli-x"
    pairs = [{"mention": f"Rome: Anna saw {{ Rome }} {number}.", "entity": "Rome is a city."} for number in range(3)]
    packed(root / "wikipedia_pairs/train.jsonl.tar.gz", pairs[:2])
    packed(root / "wikipedia_pairs/dev.jsonl.tar.gz", pairs[2:])
    packed(root / "candidate_entities.jsonl.tar.gz", ENTITIES)
    lines = ["configs:", "- config_name: wikipedia_pairs", "  data_files:"]
    lines += [
        "  - split: train",
        "    path: wikipedia_pairs/train.jsonl.tar.gz",
        "  - split: validation",
        "    path: wikipedia_pairs/dev.jsonl.tar.gz",
    ]
    for language in MENTIONS:
        lines += [f"- config_name: {language}", "  data_files:"]
        for split, name in (("validation", "dev"), ("test", "test")):
            path = f"wikinews_mentions/{language}/{name}.jsonl"
            rows = [{"mention": f"{id}: {{ {id} }} {language} {split}", "entity_id": id} for id in ("Q2", "Q1")]
            write(f"izhx/mewsli-x/{path}", "".join(json.dumps(row) + "\n" for row in rows))
            lines += [f"  - split: {split}", f"    path: {path}"]
    lines += [
        "- config_name: candidate_entities",
        "  data_files:",
        "  - split: test",
        "    path: candidate_entities.jsonl.tar.gz",
    ]
    write("izhx/mewsli-x/README.md", "\n".join(["---", *lines, "---", ""]))
    write("izhx/mewsli-x/process.py", "raise SystemExit('this must not run')\n")
    return Where("hub", folder=tmp_path, cache=tmp_path / "cache")


def test_searches_every_sentence_of_lareqas_eleven_languages(lareqa):
    task = tasks["lareqa"]
    loaded = load_pool(task, "test", lareqa)
    pool = joined(loaded)
    assert [(one.origin.language, one.origin.config, one.origin.rows) for one in loaded] == [
        (code, code, 2) for code in task.languages
    ]
    assert {(one.origin.kind, one.origin.hub, one.origin.split) for one in loaded} == {
        ("hub", "google-research-datasets/xquad_r", "candidates")
    }
    german = [one for one in pool if one.language == "de"]
    assert [(one.text, one.answers) for one in german] == [
        ("Anna kaufte ein Boot.", ()),
        ("Sie zahlte zehn Euro.", ("q1",)),
    ]
    assert {one.context for one in german} == {"Anna kaufte ein Boot. Sie zahlte zehn Euro."}


def test_finds_a_right_sentence_in_every_language_also_where_the_hub_cut_a_paragraphs_beginning_off(lareqa):
    task = tasks["lareqa"]
    pool = joined(load_pool(task, "test", lareqa))
    loaded = load(task, "test", "deu", lareqa)
    assert [(query.id, query.text) for query in loaded.examples] == [("q1", "de?")]
    assert any("leave out where the release breaks paragraphs" in note for note in loaded.origin.substitutions)
    right = [one for one in pool if one.id in gold_of(loaded.examples, pool)["q1"]]
    assert sorted(one.language for one in right) == sorted(task.languages)
    assert {one.text for one in right if one.language in ("de", "zh")} == {"Sie zahlte zehn Euro.", "她付了十欧元。"}


def test_reads_mewslis_pairs_mentions_and_entities(mewslix):
    task = tasks["mewslix"]
    train = load(task, "train", "en", mewslix)
    assert [(query.text, query.positive.text) for query in train.examples] == [
        (f"Rome: Anna saw {{ Rome }} {number}.", "Rome is a city.") for number in (0, 1)
    ]
    assert (train.origin.config, len(load(task, "validation", "en", mewslix).examples)) == ("wikipedia_pairs", 1)
    turkish = load(task, "test", "tur", mewslix).examples
    assert turkish == [Query("0", "Q2: { Q2 } tr test", None, ("Q2",)), Query("1", "Q1: { Q1 } tr test", None, ("Q1",))]
    (loaded,) = load_pool(task, "test", mewslix)
    assert (loaded.origin.config, loaded.origin.language, loaded.origin.rows) == ("candidate_entities", "", 2)
    pool = joined([loaded])
    assert pool == [Candidate("Q1", "Roma on kaupunki."), Candidate("Q2", "Anna on laulaja.")]
    assert gold_of(turkish, pool) == {"0": ("Q2",), "1": ("Q1",)}


def test_reads_mewslis_entities_and_mentions_with_the_releases_other_columns(mewslix):
    root = mewslix.folder / "izhx/mewsli-x"
    entity = {
        "entity_id": "Q1",
        "title": "Roma",
        "description": "Roma on kaupunki. Suuri.",
        "description_language": "fi",
        "description_url": "u",
    }
    spans = [{"start": 0, "end": 17}, {"start": 18, "end": 24}]
    packed(root / "candidate_entities.jsonl.tar.gz", [{**entity, "sentence_spans": spans}])
    context = {
        "document_id": "tr-1",
        "language": "tr",
        "text": "Roma eski. Roma güzel.",
        "sentence_spans": [{"start": 0, "end": 10}, {"start": 11, "end": 22}],
    }
    mention = {
        "example_id": "m1",
        "entity_id": "Q1",
        "mention_span": {"start": 11, "end": 15, "text": "Roma"},
        "metadata": {"bin_name": "b"},
    }
    for split in ("dev", "test"):
        (root / f"wikinews_mentions/tr/{split}.jsonl").write_text(
            json.dumps({"context": context, "mentions": [mention]}) + "\n", encoding="utf-8"
        )
    (query,) = load(tasks["mewslix"], "test", "tr", mewslix).examples
    assert query == Query("m1", "Roma: { Roma } güzel.", None, ("Q1",))
    assert joined(load_pool(tasks["mewslix"], "test", mewslix)) == [
        Candidate("Q1", "Roma on kaupunki. Suuri.", None, "fi")
    ]


def test_takes_all_configurations_of_a_data_set_that_is_asked_for_by_name(mewslix):
    task = find_task("mewslix", {"hub": "izhx/mewsli-x"})
    assert [
        len(load(task, split, language, mewslix).examples)
        for split, language in (("train", "en"), ("validation", "en"), ("test", "ar"))
    ] == [2, 1, 2]
    assert (languages_of(task, "test", mewslix), languages_of(task, "train", mewslix)) == (MENTIONS, ("en",))
    assert all(has_split(task, split, mewslix) for split in ("train", "validation", "test"))


def test_refuses_a_pool_that_lacks_a_language(lareqa):
    (lareqa.folder / "google-research-datasets/xquad_r/el/validation-00000-of-00001.parquet").unlink()
    with pytest.raises(TaskDataError, match=r"google-research-datasets/xquad_r el validation(.|\n)*--data DIR"):
        load_pool(tasks["lareqa"], "test", lareqa)


def test_names_the_conversion_and_the_files_for_a_copy_that_is_a_script(write, tmp_path):
    write("google-research-datasets/xquad_r/xquad_r.py", "raise SystemExit('this must not run')\n")
    where = Where("hub", folder=tmp_path, cache=tmp_path / "cache")
    for read in (load_pool, lambda *args: load(args[0], "test", "de", where)):
        with pytest.raises(
            TaskDataError,
            match=r"is not run(.|\n)*--revision refs/convert/parquet(.|\n)*--data DIR(.|\n)*list tasks --files",
        ):
            read(tasks["lareqa"], "test", where)


def test_says_what_to_do_without_the_network_a_language_or_a_copy(monkeypatch, lareqa, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        Unreachable, match=r"the network is off(.|\n)*izhx/mewsli-x candidate_entities test(.|\n)*--data DIR"
    ):
        load_pool(tasks["mewslix"], "test", Where("hub", cache=tmp_path / "empty"))
    with pytest.raises(
        TaskDataError,
        match=(
            r"'mewslix' in 'sw' is on none of its data sets of the hub(.|\n)*the hub has it in: ar, de(.|\n)*--data "
            r"DIR"
        ),
    ):
        load(tasks["mewslix"], "test", "sw", lareqa)
    with pytest.raises(
        TaskDataError, match=r"no copy of 'izhx/mewsli-x' in this folder(.|\n)*huggingface-cli download"
    ):
        load_pool(tasks["mewslix"], "test", lareqa)
    with pytest.raises(TaskDataError, match=r"'ranking' is not on the hub(.|\n)*--data DIR"):
        load_pool(tasks["ranking"], "test", lareqa)


@pytest.mark.real
def test_loses_no_answer_of_xquad_where_beginnings_are_cut_off(shared):
    for language, moved in (("de", 0), ("en", 5), ("hi", 13), ("th", 10), ("tr", 0), ("zh", 100)):
        document = json.loads(gzip.decompress((shared / f"qa/xquad.{language}.json.gz").read_bytes()))
        paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
        rows = [
            {"id": qa["id"], "question": qa["question"], "context": one["context"].strip(), "answers": qa["answers"]}
            for one in paragraphs
            for qa in one["qas"]
        ]
        pool = list(
            examples_of((Row("", row) for row in rows), Layout("ranking", candidates=True, language=language), "")
        )
        assert sum(len(one.answers) for one in pool) == len(rows) == 1190
        assert (
            sum(
                not row["context"].startswith(row["answers"][0]["text"], row["answers"][0]["answer_start"])
                for row in rows
            )
            == moved
        )


def test_learns_and_searches_squads_own_sentences(tmp_path):
    root = tmp_path / "rajpurkar/squad/plain_text"
    root.mkdir(parents=True)
    row = question("en")
    Dataset.from_dict({name: [cell] for name, cell in row.items()}, features=XQUAD_R).to_parquet(
        root / "validation-00000-of-00001.parquet"
    )
    card = (
        "---\nconfigs:\n- config_name: plain_text\n  data_files:\n  - split: validation\n    path: "
        "plain_text/validation-*\n---\n"
    )
    (root.parent / "README.md").write_text(card, encoding="utf-8")
    where = Where("hub", folder=tmp_path, cache=tmp_path / "cache")
    (query,) = load(tasks["squad-r"], "test", "en", where).examples
    pool = joined(load_pool(tasks["squad-r"], "test", where))
    assert [(one.text, one.answers) for one in pool] == [("Anna bought a boat.", ()), ("She paid ten euros.", ("q1",))]
    assert query.positive.id == pool[1].id


def test_covers_every_data_set_of_every_ranking_task():
    found = {(task.name, hub.id) for task in all_tasks() for hub in task.source.hubs if task.format.ranking}
    assert found == {
        ("squad-r", "rajpurkar/squad"),
        ("lareqa", "google-research-datasets/xquad_r"),
        ("mewslix", "izhx/mewsli-x"),
    }


def test_says_how_sure_what_it_knows_of_each_data_set_is():
    known = {
        (task.name, hub.id): hub.certainty
        for task in all_tasks()
        for hub in task.source.hubs
        if task.name in ("lareqa", "mewslix")
    }
    assert known[("lareqa", "google-research-datasets/xquad_r")] == PLAIN
    assert known[("mewslix", "izhx/mewsli-x")].startswith(f"{PLAIN}; columns mention, entity")
