"""Every data set of the hub, in its own columns: our rows, written as parquet in the hub's folder layout, read with the
network off."""

from dataclasses import dataclass, field

import pytest
from datasets import ClassLabel as Classes
from datasets import Dataset, Features, Sequence, Value

from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.pools import Pools
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.tasks.base import all_tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load
from adapter_stilts.tasks.user import find_task

TEXT, NUMBER, TRUTH = Value("string"), Value("int64"), Value("bool")
NLI = Classes(names=["entailment", "neutral", "contradiction"])
UPOS = Classes(
    names=[
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "INTJ",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
        "SYM",
        "VERB",
        "X",
    ]
)
UD_UPOS = Classes(
    names=[
        "NOUN",
        "PUNCT",
        "ADP",
        "NUM",
        "SYM",
        "SCONJ",
        "ADJ",
        "PART",
        "DET",
        "CCONJ",
        "PROPN",
        "PRON",
        "X",
        "_",
        "ADV",
        "INTJ",
        "VERB",
        "AUX",
    ]
)
NER = Classes(names=["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"])
ANSWERS = {"text": Sequence(TEXT), "answer_start": Sequence(Value("int32"))}
SQUAD = {"id": TEXT, "title": TEXT, "context": TEXT, "question": TEXT, "answers": ANSWERS}
QUESTION = {
    "id": "q1",
    "title": "t",
    "context": "Ada sang.",
    "question": "Who?",
    "answers": {"text": ["Ada"], "answer_start": [0]},
}
ANSWERED = SpanQuestion("q1", "Who?", "Ada sang.", (Answer("Ada", 0),))
COSMOS = {
    "id": TEXT,
    "context": TEXT,
    "question": TEXT,
    "answer0": TEXT,
    "answer1": TEXT,
    "answer2": TEXT,
    "answer3": TEXT,
    "label": Value("int32"),
}
STORY = {
    "id": "c1",
    "context": "It rained.",
    "question": "Why?",
    "answer0": "a",
    "answer1": "b",
    "answer2": "c",
    "answer3": "d",
    "label": 2,
}
PAWS = {"id": Value("int32"), "sentence1": TEXT, "sentence2": TEXT, "label": Classes(names=["0", "1"])}
TATOEBA = {"source_sentence": TEXT, "target_sentence": TEXT, "source_lang": TEXT, "target_lang": TEXT}
XCOPA = {
    "premise": TEXT,
    "choice1": TEXT,
    "choice2": TEXT,
    "question": TEXT,
    "label": Value("int32"),
    "idx": Value("int32"),
    "changed": TRUTH,
}
UD = {
    "idx": TEXT,
    "text": TEXT,
    "tokens": Sequence(TEXT),
    "lemmas": Sequence(TEXT),
    "upos": Sequence(UD_UPOS),
    "xpos": Sequence(TEXT),
    "head": Sequence(TEXT),
}
CODE = {
    **dict.fromkeys(
        ("repo", "path", "func_name", "original_string", "language", "code", "docstring", "sha", "url", "identifier"),
        TEXT,
    ),
    "id": Value("int32"),
    "code_tokens": Sequence(TEXT),
    "docstring_tokens": Sequence(TEXT),
}


def ud(id, tags):
    words = [f"{id}{number}" for number in range(len(tags))]
    return {
        "idx": id,
        "text": " ".join(words),
        "tokens": words,
        "lemmas": words,
        "upos": tags,
        "xpos": words,
        "head": words,
    }


def code(number, comment, program):
    texts = {name: "t" for name in CODE if CODE[name] == TEXT}
    return {
        **texts,
        "language": "python",
        "id": number,
        "docstring_tokens": comment.split(),
        "code_tokens": program.split(),
    }


@dataclass
class Case:
    """A data set: its columns, rows by configuration and split, and what one load must give."""

    id: str
    task: str
    split: str
    language: str
    columns: dict
    content: dict
    expected: list = field(default_factory=list)
    dropped: dict = field(default_factory=dict)


def pair(premise, hypothesis, label, **more):
    return {"premise": premise, "hypothesis": hypothesis, "label": label, **more}


CASES = [
    Case(
        *(
            "facebook/anli",
            "anli",
            "train",
            "en",
            {"uid": TEXT, "premise": TEXT, "hypothesis": TEXT, "label": NLI, "reason": TEXT},
        ),
        {"plain_text": {f"train_r{r}": [pair(f"p{r}", "h", r - 1, uid="u", reason="")] for r in (1, 2, 3)}},
        [
            Classified("plain_text/train_r1:u", "p1", "h", "entailment"),
            Classified("plain_text/train_r2:u", "p2", "h", "neutral"),
            Classified("plain_text/train_r3:u", "p3", "h", "contradiction"),
        ],
    ),
    Case(
        *("stanfordnlp/snli", "snli", "train", "en", {"premise": TEXT, "hypothesis": TEXT, "label": NLI}),
        {"plain_text": {"train": [pair("p", "h", 2), pair("p", "x", -1), pair("p", "y", -1), pair("q", "h", 0)]}},
        [Classified("0", "p", "h", "contradiction"), Classified("3", "q", "h", "entailment")],
        {"label '-'": 2},
    ),
    Case(
        *(
            "nyu-mll/glue",
            "mnli",
            "test",
            "en",
            {"premise": TEXT, "hypothesis": TEXT, "label": NLI, "idx": Value("int32")},
        ),
        {
            "mnli": {
                "validation_matched": [pair("m", "h", 0, idx=0)],
                "validation_mismatched": [pair("mm", "h", 1, idx=5)],
            }
        },
        [Classified("5", "mm", "h", "neutral")],
    ),
    Case(
        *("nyu-mll/glue", "qqp", "validation", "en"),
        {
            "question1": TEXT,
            "question2": TEXT,
            "label": Classes(names=["not_duplicate", "duplicate"]),
            "idx": Value("int32"),
        },
        {"qqp": {"validation": [{"question1": "a?", "question2": "b?", "label": 1, "idx": 9}]}},
        [Classified("9", "a?", "b?", "1")],
    ),
    Case("rajpurkar/squad", "squad", "test", "en", SQUAD, {"plain_text": {"validation": [QUESTION]}}, [ANSWERED]),
    Case("google/xtreme", "squad", "train", "en", SQUAD, {"SQuAD": {"train": [QUESTION]}}, [ANSWERED]),
    Case(
        *("rajpurkar/squad_v2", "squad_v2", "train", "en", SQUAD),
        {"squad_v2": {"train": [QUESTION, {**QUESTION, "id": "q2", "answers": {"text": [], "answer_start": []}}]}},
        [ANSWERED, SpanQuestion("q2", "Who?", "Ada sang.", ())],
    ),
    Case(
        *("Rowan/hellaswag", "hellaswag", "validation", "en"),
        {
            "ind": Value("int32"),
            "activity_label": TEXT,
            "ctx_a": TEXT,
            "ctx_b": TEXT,
            "ctx": TEXT,
            "endings": Sequence(TEXT),
            "source_id": TEXT,
            "split": TEXT,
            "split_type": TEXT,
            "label": TEXT,
        },
        {
            "default": {
                "validation": [
                    {
                        "ind": 24,
                        "activity_label": "Cooking",
                        "ctx_a": "A man cuts.",
                        "ctx_b": "he",
                        "ctx": "A man cuts. he",
                        "endings": list("wxyz"),
                    }
                    | {"source_id": "s", "split": "val", "split_type": "indomain", "label": "3"}
                ]
            }
        },
        [MultipleChoice("24", "A man cuts.", ("he w", "he x", "he y", "he z"), 3)],
    ),
    Case(
        "allenai/cosmos_qa",
        "cosmosqa",
        "train",
        "en",
        COSMOS,
        {"default": {"train": [STORY]}},
        [MultipleChoice("c1", "It rained. Why?", tuple("abcd"), 2)],
    ),
    Case(
        "Samsoup/cosmos_qa",
        "cosmosqa",
        "train",
        "en",
        COSMOS,
        {"default": {"train": [STORY]}},
        [MultipleChoice("c1", "It rained. Why?", tuple("abcd"), 2)],
    ),
    Case(
        *("tau/commonsense_qa", "csqa", "validation", "en"),
        {
            "id": TEXT,
            "question": TEXT,
            "question_concept": TEXT,
            "choices": {"label": Sequence(TEXT), "text": Sequence(TEXT)},
            "answerKey": TEXT,
        },
        {
            "default": {
                "validation": [
                    {
                        "id": "i",
                        "question": "Q?",
                        "question_concept": "c",
                        "choices": {"label": list("ABCDE"), "text": list("vwxyz")},
                        "answerKey": "D",
                    }
                ]
            }
        },
        [MultipleChoice("i", "Q?", tuple("vwxyz"), 3)],
    ),
    Case(
        *("allenai/social_i_qa", "siqa", "train", "en"),
        {"context": TEXT, "question": TEXT, "answerA": TEXT, "answerB": TEXT, "answerC": TEXT, "label": TEXT},
        {
            "default": {
                "train": [
                    {"context": "C.", "question": "Q?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "3"}
                ]
            }
        },
        [MultipleChoice("0", "C. Q?", ("a", "b", "c"), 2)],
    ),
    Case(
        *("aps/super_glue", "copa", "train", "en"),
        {
            "premise": TEXT,
            "choice1": TEXT,
            "choice2": TEXT,
            "question": TEXT,
            "idx": Value("int32"),
            "label": Classes(names=["choice1", "choice2"]),
        },
        {
            "copa": {
                "train": [
                    {"premise": "P.", "choice1": "A.", "choice2": "B.", "question": "effect", "idx": 4, "label": 1}
                ]
            }
        },
        [MultipleChoice("4", "P. What was the effect?", ("A.", "B."), 1)],
    ),
    Case(
        *(
            "google/xtreme",
            "xnli",
            "test",
            "sw",
            {"language": TEXT, "sentence1": TEXT, "sentence2": TEXT, "gold_label": TEXT},
        ),
        {
            "XNLI": {
                "test": [
                    {"language": code, "sentence1": code, "sentence2": "b", "gold_label": "neutral"}
                    for code in ("de", "sw")
                ]
            }
        },
        [Classified("0", "sw", "b", "neutral")],
    ),
    Case(
        *("facebook/xnli", "xnli", "validation", "de", {"premise": TEXT, "hypothesis": TEXT, "label": NLI}),
        {"de": {"validation": [pair("p", "h", 2)]}},
        [Classified("0", "p", "h", "contradiction")],
    ),
    Case(
        *("facebook/xnli", "mnli-mt", "train", "sw", {"premise": TEXT, "hypothesis": TEXT, "label": NLI}),
        {"sw": {"train": [pair("p", "h", 0)]}},
        [Classified("0", "p", "h", "entailment")],
    ),
    Case(
        *("google/xtreme", "pawsx", "test", "ko", {"sentence1": TEXT, "sentence2": TEXT, "label": TEXT}),
        {"PAWS-X.ko": {"test": [{"sentence1": "a", "sentence2": "b", "label": "0"}]}},
        [Classified("0", "a", "b", "0")],
    ),
    Case(
        *("google-research-datasets/paws-x", "pawsx", "train", "en", PAWS),
        {"en": {"train": [{"id": 7, "sentence1": "a", "sentence2": "b", "label": 1}]}},
        [Classified("7", "a", "b", "1")],
    ),
    Case(
        *("google/xtreme", "udpos", "test", "af", {"tokens": Sequence(TEXT), "pos_tags": Sequence(UPOS)}),
        {"udpos.Afrikans": {"test": [{"tokens": ["rooi", "huis"], "pos_tags": [0, 7]}]}},
        [Tagged("0", ("rooi", "huis"), ("ADJ", "NOUN"))],
    ),
    Case(
        *("universal-dependencies/universal_dependencies", "udpos", "train", "lt", UD),
        {"lt_alksnis": {"train": [ud("a", [0, 13, 1])]}, "lt_hse": {"train": [ud("a", [16])]}},
        [Tagged("lt_alksnis/train:a", ("a0", "a2"), ("NOUN", "PUNCT")), Tagged("lt_hse/train:a", ("a0",), ("VERB",))],
    ),
    Case(
        *(
            "google/xtreme",
            "panx",
            "test",
            "sw",
            {"tokens": Sequence(TEXT), "ner_tags": Sequence(NER), "langs": Sequence(TEXT)},
        ),
        {"PAN-X.sw": {"test": [{"tokens": ["Ada", "Lagos", "."], "ner_tags": [1, 5, 0], "langs": ["sw"] * 3}]}},
        [Tagged("0", ("Ada", "Lagos", "."), ("B-PER", "B-LOC", "O"))],
    ),
    Case(
        *("unimelb-nlp/wikiann", "panx", "test", "gu"),
        {"tokens": Sequence(TEXT), "ner_tags": Sequence(NER), "langs": Sequence(TEXT), "spans": Sequence(TEXT)},
        {"gu": {"test": [{"tokens": ["Ada", "x"], "ner_tags": [3, 4], "langs": ["gu"] * 2, "spans": ["ORG: Ada x"]}]}},
        [Tagged("0", ("Ada", "x"), ("B-ORG", "I-ORG"))],
    ),
    Case("google/xquad", "xquad", "test", "ro", SQUAD, {"xquad.ro": {"validation": [QUESTION]}}, [ANSWERED]),
    Case("google/xtreme", "xquad", "test", "de", SQUAD, {"XQuAD.de": {"validation": [QUESTION]}}, [ANSWERED]),
    Case(
        "google/xtreme", "mlqa", "test", "de", SQUAD, {"MLQA.de.de": {"validation": [], "test": [QUESTION]}}, [ANSWERED]
    ),
    Case(
        "google/xtreme",
        "mlqa",
        "validation",
        "de",
        SQUAD,
        {"MLQA.de.de": {"validation": [QUESTION], "test": []}},
        [ANSWERED],
    ),
    Case("facebook/mlqa", "mlqa", "validation", "vi", SQUAD, {"mlqa.vi.vi": {"validation": [QUESTION]}}, [ANSWERED]),
    Case("facebook/mlqa", "mlqa", "test", "hi", SQUAD, {"mlqa.hi.hi": {"test": [QUESTION]}}, [ANSWERED]),
    Case(
        *("google/xtreme", "tydiqa", "test", "sw", SQUAD),
        {"tydiqa": {"validation": [{**QUESTION, "id": f"{name}-1-0"} for name in ("english", "swahili", "telugu")]}},
        [SpanQuestion("swahili-1-0", "Who?", "Ada sang.", (Answer("Ada", 0),))],
        {"of another language": 2},
    ),
    Case(
        *("google-research-datasets/tydiqa", "tydiqa", "test", "en", SQUAD),
        {"secondary_task": {"validation": [{**QUESTION, "id": f"{name}-1-0"} for name in ("english", "swahili")]}},
        [SpanQuestion("english-1-0", "Who?", "Ada sang.", (Answer("Ada", 0),))],
        {"of another language": 1},
    ),
    Case(
        *("google/xtreme", "tatoeba", "test", "fa", TATOEBA),
        {
            "tatoeba.pes": {
                "validation": [
                    {"source_sentence": "x\n", "target_sentence": "one\n", "source_lang": "pes", "target_lang": "eng"}
                ]
            }
        },
        [Bitext("0", "x", "one")],
    ),
    Case(
        *("google/xtreme", "bucc2018-goldpool", "test", "de", TATOEBA),
        {
            "bucc18.de": {
                "test": [
                    {"source_sentence": s, "target_sentence": t, "source_lang": i, "target_lang": j}
                    for s, t, i, j in (("eins", "one", "de-1", "en-7"), ("zwei", "two", "de-2", "en-3"))
                ]
            }
        },
        [
            Pools(
                *("google/xtreme bucc18.de", ("de-1", "de-2"), ("eins", "zwei"), ("en-7", "en-3"), ("one", "two")),
                frozenset({("de-1", "en-7"), ("de-2", "en-3")}),
            )
        ],
    ),
    Case(
        *("cambridgeltl/xcopa", "xcopa", "validation", "et", XCOPA),
        {
            "et": {
                "validation": [
                    {
                        "premise": "P.",
                        "choice1": "A.",
                        "choice2": "B.",
                        "question": "cause",
                        "label": 1,
                        "idx": 3,
                        "changed": False,
                    }
                ]
            }
        },
        [MultipleChoice("3", "P. What was the cause?", ("A.", "B."), 1)],
    ),
    Case(
        *("google/code_x_glue_cc_clone_detection_big_clone_bench", "clones", "test", "en"),
        {
            "id": Value("int32"),
            "id1": Value("int32"),
            "id2": Value("int32"),
            "func1": TEXT,
            "func2": TEXT,
            "label": TRUTH,
        },
        {
            "default": {
                "test": [
                    {"id": n, "id1": 1, "id2": 2, "func1": "int a;", "func2": "int b;", "label": n == 1} for n in (0, 1)
                ]
            }
        },
        [Classified("0", "int a;", "int b;", "0"), Classified("1", "int a;", "int b;", "1")],
    ),
    Case(
        *("google/code_x_glue_cc_defect_detection", "defects", "validation", "en"),
        {"id": Value("int32"), "func": TEXT, "target": TRUTH, "project": TEXT, "commit_id": TEXT},
        {
            "default": {
                "validation": [{"id": 2, "func": "free(p);", "target": True, "project": "qemu", "commit_id": "c"}]
            }
        },
        [Classified("2", "free(p);", None, "1")],
    ),
    Case(
        *("google/code_x_glue_tc_nl_code_search_adv", "codesearch", "train", "en", CODE),
        {"default": {"train": [code(0, "Adds two .", "def f ( a , b )"), code(1, "Opens it .", "def g ( )")]}},
        [
            Classified("0-right", "Adds two .", "def f ( a , b )", "1"),
            Classified("0-wrong", "Adds two .", "def g ( )", "0"),
            Classified("1-right", "Opens it .", "def g ( )", "1"),
            Classified("1-wrong", "Opens it .", "def f ( a , b )", "0"),
        ],
    ),
    Case(
        *("eriktks/conll2000", "chunking", "test", "en"),
        {
            "id": TEXT,
            "tokens": Sequence(TEXT),
            "pos_tags": Sequence(Classes(names=["NN", "VB"])),
            "chunk_tags": Sequence(Classes(names=["O", "B-NP", "I-NP"])),
        },
        {"conll2000": {"test": [{"id": "0", "tokens": ["a", "dog"], "pos_tags": [1, 0], "chunk_tags": [1, 2]}]}},
        [Tagged("0", ("a", "dog"), ("B-NP", "I-NP"))],
    ),
]


pytestmark = pytest.mark.usefixtures("no_network")


def write_data_set(folder, case):
    """<owner>/<name>/README.md with its configurations, and a parquet file for each split, as the hub keeps them."""
    root = folder / case.id
    lines = ["---", "configs:"]
    for config, splits in case.content.items():
        (root / config).mkdir(parents=True)
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, rows in splits.items():
            table = Dataset.from_dict(
                {name: [row[name] for row in rows] for name in case.columns}, features=Features(case.columns)
            )
            table.to_parquet(root / config / f"{split}-00000-of-00001.parquet")
            lines += [f"  - split: {split}", f"    path: {config}/{split}-*.parquet"]
    (root / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id} {next(iter(case.content))} {case.task}")
def test_reads_the_columns_of(tmp_path, case):
    write_data_set(tmp_path, case)
    task = find_task(case.task, {"hub": case.id})
    loaded = load(task, case.split, case.language, Where("hub", folder=tmp_path, cache=tmp_path / "cache"))
    assert loaded.examples == case.expected
    assert loaded.origin.dropped == case.dropped
    assert (loaded.origin.hub, loaded.origin.config.split("+")) == (case.id, list(case.content))


def test_covers_every_data_set_of_every_task():
    assert {(hub.id, task.name) for task in all_tasks() for hub in task.source.hubs if not task.format.ranking} == {
        (case.id, case.task) for case in CASES
    }
