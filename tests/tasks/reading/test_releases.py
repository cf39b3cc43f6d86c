"""Every task from plain files under the names, and in the columns, of its original release; and of XTREME's own
download. The rows are ours."""

import json

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.tasks.base import all_tasks, tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import has_split, languages_of, load

XNLI = (
    "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
    "sentence1\tsentence2\tpromptID\tpairID\n"
)
MNLI_TSV = "index\tpromptID\tpairID\tgenre\ts1bp\ts2bp\ts1p\ts2p\tsentence1\tsentence2\tlabel1\tgold_label\n"
TREE = (
    "# text = zum\n1-2\tzum"
    + "\t_" * 8
    + "\n1\tzu\tzu\tADP\tAPPR\t_\t0\troot\t_\t_\n2\tdem\tder\tDET\tART\t_\t1\tdet\t_\t_\n\n"
)


def line(**cells):
    return json.dumps(cells) + "\n"


def nli_line(label):
    return line(
        annotator_labels=[label], genre="g", gold_label=label, pairID="1e", promptID="1", sentence1="p", sentence2="h"
    )


def squad(*ids, answers=({"text": "Ada", "answer_start": 0},), **more):
    questions = [{"id": id, "question": "Who?", "answers": list(answers), **more} for id in ids]
    return json.dumps(
        {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "Ada sang.", "qas": questions}]}]}
    )


def asked(id):
    return SpanQuestion(id, "Who?", "Ada sang.", (Answer("Ada", 0),))


def xcopa(**more):
    return line(premise="P.", choice1="A.", choice2="B.", question="cause", label=1, idx=3, **more)


COPA = MultipleChoice("3", "P. What was the cause?", ("A.", "B."), 1)
CSQA = {
    "question_concept": "c",
    "stem": "Where?",
    "choices": [{"label": name, "text": name.lower()} for name in "ABCDE"],
}
SIQA = {"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c"}
HELLASWAG = {
    "ind": 4,
    "activity_label": "l",
    "ctx_a": "A man cuts.",
    "ctx_b": "he",
    "ctx": "A man cuts. he",
    "split": "train",
    "split_type": "indomain",
}
CASES = [
    (
        "mnli",
        "train",
        "en",
        {"multinli_1.0/multinli_1.0_train.jsonl": nli_line("neutral") + nli_line("-")},
        [Classified("0", "p", "h", "neutral")],
    ),
    (
        "mnli",
        "validation",
        "en",
        {"glue/MNLI/dev_matched.tsv": MNLI_TSV + "7\t1\t1e\tg\t\t\t\t\tp\th\tneutral\tentailment\n"},
        [Classified("7", "p", "h", "entailment")],
    ),
    (
        "mnli",
        "train",
        "en",
        {"XNLI-MT-1.0/multinli/multinli.train.en.tsv": "premise\thypo\tlabel\np\th\tcontradictory\n"},
        [Classified("0", "p", "h", "contradiction")],
    ),
    (
        "snli",
        "test",
        "en",
        {"snli_1.0/snli_1.0_test.jsonl": nli_line("contradiction")},
        [Classified("0", "p", "h", "contradiction")],
    ),
    (
        *("anli", "validation", "en"),
        {
            f"anli_v1.0/R{r}/dev.jsonl": line(uid="u", context=f"c{r}", hypothesis="h", label="enc"[r - 1], reason="")
            for r in (1, 2, 3)
        },
        [
            Classified(f"R{r}/dev.jsonl:u", f"c{r}", "h", label)
            for r, label in ((1, "entailment"), (2, "neutral"), (3, "contradiction"))
        ],
    ),
    (
        "qqp",
        "train",
        "en",
        {"glue/QQP/train.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n5\t1\t2\ta?\tb?\t1\n6\t3\n"},
        [Classified("5", "a?", "b?", "1")],
    ),
    ("squad", "train", "en", {"squad/train-v1.1.json": squad("q")}, [asked("q")]),
    ("squad", "validation", "en", {"dev-v1.1.json": squad("q")}, [asked("q")]),
    (
        "squad_v2",
        "train",
        "en",
        {"train-v2.0.json": squad("q", answers=(), is_impossible=True)},
        [SpanQuestion("q", "Who?", "Ada sang.", ())],
    ),
    (
        *(
            "hellaswag",
            "train",
            "en",
            {"hellaswag_train.jsonl": line(**HELLASWAG, label=2, endings=list("wxyz"), source_id="s")},
        ),
        [MultipleChoice("4", "A man cuts.", ("he w", "he x", "he y", "he z"), 2)],
    ),
    (
        *(
            "cosmosqa",
            "validation",
            "en",
            {
                "cosmosqa/data/valid.csv": (
                    'id,context,question,answer0,answer1,answer2,answer3,label\ni,"It, rained.",Why?,a,b,c,d,1\n'
                )
            },
        ),
        [MultipleChoice("i", "It, rained. Why?", tuple("abcd"), 1)],
    ),
    (
        "csqa",
        "validation",
        "en",
        {"dev_rand_split.jsonl": line(answerKey="C", id="i", question=CSQA)},
        [MultipleChoice("i", "Where?", tuple("abcde"), 2)],
    ),
    (
        *(
            "siqa",
            "train",
            "en",
            {"socialiqa-train-dev/train.jsonl": line(**SIQA), "socialiqa-train-dev/train-labels.lst": "2\n"},
        ),
        [MultipleChoice("0", "C. Q?", ("a", "b", "c"), 1)],
    ),
    (
        "siqa",
        "validation",
        "en",
        {"siqa/socialIQa_v1.4_dev.jsonl": line(**SIQA, correct="C")},
        [MultipleChoice("0", "C. Q?", ("a", "b", "c"), 2)],
    ),
    ("copa", "train", "en", {"COPA/train.jsonl": xcopa()}, [COPA]),
    ("copa", "validation", "en", {"download/xcopa/val.en.jsonl": xcopa()}, [COPA]),
    (
        "ccg",
        "validation",
        "en",
        {"ccg.dev.auto": "ID=w.1 PARSER=GOLD\n(<L NP NNP NNP Ada NP>)\n"},
        [Tagged("w.1", ("Ada",), ("NP",))],
    ),
    ("ccg", "train", "en", {"ccg/train.tsv": "Ada sang\tNP S\\NP\n"}, [Tagged("0", ("Ada", "sang"), ("NP", "S\\NP"))]),
    (
        "chunking",
        "test",
        "en",
        {"conll2000/test.txt": "the DT B-NP\ncat NN I-NP\n\n"},
        [Tagged("0", ("the", "cat"), ("B-NP", "I-NP"))],
    ),
    (
        "ud-xpos",
        "test",
        "en",
        {"UD_English-EWT/en_ewt-ud-test.conllu": TREE},
        [Tagged("0", ("zu", "dem"), ("APPR", "ART"))],
    ),
    (
        "ud-deprel",
        "test",
        "en",
        {"UD_English-EWT/en_ewt-ud-test.conllu": TREE},
        [Tagged("0", ("zu", "dem"), ("root", "det"))],
    ),
    (
        *("clones", "validation", "en"),
        {
            "dataset/valid.txt": "11\t22\t1\n",
            "dataset/data.jsonl": line(idx="11", func="int a;") + line(idx="22", func="int b;"),
        },
        [Classified("0", "int a;", "int b;", "1")],
    ),
    (
        *(
            "defects",
            "test",
            "en",
            {
                "Defect-detection/dataset/test.jsonl": line(
                    project="FFmpeg", commit_id="c", target=1, func="free(p);", idx=8
                )
            },
        ),
        [Classified("8", "free(p);", None, "1")],
    ),
    (
        *("codesearch", "test", "en"),
        {
            "test.jsonl": line(idx=1, docstring_tokens=["Adds", "."], function_tokens=["def", "f"])
            + line(idx=2, docstring_tokens=["Opens"], function_tokens=["def", "g"])
        },
        [
            Classified("1-right", "Adds .", "def f", "1"),
            Classified("1-wrong", "Adds .", "def g", "0"),
            Classified("2-right", "Opens", "def g", "1"),
            Classified("2-wrong", "Opens", "def f", "0"),
        ],
    ),
    (
        "cosqa",
        "train",
        "en",
        {
            "cosqa-train.json": json.dumps(
                [{"idx": "cosqa-train-0", "doc": "sort a list", "code": "def f(): pass", "label": 0}]
            )
        },
        [Classified("cosqa-train-0", "sort a list", "def f(): pass", "0")],
    ),
    (
        *(
            "xnli",
            "test",
            "swa",
            {
                "XNLI-1.0/xnli.test.tsv": XNLI
                + "".join(f"{code}\tneutral\t\t\t\t\t{code} a\tb\t1\t1\n" for code in ("ar", "sw"))
            },
        ),
        [Classified("0", "sw a", "b", "neutral")],
    ),
    (
        "xnli",
        "validation",
        "de",
        {"download/xnli/dev-de.tsv": "eins\tzwei\tentailment\r\n"},
        [Classified("0", "eins", "zwei", "entailment")],
    ),
    (
        *(
            "mnli-mt",
            "train",
            "swa",
            {
                "XNLI-MT-1.0/multinli/multinli.train.sw.tsv": (
                    "premise\thypo\tlabel\na\tb\tcontradictory\nc\td\tneutral\n"
                )
            },
        ),
        [Classified("0", "a", "b", "contradiction"), Classified("1", "c", "d", "neutral")],
    ),
    (
        "pawsx",
        "test",
        "deu",
        {"x-final/de/test_2k.tsv": "id\tsentence1\tsentence2\tlabel\n1\ta\tb\t0\n"},
        [Classified("1", "a", "b", "0")],
    ),
    (
        "pawsx",
        "train",
        "en",
        {"x-final/en/train.tsv": "id\tsentence1\tsentence2\tlabel\n1\ta\tb\t1\n"},
        [Classified("1", "a", "b", "1")],
    ),
    ("pawsx", "validation", "fr", {"download/pawsx/dev-fr.tsv": "a\tb\t1\r\n"}, [Classified("0", "a", "b", "1")]),
    (
        "udpos",
        "test",
        "de",
        {"ud-treebanks-v2.5/UD_German-GSD/de_gsd-ud-test.conllu.gz": TREE},
        [Tagged("0", ("zu", "dem"), ("ADP", "DET"))],
    ),
    ("udpos", "test", "wo", {"UD_Wolof-WTF/wo_wtf-ud-test.conllu": TREE}, [Tagged("0", ("zu", "dem"), ("ADP", "DET"))]),
    ("udpos", "validation", "de", {"download/udpos/dev-de.tsv": "zum\tADP\n\n"}, [Tagged("0", ("zum",), ("ADP",))]),
    ("panx", "train", "en", {"en/train": "en:Ada\tB-PER\nen:.\tO\n\n"}, [Tagged("0", ("Ada", "."), ("B-PER", "O"))]),
    ("panx", "test", "jav", {"panx_dataset/jv-test": "jv:Ada\tB-PER\n\n"}, [Tagged("0", ("Ada",), ("B-PER",))]),
    ("panx", "validation", "gu", {"download/panx/dev-gu.tsv": "Ada\tB-PER\n\n"}, [Tagged("0", ("Ada",), ("B-PER",))]),
    ("xquad", "test", "ron", {"xquad.ro.json": squad("q")}, [asked("q")]),
    (
        "mlqa",
        "test",
        "es",
        {
            "MLQA_V1/test/test-context-es-question-es.json": squad("q"),
            "MLQA_V1/test/test-context-es-question-de.json": squad("x"),
        },
        [asked("q")],
    ),
    (
        "mlqa",
        "validation",
        "es",
        {
            "MLQA_V1/dev/dev-context-es-question-es.json": squad("q"),
            "MLQA_V1/dev/dev-context-de-question-es.json": squad("x"),
        },
        [asked("q")],
    ),
    (
        "tydiqa",
        "test",
        "sw",
        {"tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-swahili.json": squad("swahili-1-0")},
        [asked("swahili-1-0")],
    ),
    (
        "tydiqa",
        "test",
        "fin",
        {"tydiqa-goldp-v1.1-dev.json": squad("finnish-1-0", "swahili-1-0")},
        [asked("finnish-1-0")],
    ),
    (
        "tatoeba",
        "test",
        "de",
        {"tatoeba/v1/tatoeba.deu-eng.deu": "eins\n", "tatoeba/v1/tatoeba.deu-eng.eng": "one\n"},
        [Bitext("0", "eins", "one")],
    ),
    (
        "tatoeba",
        "test",
        "uk",
        {"v1/tatoeba.ukr-eng.ukr": "eins\n", "v1/tatoeba.ukr-eng.eng": "one\n"},
        [Bitext("0", "eins", "one")],
    ),
    ("xcopa", "test", "est", {"xcopa/data/et/test.et.jsonl": xcopa(changed=False)}, [COPA]),
    ("xcopa", "validation", "zh", {"download/xcopa/val.zh.jsonl": xcopa(changed=False)}, [COPA]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {next(iter(case[3]))}")
def test_reads_the_release_of(write, tmp_path, case):
    task, split, language, files, expected = case
    for name, text in files.items():
        write(f"deep/{name}", text)
    where = Where(folder=tmp_path)
    assert has_split(tasks[task], split, where)
    found = load(tasks[task], split, language, where)
    assert found.examples == expected
    assert {fact.path.name for fact in found.origin.files} <= {name.split("/")[-1] for name in files}


def test_covers_every_task_that_names_files():
    own = {case[0] for case in CASES} | {"bucc2018"}
    assert {
        task.name
        for task in all_tasks()
        if task.source.files and task.source.hubs and not task.retrieval and not task.format.ranking
    } <= own


@pytest.mark.parametrize(
    ("split", "released", "prepared"), [("test", "training", "test"), ("validation", "sample", "dev")]
)
def test_reads_buccs_pools_from_the_archives_and_from_xtremes_download(write, tmp_path, split, released, prepared):
    for folder, name in (("raw/bucc2018/de-en", released), ("xtreme/bucc2018", prepared)):
        write(f"{folder}/de-en.{name}.de", "de-1\teins\nde-2\tzwei\n")
        write(f"{folder}/de-en.{name}.en", "en-1\ttwo\nen-2\tthree\n")
        write(f"{folder}/de-en.{name}.gold", "de-2\ten-1\n")
        (pools,) = load(tasks["bucc2018"], split, "deu", Where(folder=tmp_path / folder)).examples
        assert (pools.source, pools.target, pools.gold) == (("eins", "zwei"), ("two", "three"), {("de-2", "en-1")})


def test_unquotes_what_xtremes_download_quotes(write, tmp_path):
    write("xnli/train-en.tsv", '"a ""b"" c"\th\tneutral\r\n')
    assert load(tasks["xnli"], "train", "en", Where(folder=tmp_path)).examples == [
        Classified("0", 'a "b" c', "h", "neutral")
    ]


def test_puts_anli_mnli_and_snli_together_and_counts_what_is_left_out(write, tmp_path):
    for r in (1, 2, 3):
        write(
            f"anli_v1.0/R{r}/train.jsonl", line(uid=f"u{r}", context="c", hypothesis="h", label="enc"[r - 1], reason="")
        )
    write("multinli_1.0_train.jsonl", nli_line("neutral") * 2)
    write("snli_1.0_train.jsonl", nli_line("-") + nli_line("contradiction") + nli_line("-"))
    where = Where(folder=tmp_path)
    loaded = load(tasks["anli+"], "train", "en", where)
    assert [(row.id, row.label) for row in loaded.examples] == [
        ("anli:R1/train.jsonl:u1", "entailment"),
        ("anli:R2/train.jsonl:u2", "neutral"),
        ("anli:R3/train.jsonl:u3", "contradiction"),
        ("mnli:0", "neutral"),
        ("mnli:1", "neutral"),
        ("snli:1", "contradiction"),
    ]
    assert loaded.origin.dropped == {"snli: label '-'": 2}
    assert (loaded.origin.parts, loaded.origin.rows, len(loaded.origin.files)) == (("anli", "mnli", "snli"), 6, 5)
    assert languages_of(tasks["anli+"], "train", where) == ("en",)
    assert not has_split(tasks["anli+"], "validation", where)
    with pytest.raises(TaskDataError, match="no file for the validation split of 'anli'"):
        load(tasks["anli+"], "validation", "en", where)


def test_trains_tydiqa_on_english_alone_where_a_file_holds_nine_languages(write, tmp_path):
    names = ("arabic", "bengali", "english", "finnish", "indonesian", "korean", "russian", "swahili", "telugu")
    ids = [f"{name}-{number}-0" for number in range(60) for name in names]
    articles = [json.loads(squad(id))["data"][0] for id in ids]
    for number, article in enumerate(articles):
        article["paragraphs"][0]["context"] = f"Ada sang {number}."
    nine = json.dumps({"data": articles})
    for name in (
        "original/tydiqa-goldp-v1.1-train.json",
        "jiant/tydiqa.en.train.json",
    ):  # jiant writes all nine languages under English
        write(name, nine)
        where = Where(folder=tmp_path / name.split("/")[0])
        train, held = (load(tasks["tydiqa"], split, "en", where) for split in ("train", "validation"))
        assert {row.id.split("-")[0] for row in train.examples + held.examples} == {"english"}
        assert len(train.examples) + len(held.examples) == 60
        assert train.origin.dropped == {"of another language": 480}


def test_reads_xtremes_training_file_of_tydiqa_whose_ids_repeat(write, tmp_path):
    both = json.loads(squad("0"))
    both["data"] += json.loads(squad("0").replace("Ada sang.", "Ada ran."))["data"]
    write("tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json", json.dumps(both))
    assert [row.id for row in load(tasks["tydiqa"], "train", "en", Where(folder=tmp_path)).examples] in (
        ["0", "1"],
        ["0"],
        ["1"],
    )


def test_refuses_the_empty_answers_of_xtremes_download(write, tmp_path):
    write(
        "tydiqa-goldp-v1.1-dev/tydiqa.goldp.sw.dev.json",
        squad("swahili-1-0", answers=({"text": "", "answer_start": 0},)),
    )
    with pytest.raises(
        TaskDataError,
        match=r"every answer is the empty text(.|\n)*placeholders(.|\n)*'tydiqa' in 'sw'(.|\n)*original release",
    ):
        load(tasks["tydiqa"], "test", "sw", Where(folder=tmp_path))
    assert len(load(tasks["tydiqa"], "test", "sw", Where(folder=tmp_path), unscored=True).examples) == 1


def test_does_not_take_xtremes_sorted_tatoeba_for_aligned(write, tmp_path):
    write("tatoeba/de-en.de", "zwei\neins\n")
    write("tatoeba/de-en.en", "one\ntwo\n")
    with pytest.raises(TaskDataError, match=r"no file for the test split of 'tatoeba'(.|\n)*tatoeba.de-eng.de"):
        load(tasks["tatoeba"], "test", "de", Where(folder=tmp_path))


def test_reads_given_files_that_belong_together(write):
    pairs, functions = (
        write("train.txt", "1\t2\t1\n"),
        write("data.jsonl", line(idx="1", func="a") + line(idx="2", func="b")),
    )
    assert load(tasks["clones"], "train", "en", Where(files={"train": (pairs, functions)})).examples == [
        Classified("0", "a", "b", "1")
    ]


@pytest.mark.real
def test_reads_the_real_files_of_every_task_that_has_some(shared):
    where = Where(folder=shared)
    expected = {
        ("xnli", "sw"): 5010,
        ("xquad", "th"): 1190,
        ("xcopa", "qu"): None,
        ("xcopa", "ta"): 500,
        ("cosqa", "en"): 604,
        ("ud-deprel", "en"): 2077,
    }
    for (name, language), rows in expected.items():
        if rows is None:
            with pytest.raises(TaskDataError, match="this folder has it in: et, id, sw, ta, th, tr, zh"):
                load(tasks[name], "test", language, where)
        else:
            assert len(load(tasks[name], "test", language, where).examples) == rows
