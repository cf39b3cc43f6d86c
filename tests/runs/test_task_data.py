"""In which languages a task's rows are, how many of them count, and what they are selected on."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.errors import ConfigError, TaskDataError, UnknownName, UsageError
from adapter_stilts.formats.text import PlainText
from adapter_stilts.runs.task_data import read_rows, spread
from adapter_stilts.seeding import Seeds
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import languages_of as sources_languages
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task

LANGUAGES = {"en": 12, "de": 12, "sw": 12}


@pytest.fixture
def folder(tmp_path):
    """The same twelve items in three languages, validation rows in two of them, and text in four."""
    for language, size in LANGUAGES.items():
        rows = [
            {"premise": f"{language} {number}", "hypothesis": "x", "label": ("entailment", "neutral")[number % 2]}
            for number in range(size)
        ]
        (tmp_path / f"{language}.train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        if language != "sw":
            (tmp_path / f"{language}.validation.jsonl").write_text(
                json.dumps({**rows[0], "premise": f"{language} dev"}) + "\n"
            )
    for language in ("de", "en", "ja", "sw"):
        (tmp_path / f"{language}.txt").write_text(
            "".join(f"{language} text {number}\n" for number in range(60)), encoding="utf-8"
        )
    return tmp_path


@pytest.fixture
def read(folder):
    """`read(task, key=value)` reads a task's rows from the folder."""

    def call(task="nli", among=None, **settings):
        given = {name.replace("__", "."): value for name, value in settings.items()}
        config = with_settings(RunConfig(), {"data.sources": [str(folder)], **given})
        return read_rows(config, find_task(task), among or (task,))

    return call


def premises(rows):
    return [row.premise if hasattr(row, "premise") else row.text for row in rows.examples]


def languages_of(rows):
    return Counter(text.split()[0] for text in premises(rows))


def test_trains_in_the_tasks_own_language_unless_told_otherwise(read):
    rows = read()
    assert (rows.languages, languages_of(rows)) == (("en",), {"en": 12})
    assert [loaded.origin.language for loaded in rows.validation] == ["en"]


def test_trains_on_the_same_items_in_another_language(read):
    rows = read(data__language="de")
    assert (rows.languages, languages_of(rows)) == (("de",), {"de": 12})
    assert [row.label for row in rows.examples] == [row.label for row in read().examples]
    assert [loaded.origin.language for loaded in rows.validation] == ["de"]
    assert rows.notes == ()


def test_is_selected_in_its_own_language_where_the_other_has_no_validation_rows_and_says_so(read):
    rows = read(data__language="sw")
    assert [loaded.origin.language for loaded in rows.validation] == ["en"]
    assert rows.notes == ("nli is selected on validation rows in en: there are none in sw",)


def test_selects_mlqa_on_rows_of_squad_though_it_has_development_rows_of_its_own(tmp_path):
    def squad(*contexts):
        asked = [
            {"id": text, "question": "Who?", "answers": [{"text": text[:3], "answer_start": 0}]} for text in contexts
        ]
        return json.dumps(
            {
                "data": [
                    {"paragraphs": [{"context": text, "qas": [qa]} for text, qa in zip(contexts, asked, strict=True)]}
                ]
            }
        )

    (tmp_path / "train-v1.1.json").write_text(squad(*(f"Ada {number}" for number in range(300))))
    for language in ("en", "de"):
        (tmp_path / f"dev-context-{language}-question-{language}.json").write_text(squad(f"{language} dev"))
    task = find_task("mlqa")
    where = Where(folder=tmp_path)
    rows = read_rows(with_settings(RunConfig(), {"data.sources": [str(tmp_path)]}), task, ("mlqa",))
    assert [loaded.origin.language for loaded in rows.validation] == ["en"]
    assert {row.context.split()[0] for loaded in rows.validation for row in loaded.examples} == {"Ada"}
    assert len(rows.examples) + len(rows.validation[0].examples) == 300
    assert [row.context for row in load(task, "validation", "de", where).examples] == ["de dev"]
    assert sources_languages(task, "validation", where) == ("de", "en")


def test_spreads_the_rows_of_one_language_over_several(read):
    rows = read(data__language="sw,de")
    assert languages_of(rows) == {"sw": 6, "de": 6}
    items = [text.split()[1] for text in premises(rows)]
    assert sorted(items, key=int) == [str(number) for number in range(12)]  # every item once, in one language
    assert rows.notes == ("nli: 12 rows of sw, de together",)
    assert languages_of(read(data__language="en,sw,de", training__rows=9)) == {"en": 3, "sw": 3, "de": 3}


def test_says_where_there_are_fewer_rows_than_asked_for(read):
    rows = read(data__language="sw,de", training__rows=50)
    assert len(rows.examples) == 12
    assert "50 were asked for, and there are no more" in rows.notes[0]


def test_reads_text_in_every_language_beside_other_tasks_and_in_one_alone(read):
    assert set(read("mlm").languages) == {"en"}
    beside = read("mlm", among=("nli", "mlm"))
    assert beside.languages == ("de", "en", "ja", "sw")
    assert {loaded.origin.language for loaded in beside.validation} == {"de", "en", "ja", "sw"}
    assert read("nli", among=("nli", "mlm")).languages == ("en",)
    assert read("mlm", among=("nli", "mlm"), data__language="mlm/ja,mlm/sw").languages == ("ja", "sw")
    assert read("nli", among=("nli", "mlm"), data__language="mlm/ja,mlm/sw").languages == ("en",)
    assert set(read("mlm", data__language="all").languages) == {"de", "en", "ja", "sw"}


def test_tells_the_languages_of_text_files_by_their_names(read, folder):
    sources = [f"mlm/train={folder / name}" for name in ("ja.txt", "sw.txt")]
    rows = read("mlm", among=("nli", "mlm"), data__sources=sources)
    assert rows.languages == ("ja", "sw")
    assert all(loaded.origin.language in str(loaded.origin.files[0].path.name) for loaded in rows.train)


def test_takes_files_given_one_by_one_for_the_language_that_is_named(read, folder):
    rows = read(data__language="sw", data__sources=[f"train={folder / 'de.train.jsonl'}"])
    assert rows.languages == ("sw",)
    with pytest.raises(UsageError, match="files named one by one, and several languages: sw, de"):
        read(data__language="sw,de", data__sources=[f"train={folder / 'de.train.jsonl'}"])


def test_refuses_languages_that_are_not_there_or_not_languages(read):
    with pytest.raises(TaskDataError, match=r"'nli' in 'fi'(.|\n)*this folder has it in: de, en, sw"):
        read(data__language="fi")
    with pytest.raises(UnknownName, match="no task of this run called 'ml'"):
        read(data__language="ml/sw")
    with pytest.raises(ConfigError, match="should be a language code"):
        read(data__language="../x")


@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(1, 60), st.integers(0, 5))
def test_spread_draws_evenly_without_repetition(sizes, total, seed):
    """As even as the sizes allow, no row twice, and of languages with equally many rows no item twice."""
    languages = [
        [PlainText(str(number), f"{language}/{number}") for number in range(size)]
        for language, size in enumerate(sizes)
    ]
    found = [row.text for row in spread(languages, total, Seeds(seed))]
    assert len(found) == len(set(found))
    counts = Counter(int(text.split("/")[0]) for text in found)
    if len(set(sizes)) == 1:
        items = [text.split("/")[1] for text in found]
        assert len(items) == len(set(items)) == min(total, sizes[0])
    else:
        assert len(found) == min(total, sum(sizes))
        for language, size in enumerate(sizes):
            assert counts[language] >= min(size, total // len(sizes))


def test_refuses_rows_that_all_have_one_label(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("text\tlabel\na fine day\tgood\na fine night\tgood\n")
    config = with_settings(RunConfig(), {"data.sources": [f"train={path}", f"validation={path}"]})
    with pytest.raises(TaskDataError, match=r"every training row has the same label: good(.|\n)*train\.tsv"):
        read_rows(config, find_task("single"), ("single",))
