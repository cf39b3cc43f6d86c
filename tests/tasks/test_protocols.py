"""Languages and multi-word tokens under each protocol; and what a task made of others, or standing in for another, says
of itself."""

import pytest

from adapter_stilts.errors import UnknownName
from adapter_stilts.tasks.base import all_tasks, tasks, under
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import languages_of, load
from adapter_stilts.tasks.user import find_task

TREE = "1-2\tzum" + "\t_" * 8 + "\n1\tzu\tzu\tADP\tAPPR\t_\t0\troot\t_\t_\n2\tdem\tder\tDET\tART\t_\t1\tdet\t_\t_\n\n"
COUNTS = {
    "udpos": (33, 38),
    "panx": (40, 48),
    "xquad": (11, 12),
    "tatoeba": (36, 41),
    "xnli": (15, 15),
    "mlqa": (7, 7),
    "tydiqa": (9, 9),
}


@pytest.mark.parametrize("name", COUNTS)
def test_has_the_languages_of_xtreme_and_of_xtreme_r(name):
    assert tuple(len(under(tasks[name], protocol).languages) for protocol in ("xtreme", "xtreme-r")) == COUNTS[name]
    assert under(tasks[name], "jiant").languages == tasks[name].languages


def test_reads_every_language_of_a_protocol_from_some_data_set_of_the_hub():
    for name, (xtreme, extended) in COUNTS.items():
        found = [
            len(languages_of(under(tasks[name], protocol), "test", Where("hub"))) for protocol in ("xtreme", "xtreme-r")
        ]
        assert found == [
            xtreme,
            xtreme if name == "tatoeba" else extended,
        ]  # Tatoeba's further languages are in LASER's files alone


@pytest.mark.parametrize(
    ("protocol", "words"), [("own", ("zu", "dem")), ("xtreme", ("zum",)), ("xtreme-r", ("zum",)), ("jiant", ("zum",))]
)
def test_fuses_multiword_tokens_under_xtremes_protocols(write, tmp_path, protocol, words):
    write("de_gsd-ud-test.conllu", TREE)
    loaded = load(under(tasks["udpos"], protocol), "test", "de", Where(folder=tmp_path))
    assert loaded.examples[0].words == words
    assert loaded.origin.multiword == ("split" if protocol == "own" else "fuse")
    assert any("syntactic words" in note for note in loaded.origin.substitutions) == (protocol == "own")


def test_keeps_what_the_user_chose(write, tmp_path):
    write("de_gsd-ud-test.conllu", TREE)
    task = under(find_task("udpos", {"multiword": "split"}), "xtreme")
    assert load(task, "test", "de", Where(folder=tmp_path)).examples[0].words == ("zu", "dem")


def test_says_nothing_of_treebanks_where_prepared_files_are_read(write, tmp_path):
    write("udpos/test-de.tsv", "zum\tADP\n\n")
    origin = load(tasks["udpos"], "test", "de", Where(folder=tmp_path)).origin
    assert (origin.multiword, origin.substitutions) == ("", ())


def test_flags_what_stands_in_for_the_licensed_corpus(write, tmp_path):
    write("en_ewt-ud-test.conllu", TREE)
    origin = load(tasks["ud-xpos"], "test", "en", Where(folder=tmp_path)).origin
    assert origin.substitutions == ("ud-xpos stands in for CCG supertagging, whose corpus is licensed",)
    assert {task.name for task in all_tasks() if task.source.stands_for} == {"chunking", "ud-xpos", "ud-deprel"}


def test_flags_a_split_that_stands_in_for_another(write, tmp_path):
    row = '{"gold_label": "neutral", "sentence1": "p", "sentence2": "h"}\n'
    for name in ("train", "dev_mismatched"):
        write(f"multinli_1.0_{name}.jsonl", row)
    where = Where(folder=tmp_path)
    assert load(tasks["mnli"], "train", "en", where).origin.substitutions == ()
    assert "mismatched development set" in load(tasks["mnli"], "test", "en", where).origin.substitutions[0]
    given = Where(files={"test": (tmp_path / "multinli_1.0_train.jsonl",)})
    assert load(tasks["mnli"], "test", "en", given).origin.substitutions == ()


def test_chooses_a_data_set_of_the_hub_by_its_id():
    assert [hub.id for hub in find_task("xnli", {"hub": "facebook/xnli"}).source.hubs] == ["facebook/xnli"]
    with pytest.raises(
        UnknownName,
        match=(
            r"no data set of 'xnli' on the hub called 'facebok/xnli'(.|\n)*task.hub(.|\n)*did you "
            r"mean 'facebook/xnli'"
        ),
    ):
        find_task("xnli", {"hub": "facebok/xnli"})
