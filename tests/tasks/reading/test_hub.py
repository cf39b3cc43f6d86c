"""Data sets in the hub's layouts, from folders; and what is said where the network would be needed."""

import json
import socket
from collections import Counter

import pytest

from adapter_stilts.errors import TaskDataError, Unreachable
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.tasks.base import NLI_LABELS, Task, tasks
from adapter_stilts.tasks.reading.hub import hub_examples
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.source import Hub, Source
from adapter_stilts.tasks.sources import has_split, languages_of, load

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def hub(write, tmp_path):
    """A folder that stands in for the hub: data sets as rows per configuration and split, with the card that names
    them."""

    def put(id, content, features=""):
        lines = ["---", "configs:"]
        for config, splits in content.items():
            lines += [f"- config_name: {config}", "  data_files:"]
            for split, rows in splits.items():
                lines += [f"  - split: {split}", f"    path: {config}/{split}.jsonl"]
                write(f"{id}/{config}/{split}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        write(f"{id}/README.md", "\n".join([*lines, features, "---", ""]))
        return Where("hub", folder=tmp_path, cache=tmp_path / "cache")

    return put


def test_reads_one_language_of_xtremes_xnli(hub):
    rows = [
        {"language": code, "sentence1": f"{code} a", "sentence2": "b", "gold_label": "neutral"}
        for code in ("de", "sw", "sw")
    ]
    loaded = load(tasks["xnli"], "test", "swa", hub("google/xtreme", {"XNLI": {"test": rows}}))
    assert loaded.examples == [Classified("0", "sw a", "b", "neutral"), Classified("1", "sw a", "b", "neutral")]
    assert (loaded.origin.kind, loaded.origin.hub, loaded.origin.language) == ("hub", "google/xtreme", "sw")


def test_reads_mnlis_class_numbers_in_its_own_order_and_drops_none(hub):
    card = (
        "dataset_info:\n- config_name: mnli\n  features:\n  - {name: premise, dtype: string}\n  - {name: hypothesis, "
        "dtype: string}\n"
    )
    card += (
        "  - name: label\n    dtype:\n      class_label:\n        names: {'0': entailment, '1': neutral, '2': "
        "contradiction}\n  - {name: idx, dtype: int32}"
    )
    rows = [{"premise": "p", "hypothesis": "h", "label": number, "idx": number + 7} for number in (0, 1, 2)]
    loaded = load(tasks["mnli"], "validation", "en", hub("nyu-mll/glue", {"mnli": {"validation_matched": rows}}, card))
    assert [(row.id, row.label) for row in loaded.examples] == [
        ("7", "entailment"),
        ("8", "neutral"),
        ("9", "contradiction"),
    ]


def test_leaves_out_snlis_rows_without_agreement(hub):
    rows = [{"premise": "p", "hypothesis": "h", "label": number} for number in (-1, 2)]
    assert [
        row.label
        for row in load(tasks["snli"], "test", "en", hub("stanfordnlp/snli", {"plain_text": {"test": rows}})).examples
    ] == ["contradiction"]


def test_reads_pawsx_by_language_configuration(hub):
    rows = [{"sentence1": "a", "sentence2": "b", "label": "1"}]
    where = hub("google/xtreme", {"PAWS-X.de": {"test": rows}, "PAWS-X.fr": {"test": rows * 2}})
    assert load(tasks["pawsx"], "test", "deu", where).examples == [Classified("0", "a", "b", "1")]
    assert len(load(tasks["pawsx"], "test", "fr", where).examples) == 2


def test_reads_class_numbers_of_words(hub):
    where = hub(
        "google/xtreme",
        {"PAN-X.sw": {"test": [{"tokens": ["Ada", "Lagos", "."], "ner_tags": [1, 5, 0], "langs": ["sw", "sw", "sw"]}]}},
    )
    assert load(tasks["panx"], "test", "sw", where).examples == [
        Tagged("0", ("Ada", "Lagos", "."), ("B-PER", "B-LOC", "O"))
    ]


def test_reads_names_of_classes_from_the_data_set(hub):
    card = (
        "dataset_info:\n- config_name: udpos.Afrikans\n  features:\n  - name: tokens\n    sequence: string\n  - name: "
        "pos_tags\n    sequence:\n"
    )
    card += "      class_label:\n        names: {'0': ADJ, '1': NOUN, '2': _}"
    where = hub("google/xtreme", {"udpos.Afrikans": {"test": [{"tokens": ["rooi", "huis"], "pos_tags": [0, 1]}]}}, card)
    assert load(tasks["udpos"], "test", "afr", where).examples == [Tagged("0", ("rooi", "huis"), ("ADJ", "NOUN"))]


def test_reads_xquad_from_its_only_split(hub):
    row = {"id": "q", "context": "Ada sang.", "question": "Who?", "answers": {"text": ["Ada"], "answer_start": [0]}}
    where = hub("google/xquad", {"xquad.de": {"validation": [row]}})
    assert load(tasks["xquad"], "test", "de", where).examples == [
        SpanQuestion("q", "Who?", "Ada sang.", (Answer("Ada", 0),))
    ]
    assert has_split(tasks["xquad"], "validation", where)
    assert "de" in languages_of(tasks["xquad"], "test", where)


def test_reads_tatoeba_by_its_three_letter_names(hub):
    row = {"source_sentence": "Hallo!\n", "target_sentence": "Hello!", "source_lang": "deu", "target_lang": "eng"}
    where = hub("google/xtreme", {"tatoeba.cmn": {"validation": [row]}, "tatoeba.deu": {"validation": [row] * 2}})
    assert load(tasks["tatoeba"], "test", "zh", where).examples == [Bitext("0", "Hallo!", "Hello!")]
    assert len(load(tasks["tatoeba"], "test", "de", where).examples) == 2


def test_reads_multiple_choice_layouts(hub):
    xcopa = {
        "premise": "P.",
        "choice1": "A.",
        "choice2": "B.",
        "question": "cause",
        "label": 1,
        "idx": 3,
        "changed": False,
    }
    where = hub("cambridgeltl/xcopa", {"et": {"test": [xcopa]}})
    assert load(tasks["xcopa"], "test", "est", where).examples == [
        MultipleChoice("3", "P. What was the cause?", ("A.", "B."), 1)
    ]
    siqa = {"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "3"}
    assert (
        load(tasks["siqa"], "train", "en", hub("allenai/social_i_qa", {"default": {"train": [siqa]}})).examples[0].label
        == 2
    )
    csqa = {
        "id": "i",
        "question": "Q?",
        "question_concept": "c",
        "choices": {"label": list("ABCDE"), "text": list("vwxyz")},
        "answerKey": "D",
    }
    where = hub("tau/commonsense_qa", {"default": {"train": [csqa]}})
    assert load(tasks["csqa"], "train", "en", where).examples == [MultipleChoice("i", "Q?", tuple("vwxyz"), 3)]


def test_reads_the_rows_of_one_language_of_tydiqa(hub):
    row = {"title": "t", "context": "Ada", "question": "Q?", "answers": {"text": ["Ada"], "answer_start": [0]}}
    rows = [{"id": f"{name}-1", **row} for name in ("english", "swahili")]
    where = hub("google/xtreme", {"tydiqa": {"train": rows, "validation": rows}})
    assert [row.id for row in load(tasks["tydiqa"], "test", "sw", where).examples] == ["swahili-1"]


def test_refuses_a_task_that_is_not_on_the_hub_and_a_folder_without_it(tmp_path):
    with pytest.raises(TaskDataError, match=r"'bucc2018' is not on the hub(.|\n)*--data DIR"):
        load(tasks["bucc"], "test", "de", Where("hub"))
    with pytest.raises(
        TaskDataError, match=r"no copy of 'google/xtreme' in this folder(.|\n)*huggingface-cli download"
    ):
        load(tasks["xnli"], "test", "de", Where("hub", folder=tmp_path))


def test_refuses_a_split_and_a_language_that_are_not_there(hub):
    where = hub("google/xtreme", {"PAWS-X.de": {"test": [{"sentence1": "a", "sentence2": "b", "label": "1"}]}})
    with pytest.raises(TaskDataError, match=r"PAWS-X.ko test"):
        load(tasks["pawsx"], "test", "ko", where)
    with pytest.raises(TaskDataError, match="'qqp' has no test split on the hub; it has: train, validation"):
        load(tasks["qqp"], "test", "en", where)


def test_refuses_to_run_a_loading_script_and_names_the_conversion(write, tmp_path):
    write("own/scripted/scripted.py", "raise SystemExit('this must not run')\n")
    task = Task("scripted", "pair", "accuracy", "x", labels=NLI_LABELS, source=Source(hubs=(Hub("own/scripted"),)))
    with pytest.raises(TaskDataError, match=r"refs/convert/parquet(.|\n)*--data DIR"):
        hub_examples(task, "train", "en", Where("hub", folder=tmp_path, cache=tmp_path / "cache"), Counter())


def test_names_the_conversion_for_a_script_in_a_folder_also_where_the_task_asks_for_it(write, tmp_path):
    write("Rowan/hellaswag/hellaswag.py", "raise SystemExit('this must not run')\n")
    with pytest.raises(
        TaskDataError, match=r"is not run(.|\n)*take its conversion \(huggingface-cli download(.|\n)*--data DIR"
    ) as caught:
        load(tasks["hellaswag"], "train", "en", Where("hub", folder=tmp_path, cache=tmp_path / "cache"))
    assert "either" not in caught.value.what


def test_refuses_a_copy_whose_rows_are_broken(write, tmp_path):
    card = "---\nconfigs:\n- config_name: mnli\n  data_files:\n  - split: train\n    path: t.jsonl\n---\n"
    write("nyu-mll/glue/README.md", card)
    write("nyu-mll/glue/t.jsonl", "no JSON\n")
    with pytest.raises(TaskDataError, match=r"cannot be read: .*JSON(.|\n)*nyu-mll/glue mnli train(.|\n)*--data DIR"):
        load(tasks["mnli"], "train", "en", Where("hub", folder=tmp_path, cache=tmp_path / "cache"))


@pytest.mark.parametrize("by_environment", [True, False])
def test_opens_no_connection_when_offline(monkeypatch, tmp_path, by_environment):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1" if by_environment else "0")
    with pytest.raises(Unreachable, match=r"the network is off(.|\n)*google/xtreme XNLI test(.|\n)*HF_HUB_OFFLINE"):
        load(tasks["xnli"], "test", "de", Where("hub", offline=not by_environment, cache=tmp_path))


def test_says_so_soon_when_the_hub_does_not_answer(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)  # below whichever library the hub's uses
    with pytest.raises(Unreachable, match=r"the hub does not answer and the data set is not cached(.|\n)*--data DIR"):
        load(tasks["xnli"], "test", "de", Where("hub", cache=tmp_path))
