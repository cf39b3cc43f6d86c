"""Rows of a task from files, with hashes; the miniature; and what is said where there are none."""

import hashlib
import json

import pytest

from adapter_stilts.errors import TaskDataError, UnknownName, UsageError
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.pair import Classified
from adapter_stilts.tasks.base import tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import has_split, languages_of, load

XNLI = "language\tgold_label\tsentence1_binary_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\n"
XNLI += (
    "de\tneutral\tx\ta\tb\t1\t1\tface\tneutral\nsw\tentailment\tx\tc\td\t1\t1\tface\tneutral\nsw\tcontradiction\tx\t"
    "e\tf\t1\t2\tface\tneutral\n"
)


def squad(*contexts, prefix=""):
    questions = [
        {"id": f"{prefix}{n}", "question": "Q?", "answers": [{"text": text[:3], "answer_start": 0}]}
        for n, text in enumerate(contexts)
    ]
    return json.dumps(
        {
            "data": [
                {
                    "paragraphs": [
                        {"context": text, "qas": [question]} for text, question in zip(contexts, questions, strict=True)
                    ]
                }
            ]
        }
    )


def test_reads_files_named_one_by_one_and_joins_several(write):
    first, second = (
        write("a.jsonl", '{"text": "a", "label": "x"}\n'),
        write("b.jsonl.gz", '{"text": "b", "label": "y"}\n' * 2),
    )
    loaded = load(tasks["single"], "train", "en", Where(files={"train": (first, second)}))
    assert loaded.examples == [
        Classified("a.jsonl:0", "a", None, "x"),
        Classified("b.jsonl:0", "b", None, "y"),
        Classified("b.jsonl:1", "b", None, "y"),
    ]
    assert [(fact.path, fact.rows) for fact in loaded.origin.files] == [(first, 1), (second, 2)]
    assert loaded.origin.files[1].sha256 == hashlib.sha256(second.read_bytes()).hexdigest()
    assert loaded.origin.rows == 3


def test_gives_columns_of_the_user_over_those_of_the_task(write):
    path = write("a.tsv", "eins\tzwei\twas\nx\ty\tneutral\n")
    where = Where(files={"train": (path,)}, columns={"premise": "eins", "hypothesis": "zwei", "label": "was"})
    assert load(tasks["nli"], "train", "en", where).examples == [Classified("0", "x", "y", "neutral")]


def test_reads_one_language_of_a_file_that_holds_many(write, tmp_path):
    write("XNLI-1.0/xnli.test.tsv", XNLI)
    where = Where(folder=tmp_path)
    assert languages_of(tasks["xnli"], "test", where) == ("de", "sw")
    loaded = load(tasks["xnli"], "test", "swa", where)
    assert loaded.examples == [Classified("0", "c", "d", "entailment"), Classified("1", "e", "f", "contradiction")]
    assert loaded.origin.language == "sw"
    with pytest.raises(TaskDataError, match="no row with language = tr or tur"):
        load(tasks["xnli"], "test", "tr", where)


def test_refuses_two_languages_in_a_file_of_a_task_that_tells_none_apart(write):
    row = '{"text": "a", "label": "x", "lang": "%s"}\n'
    table = "lang\tpremise\thypothesis\tlabel\nde\ta\tb\tneutral\ndeu\tc\td\tneutral\nfr\te\tf\tneutral\n"
    for task, path in (
        ("single", write("a.jsonl", row % "de" + row % "deu" + row % "fr")),
        ("nli", write("a.tsv", table)),
    ):
        with pytest.raises(
            TaskDataError,
            match=rf"two languages in one file: 'de' and 'fr' \(column 'lang'\)(.|\n)*{path.name}, line [34]",
        ):
            load(tasks[task], "train", "en", Where(files={"train": (path,)}))
    for codes in (("de", "deu"), ("java", "python")):
        path = write("b.jsonl", row % codes[0] + row % codes[1])
        assert len(load(tasks["single"], "train", "en", Where(files={"train": (path,)})).examples) == 2


def test_reads_a_file_of_one_language_where_the_task_has_many_in_one(write):
    path = write("xnli.ko.test.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n')
    where = Where(files={"test": (path,)})
    assert languages_of(tasks["xnli"], "test", where) == ("ko",)
    assert len(load(tasks["xnli"], "test", "ko", where).examples) == 1


def test_trains_a_target_on_its_training_tasks_rows(write, tmp_path):
    write(
        "MNLI/train.tsv",
        "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta\tb\tneutral\tentailment\n1\ta\tb\tneutral\t-\n",
    )
    loaded = load(tasks["xnli"], "train", "en", Where(folder=tmp_path))
    assert loaded.examples == [Classified("0", "a", "b", "entailment")]
    assert loaded.origin.task == "xnli"
    assert has_split(tasks["xnli"], "train", Where(folder=tmp_path))
    assert not has_split(tasks["xnli"], "validation", Where(folder=tmp_path))


def test_holds_a_validation_split_out_of_squad_for_xquad(write, tmp_path):
    contexts = [f"context {number}" for number in range(500)]
    write("train-v1.1.json", squad(*contexts))
    where = Where(folder=tmp_path)
    train, held = (load(tasks["xquad"], split, "en", where) for split in ("train", "validation"))
    assert sorted(row.id for row in train.examples + held.examples) == sorted(map(str, range(500)))
    assert 0 < len(held.examples) < 30
    assert len(load(tasks["squad"], "train", "en", where).examples) == 500


def test_reads_the_rows_of_tydiqa_whose_ids_name_the_language(write, tmp_path):
    both = json.loads(squad("abc", "def", prefix="english-"))
    both["data"] += json.loads(squad("ghi", prefix="swahili-"))["data"]
    write("tydiqa-goldp-v1.1-dev.json", json.dumps(both))
    where = Where(folder=tmp_path)
    assert len(load(tasks["tydiqa"], "test", "en", where).examples) == 2
    assert [row.id for row in load(tasks["tydiqa"], "test", "swa", where).examples] == ["swahili-0"]
    assert "sw" in languages_of(tasks["tydiqa"], "test", where)


def test_reads_a_bitext_from_two_files_or_one_table(write):
    pair = (write("a.de", "eins\nzwei\n"), write("a.en", "one\ntwo\n"))
    expected = [Bitext("0", "eins", "one"), Bitext("1", "zwei", "two")]
    assert load(tasks["bitext"], "test", "de", Where(files={"test": pair})).examples == expected
    table = write("de-en.tsv", "de\ten\neins\tone\nzwei\ttwo\n")
    assert load(tasks["bitext"], "test", "de", Where(files={"test": (table,)})).examples == expected
    table = write("pairs.csv", "de;en\n" + "".join(f"{row.source};{row.target}\n" for row in expected))
    assert load(tasks["bitext"], "test", "de", Where(files={"test": (table,)})).examples == expected


def test_refuses_one_side_of_a_bitext(write):
    with pytest.raises(
        UsageError, match=r"one side of a bitext alone(.|\n)*a.de(.|\n)*--data test=FOREIGN --data test=ENGLISH"
    ):
        load(tasks["bitext"], "test", "de", Where(files={"test": (write("a.de", "eins\n"),)}))


@pytest.mark.parametrize(
    ("task", "name", "language"),
    [("bitext", "news.deu.gz", "de"), ("bitext", "news.txt", "und"), ("nli", "pairs.jsonl", "und")],
)
def test_tells_the_language_of_given_files_from_their_names(tmp_path, task, name, language):
    assert languages_of(tasks[task], "test", Where(files={"test": (tmp_path / name,)})) == (language,)


def test_reads_mining_pools_and_counts_each_file(write):
    paths = (
        write("a.de", "d1\teins\nd2\tzwei\n"),
        write("a.en", "e1\tone\ne2\ttwo\ne3\tthree\n"),
        write("a.gold", "d1\te1\n"),
    )
    loaded = load(tasks["bucc"], "test", "de", Where(files={"test": paths}))
    (pools,) = loaded.examples
    assert pools.gold == {("d1", "e1")}
    assert [fact.rows for fact in loaded.origin.files] == [2, 3, 1]
    assert loaded.origin.rows == 1
    with pytest.raises(UsageError, match="a mining set is two or three files, got 1"):
        load(tasks["bucc"], "test", "de", Where(files={"test": paths[:1]}))


def test_refuses_labels_the_trained_head_does_not_have(write):
    path = write("swa.test.conll", "Lagos B-LOC\nJumatatu B-DATE\n")
    with pytest.raises(
        TaskDataError,
        match=r"label 'B-DATE' is not one of: O, B-LOC, I-LOC(.|\n)*swa.test.conll, lines 1-2(.|\n)*`ignore_labels`",
    ):
        load(tasks["ner"], "test", "sw", Where(files={"test": (path,)}), labels=("O", "B-LOC", "I-LOC"))


def test_names_the_file_of_aligned_sides_that_differ(write, tmp_path):
    write("tatoeba.deu-eng.deu", "1\n2\n")
    write("tatoeba.deu-eng.eng", "1\n")
    with pytest.raises(TaskDataError, match="2 and 1 lines"):
        load(tasks["tatoeba"], "test", "de", Where(folder=tmp_path))


def test_says_which_split_was_not_given(write):
    where = Where(files={"train": (write("a.jsonl", "{}\n"),)})
    with pytest.raises(
        TaskDataError, match=r"no file for the test split of 'nli'; given: train(.|\n)*--data test=FILE"
    ):
        load(tasks["nli"], "test", "en", where)
    with pytest.raises(UsageError, match="'nli' needs its files"):
        load(tasks["nli"], "test", "en", Where())
    with pytest.raises(UnknownName, match=r"no split called 'tset'(.|\n)*did you mean 'test'"):
        load(tasks["nli"], "tset", "en", where)


def test_reads_the_miniature_in_any_spelling_of_a_language():
    loaded = load(tasks["xnli"], "test", "swa", Where("miniature"))
    assert loaded.origin.language == "sw"
    assert loaded.origin.kind == "miniature"
    assert {row.label for row in loaded.examples} == {"contradiction", "entailment", "neutral"}
    assert "sw" in languages_of(tasks["xnli"], "test", Where("miniature"))


def test_refuses_languages_and_tasks_the_miniature_does_not_have():
    with pytest.raises(
        UnknownName, match=r"no language of 'xnli' in the miniature called 'dee'(.|\n)*did you mean 'de'"
    ):
        load(tasks["xnli"], "test", "dee", Where("miniature"))
    with pytest.raises(TaskDataError, match="the miniature has nothing for 'defects'"):
        load(tasks["defects"], "test", "en", Where("miniature"))


@pytest.mark.real
def test_finds_every_task_of_the_real_data_by_release_names(shared):
    where = Where(folder=shared)
    expected = {
        "tatoeba": 36,
        "bucc": 6,
        "xnli": 3,
        "xquad": 6,
        "xcopa": 7,
        "udpos": 8,
        "uner": 4,
        "masakhaner": 1,
        "paraphrase": 10,
    }
    assert {name: len(languages_of(tasks[name], "test", where)) for name in expected} == expected
    assert len(load(tasks["masakhaner"], "test", "sw", where).examples) == 604
    assert load(tasks["bucc"], "validation", "tur", where).origin.rows == 200


def test_says_where_held_out_rows_are_all_or_none_of_a_small_training_set(write, tmp_path):
    contexts = [f"Cat {number} sleeps." for number in range(200)]
    path = write("train-v1.1.json", squad(*contexts))
    held = {row.context for row in load(tasks["xquad"], "validation", "en", Where(folder=tmp_path)).examples}
    assert 0 < len(held) < 12  # about one in fifty, by their text
    path.write_text(squad(*[text for text in contexts if text not in held][:4]))
    with pytest.raises(
        TaskDataError, match=r"one in 50 contexts(.|\n)*these 4 rows that is none(.|\n)*--data validation=FILE"
    ):
        load(tasks["xquad"], "validation", "en", Where(folder=tmp_path))
    path.write_text(squad(*held))
    with pytest.raises(TaskDataError, match=rf"train split of 'xquad'(.|\n)*these {len(held)} rows that is all"):
        load(tasks["xquad"], "train", "en", Where(folder=tmp_path))
