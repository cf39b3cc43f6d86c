"""Release names to files, in any folder, for any language."""

import json

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.tasks.base import Task, tasks
from adapter_stilts.tasks.reading.files import _regex, find, language_in_name, language_told, languages_in
from adapter_stilts.tasks.source import Source


@pytest.fixture
def folder(write, tmp_path):
    """Make empty-ish files by name; returns their folder."""

    def make(*names, text="x\n"):
        for name in names:
            write(name, text)
        return tmp_path

    return make


def names(found, folder):
    return [path.relative_to(folder).as_posix() for match in found for path in match.paths]


def test_finds_both_sides_of_tatoeba_at_any_depth_plain_or_gzip(folder):
    root = folder("deep/er/tatoeba.pes-eng.pes.gz", "deep/er/tatoeba.pes-eng.eng", "tatoeba.deu-eng.deu")
    assert names(find(tasks["tatoeba"], "test", "fa", root), root) == [
        "deep/er/tatoeba.pes-eng.pes.gz",
        "deep/er/tatoeba.pes-eng.eng",
    ]
    assert languages_in(tasks["tatoeba"], "test", root) == ("fa",)


@pytest.mark.parametrize(
    ("mark", "inside"),
    [
        ("runs/ner-1/identity.json", "runs/ner-1/predictions/panx/test-de.tsv"),
        ("studies/s/runs/trunk-1/identity.json", "studies/s/runs/trunk-1/predictions/panx/test-de.tsv"),
        ("sent/made-of.json", "sent/panx/test-de.tsv"),
        ("vectors/de/ledger.jsonl", "vectors/de/test-de.tsv"),
        ("hub/datasets--a--b/x", "hub/datasets--a--b/snapshots/1/test-de.tsv"),
        ("test-de.tsv.report.json", "test-de.tsv"),
        (".cache/x", ".cache/panx/test-de.tsv"),
    ],
)
def test_never_finds_what_runs_and_caches_left_behind(folder, mark, inside):
    root = folder("data/panx/test-de.tsv")
    (root / inside).parent.mkdir(parents=True, exist_ok=True)
    (root / inside).write_text("O\n")
    folder(mark)
    assert names(find(tasks["panx"], "test", "de", root), root) == ["data/panx/test-de.tsv"]


def test_says_that_the_folder_of_a_run_is_not_searched(folder):
    root = folder("identity.json", "predictions/panx/test-de.tsv")
    with pytest.raises(TaskDataError, match="not in the folders of runs"):
        find(tasks["panx"], "test", "de", root)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_finds_bucc_by_its_release_names_and_by_split(folder, split):
    released = {"test": "training", "validation": "sample"}[split]
    root = folder(*[f"bucc/de-en.{released}.{part}" for part in ("de", "en", "gold")])
    assert names(find(tasks["bucc"], split, "deu", root), root) == [
        f"bucc/de-en.{released}.{part}" for part in ("de", "en", "gold")
    ]
    other = {"test": "test", "validation": "dev"}[split]
    folder(*[f"own/sw-en.{other}.{part}.gz" for part in ("sw", "en", "gold")])
    assert languages_in(tasks["bucc"], split, root) == ("de", "sw")


@pytest.mark.parametrize(
    ("task", "language", "name"),
    [
        ("xquad", "deu", "xquad.de.json"),
        ("xcopa", "est", "data/et/test.et.jsonl"),
        ("xcopa", "et", "xcopa.et.test.jsonl.gz"),
        ("xnli", "de", "xnli.test.tsv"),
        ("xnli", "kor", "xnli.ko.test.jsonl"),
        ("xnli", "de", "xnli/test-de.tsv"),
        ("pawsx", "de", "x-final/de/test_2k.tsv"),
        ("udpos", "zh", "UD_Chinese-GSD/zh_gsd-ud-test.conllu"),
        ("udpos", "cop", "cop_scriptorium-ud-test.conllu"),
        ("uner", "sv", "sv_pud-ud-test.iob2.gz"),
        ("masakhaner", "sw", "data/swa/test.txt"),
        ("panx", "de", "de/test"),
        ("mlqa", "es", "test/test-context-es-question-es.json"),
        ("tydiqa", "sw", "tydiqa-goldp-v1.1-dev.json"),
    ],
)
def test_finds_a_release_by_its_names(folder, task, language, name):
    root = folder(name)
    assert names(find(tasks[task], "test", language, root), root) == [name]


def test_takes_all_treebanks_of_a_language(folder):
    root = folder("de_gsd-ud-test.conllu", "more/de_pud-ud-test.conllu", "fr_pud-ud-test.conllu")
    assert names(find(tasks["udpos"], "test", "de", root), root) == [
        "de_gsd-ud-test.conllu",
        "more/de_pud-ud-test.conllu",
    ]


def test_takes_a_plain_file_before_its_gzip(folder):
    root = folder("xquad.de.json", "xquad.de.json.gz")
    assert names(find(tasks["xquad"], "test", "de", root), root) == ["xquad.de.json"]


def test_refuses_two_different_files_and_takes_one_of_two_equal_ones(folder, write):
    root = folder("a/xquad.de.json", "b/xquad.de.json")
    assert names(find(tasks["xquad"], "test", "de", root), root) == ["a/xquad.de.json"]
    write("b/xquad.de.json", "other\n")
    with pytest.raises(
        TaskDataError, match=r"2 different files could be the test split of 'xquad'(.|\n)*--data test=FILE"
    ):
        find(tasks["xquad"], "test", "de", root)


def test_says_what_was_looked_for_and_which_languages_are_there(folder):
    root = folder("xquad.de.json", "xquad.tr.json")
    with pytest.raises(
        TaskDataError, match=r"of 'xquad' in 'dee'; looked for xquad.dee.json(.|\n)*did you mean 'de'\?(.|\n)*de, tr"
    ):
        find(tasks["xquad"], "test", "dee", root)
    with pytest.raises(TaskDataError, match=r"no file for the test split of 'tatoeba'(.|\n)*check --data"):
        find(tasks["tatoeba"], "test", "de", root)
    with pytest.raises(TaskDataError, match="'tatoeba' has no train split"):
        find(tasks["tatoeba"], "train", "de", root)
    with pytest.raises(TaskDataError, match=r"no such folder(.|\n)*nowhere"):
        find(tasks["tatoeba"], "test", "de", root / "nowhere")


def test_gives_a_file_without_a_language_to_the_training_language_alone(folder):
    root = folder("train-v1.1.json")
    assert find(tasks["squad"], "train", "en", root)
    with pytest.raises(TaskDataError, match="in 'de'"):
        find(tasks["squad"], "train", "de", root)


def test_leaves_files_of_other_tasks_to_them_where_names_are_the_users_own(write, tmp_path):
    write("xcopa.de.test.jsonl", '{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 0}\n')
    write("deu.test.jsonl", '{"sentence1": "a", "sentence2": "b", "label": 1}\n')
    write("own.de.test.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n')
    assert names(find(tasks["nli"], "test", "de", tmp_path), tmp_path) == ["own.de.test.jsonl"]
    assert names(find(tasks["paraphrase"], "test", "de", tmp_path), tmp_path) == ["deu.test.jsonl"]
    assert names(find(tasks["choice"], "test", "de", tmp_path), tmp_path) == ["xcopa.de.test.jsonl"]


def test_shows_the_one_misfit_where_nothing_fits(write, tmp_path):
    path = write("own.de.test.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutal"}\n')
    assert [match.paths for match in find(tasks["nli"], "test", "de", tmp_path)] == [(path,)]


def test_tells_the_language_of_a_file_by_its_name(tmp_path):
    cases = {
        "ner": "sv_pud-ud-test.iob2.gz",
        "nli": "xnli.kor.test.jsonl",
        "tatoeba": "tatoeba.pes-eng.pes",
        "single": "reviews.tsv",
    }
    assert {name: language_in_name(tmp_path / file, tasks[name]) for name, file in cases.items()} == {
        "ner": "sv",
        "nli": "ko",
        "tatoeba": "fa",
        "single": "",
    }


def test_takes_codes_with_scripts_and_regions_for_languages(folder):
    own = Task("own", "text", "masked_accuracy", "x", source=Source(files={"test": ("{l}.devtest",)}))
    root = folder("swh_Latn.devtest", "pt_BR.devtest", "zho_Hans.devtest", "German.devtest", "x.y.devtest")
    assert languages_in(own, "test", root) == ("pt_BR", "swh_Latn", "zho_Hans")
    assert [names(find(own, "test", code, root), root) for code in ("pt", "sw", "zh", "zh-Hans", "pt-BR")] == [
        ["pt_BR.devtest"],
        ["swh_Latn.devtest"],
        ["zho_Hans.devtest"],
        ["zho_Hans.devtest"],
        ["pt_BR.devtest"],
    ]


@pytest.mark.parametrize(
    ("there", "asked", "taken"),
    [
        ("zh-Hans zh-Hant", "zh-Hant", "zh-Hant"),
        ("zh-Hans zh-Hant", "zh", "zh-Hans"),
        ("zh zh-Hans", "zh-Hans", "zh-Hans"),
        ("zh zh-Hans", "zh", "zh"),
        ("pt pt-BR", "pt", "pt"),
        ("pt pt-BR", "pt-BR", "pt-BR"),
        ("ar arb_Arab arb_Latn", "arb_Arab", "arb_Arab"),
        ("ar arb_Arab arb_Latn", "arb_Latn", "arb_Latn"),
        ("ar arb_Latn", "arb_Arab", "ar"),
        ("zh-CN", "zh", "zh-CN"),
        ("zh-Hant-TW zh-Hans", "zh-Hant", "zh-Hant-TW"),
        ("es-419 es-ES", "es-419", "es-419"),
        ("zh_hant zh_hans", "zh-Hant", "zh_hant"),
    ],
)
def test_keeps_scripts_and_regions_apart(write, tmp_path, there, asked, taken):
    for code in there.split():
        write(f"{code}.test.jsonl", json.dumps({"premise": code, "hypothesis": "b", "label": "neutral"}) + "\n")
    assert set(languages_in(tasks["nli"], "test", tmp_path)) == set(there.split())
    assert names(find(tasks["nli"], "test", asked, tmp_path), tmp_path) == [f"{taken}.test.jsonl"]


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        *[("zh-Hans", "zh-Hant"), ("zh-Hant", "zh"), ("zh", "zh-TW"), ("sr-Latn", "sr")],
        *[("pt-PT", "pt-BR"), ("pt", "pt-BR")],
    ],
)
def test_takes_no_script_or_region_for_another(write, tmp_path, there, asked):
    write(f"{there}.test.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n')
    with pytest.raises(TaskDataError, match=f"of 'nli' in '{asked}'(.|\n)*this folder has it in: {there}"):
        find(tasks["nli"], "test", asked, tmp_path)


def test_asks_which_region_is_meant_where_several_lie_there(write, tmp_path):
    for code in ("pt-PT", "pt-BR"):
        write(f"{code}.test.jsonl", json.dumps({"premise": code, "hypothesis": "b", "label": "neutral"}) + "\n")
    with pytest.raises(TaskDataError, match="2 different files could be the test split"):
        find(tasks["nli"], "test", "pt", tmp_path)


def test_says_what_a_folder_of_save_to_disk_is(write, tmp_path):
    write("dataset_dict.json", '{"splits": ["train"]}')
    with pytest.raises(TaskDataError, match=r"written by save_to_disk(.|\n)*to_json"):
        find(tasks["nli"], "train", "en", tmp_path)


def test_follows_links_once_and_leaves_hidden_folders_out(folder):
    root = folder("real/xquad.de.json", ".cache/xquad.tr.json") / "real"
    (root / "again").symlink_to(root)
    (root.parent / "data").mkdir()
    (root.parent / "data" / "linked").symlink_to(root)
    assert languages_in(tasks["xquad"], "test", root.parent / "data") == ("de",)
    assert languages_in(tasks["xquad"], "test", root.parent) == ("de",)


def test_takes_a_folder_called_by_a_word_for_no_language_without_another_beside_it(write, tmp_path):
    path = write("my/train.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n')
    assert language_told(tasks["nli"], [path]) == ""
    assert language_told(tasks["nli"], [write("sw/train.jsonl", "{}\n")]) == "sw"
    assert language_told(tasks["nli"], [path]) == "my"  # sw/ stands beside it now


def test_names_the_scripts_that_are_there_of_a_language_asked_for_in_another(write, tmp_path):
    write("zh-Hans.test.jsonl", '{"premise": "a", "hypothesis": "b", "label": "neutral"}\n')
    with pytest.raises(
        TaskDataError, match="of 'zh' there is zh-Hans and no other; this folder has it in: zh-Hans"
    ) as error:
        find(tasks["nli"], "test", "zh-Hant", tmp_path)
    assert "did you mean" not in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*a*a*a*a*a*a*a*a*a*a*a*a*b", "a" * 250, False),
        ("*a*a*a*a*b", "xaxaaaxabb", True),
        ("*.{l}.*-x", "one.de.two-x", True),
        ("a*b(c)*.tsv", "aab(c)b(c).tsv", True),
        ("{name}-{name}.{l}.{l}", "german-german.de.de", True),
        ("{name}-{name}", "german-french", False),
    ],
)
def test_matches_a_pattern_of_many_stars_at_once(pattern, name, matches):
    assert bool(_regex(pattern).fullmatch(name)) is matches
