"""A thousand random bad tables: each is read right, or refused with one of the defined exits and no traceback.

A good file of a format is spoiled in up to three ways (cells of other kinds, columns lost, doubled or renamed, rows
and headers repeated, bytes cut off or put in) and goes the way to training: read, its labels found, tokenised; and to
`score`, as gold and as predictions. The seeds are fixed, so that a failure names the table it came from.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random

import pytest

from adapter_stilts.data.sentences import sentence_source, sentences
from adapter_stilts.data.text_store import TextStore
from adapter_stilts.errors import StiltsError
from adapter_stilts.evaluation.given import score_file
from adapter_stilts.formats.base import Cut
from adapter_stilts.metrics.base import Options, metrics
from adapter_stilts.metrics.forms import forms
from adapter_stilts.mining.known_pairs import gold_lines
from adapter_stilts.tasks.base import NLI_LABELS, labels_of, tasks
from adapter_stilts.tasks.reading.place import Where
from adapter_stilts.tasks.sources import load

TABLES, PORTIONS = 1000, 20
EXITS = {2, 3}  # usage; data missing or wrong

ROWS = 8
WORDS = ["Ada", "sings", "in", "Ulm", "and", "Bert", "reads", "a", "long", "book", "there"]
GOOD = {
    "single": lambda n: {"text": f"{WORDS[n]} {n}", "label": ("pos", "neg")[n % 2]},
    "nli": lambda n: {"premise": f"a {n}", "hypothesis": "b", "label": NLI_LABELS[n % 3]},
    "paraphrase": lambda n: {"id": n, "sentence1": f"a {n}", "sentence2": "b", "label": n % 2},
    "choice": lambda n: {"question": f"q {n}", "choices": ["a", "b", "c"], "label": n % 3},
    "xcopa": lambda n: {"premise": f"p {n}", "choice1": "a", "choice2": "b", "question": "cause", "label": 0, "idx": n},
    "ner": lambda n: {"tokens": WORDS, "tags": ["B-PER", *["O"] * (len(WORDS) - 1)]},
    "pos": lambda n: {"words": WORDS[:3], "upos": ["PROPN", "VERB", "ADP"]},
    "qa": lambda n: {
        "id": f"q{n}", "question": "Who?", "context": "Ada sings", "answers": {"text": ["Ada"], "answer_start": [0]},
    },
    "qa2": lambda n: {
        "id": f"q{n}", "question": "Who?", "context": "Ada sings", "answers": [{"text": "Ada", "answer_start": 0}],
        "is_impossible": False,
    },
    "ranking": lambda n: {"query": f"where is {n}", "positive": f"it is {n}", "id": n},
    "mlm": lambda n: {"text": f"{WORDS[n]} and {n}"},
    "bitext": lambda n: {"source": f"Satz {n}", "target": f"sentence {n}"},
}  # fmt: skip
CELLS = [
    *[None, float("nan"), float("inf"), float("-inf"), True, False, 0, -1, 1.0, 0.5, 10**30, 1e308],
    *[[], ["joy"], ["joy", "anger"], [None], [[1]], {}, {"a": 1}, {"text": None}, {"text": ["Ada"], "answer_start": 0}],
    *["", " ", "nan", "NaN", "None", "null", "-", "_", "true", "False", "1.0", "[1, 2]", "['a']", "{'a': 1}", "a\nb"],
    *["a\tb", "a\rb", '"', '""', '"a', 'a"b', "\ud800", "\u2028", "\x00", "\x85", "\ufeff", "\u3000", "x" * 3000],
    *["🙂", "#", "B-", "I-PER", "label", "0", "A", "Z", "-100", "1e5", "a,b", "a;b", "\\", "/", "..", "=1+1"],
]
BYTES = [b"\x00", b"\xff", b"\xc3", b"\r", b"\n", b"\r\n", b"\t", b'"', b",", b"{", b"]", b"\xef\xbb\xbf", b"[" * 3000]
OTHER_NAMES = ["x", "Label", "labels", "option_k", "choice12", "lang", "id"]


def spoiled(draw, task):
    """Rows of a table in which one or several things are wrong."""
    rows = [GOOD[task](n) for n in range(draw.randint(1, ROWS))]
    for _ in range(draw.randint(0, 3)):
        row = draw.choice(rows)
        name = draw.choice(list(row) or ["text"])
        match draw.randint(0, 8):
            case 0 | 1 | 2:
                row[name] = draw.choice(CELLS)
            case 3:
                for each in rows:
                    each[name] = draw.choice(CELLS)
            case 4:
                row.pop(name, None)
            case 5:
                for each in rows:
                    each[draw.choice(OTHER_NAMES)] = each.pop(name, None)
            case 6:
                rows.append(dict(row))
            case 7 if isinstance(row.get(name), list) and row[name]:
                items = list(row[name])
                items[draw.randrange(len(items))] = draw.choice(CELLS)
                row[name] = items
            case _:
                row["language"] = draw.choice(["de", "zh-Hant", "", 3, None])
    return rows


def written(draw, rows, task):
    """(suffix, bytes) of the rows in one of the forms that tables and releases have."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    kind = draw.choice([".jsonl", ".jsonl", ".json", ".csv", ".tsv", ".tsv", "own"])
    if kind == "own" and task in ("ner", "pos"):
        return draw.choice([".conll", ".conllu", ".iob2", ".tsv"]), _tagged(draw, rows)
    if kind == "own" and task in ("qa", "qa2"):
        paragraphs = [{"context": row.get("context"), "qas": [{**row, "answers": row.get("answers")}]} for row in rows]
        return ".json", json.dumps({"data": [{"paragraphs": paragraphs}]}).encode()
    if kind in (".jsonl", "own"):
        return ".jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == ".json":
        return kind, json.dumps(rows if draw.random() < 0.8 else dict.fromkeys(header, rows)).encode()
    mark = draw.choice(",,;") if kind == ".csv" else "\t"
    out = io.StringIO(newline="")
    if draw.random() < 0.5:
        writer = csv.writer(out, delimiter=mark, quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerows([header, *([row.get(name, "") for name in header] for row in rows)])
    else:
        lines = [header, *([str(row.get(name, "")) for name in header] for row in rows)]
        out.write("".join(mark.join(line) + "\n" for line in lines))
    lines = out.getvalue().split("\n")
    match draw.randint(0, 6):
        case 0:
            lines.insert(draw.randrange(len(lines)), lines[0])
        case 1:
            lines[0] = f"{lines[0]}{mark}{draw.choice(header or ['x'])}"
        case 2:
            lines.pop(0)
        case _:
            pass
    return kind, "\n".join(lines).encode("utf-8", "surrogatepass")


def _tagged(draw, rows):
    between = draw.choice("\t \u00a0")
    sentences = []
    for row in rows:
        columns = [row.get("tokens", row.get("words")), row.get("tags", row.get("upos"))]
        pairs = zip(*(column if isinstance(column, list) else [column] for column in columns), strict=False)
        sentences.append("".join(f"{word}{between}{tag}\n" for word, tag in pairs))
    return "\n".join(sentences).encode("utf-8", "surrogatepass")


def damaged(draw, content):
    """The bytes of a file, as they are or with something cut off, put in or taken out."""
    place = draw.randrange(len(content) + 1)
    match draw.randint(0, 9):
        case 0:
            return content[:place]
        case 1:
            return content[:place] + draw.choice(BYTES) + content[place:]
        case 2:
            return content[:place] + content[place + draw.randint(1, 5) :]
        case 3:
            return content.replace(b"\n", draw.choice([b"\r\n", b"\r", b"\n\n", b" \n", b"\xe2\x80\xa8"]))
        case 4:
            return draw.choice([b"", b"\n", content * 2, b"\xef\xbb\xbf" + content])
        case _:
            return content


def table(seed, folder):
    """The task a table is of, and where it lies."""
    draw = random.Random(seed)
    task = draw.choice(list(GOOD))
    suffix, content = written(draw, spoiled(draw, task), task)
    content = damaged(draw, content)
    if draw.random() < 0.1:
        suffix, content = f"{suffix}.gz", gzip.compress(content)[: draw.choice([None, -5])]
    path = folder / f"{seed}{suffix}"
    path.write_bytes(content)
    return tasks[task], path


def learned(task, path, tokenizer):
    """What training does with a file before its first step; returns the labels that a head would have."""
    loaded = load(task, "train", "en", Where("files", files={"train": (path,)}))
    labels = labels_of(task, loaded.examples)
    if not task.retrieval:
        cut = Cut(labels=labels, max_length=32, query_length=12, training=True)
        task.format.features(loaded.examples, tokenizer, cut)
    return labels


def outcome(act, *given):
    """(what it gives, None), or (None, the error that a person sees)."""
    try:
        return act(*given), None
    except StiltsError as error:
        return None, error


def check(error, seed):
    assert error.exit_code in EXITS, (seed, error)
    assert error.what, seed
    assert error.do, (seed, error)


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_reads_or_refuses_every_table(portion, tokenizer, tmp_path):
    read = 0
    for seed in range(portion, TABLES, PORTIONS):
        task, path = table(seed, tmp_path)
        labels, error = outcome(learned, task, path, tokenizer)
        if error:
            check(error, seed)
            continue
        read += 1
        if labels:
            assert not {"", "nan", "<na>"} & {label.casefold() for label in labels}, seed
            form, kept = forms[task.format.form], [labels] if task.format.form == "tags" else list(labels)
            form.write(tmp_path / "predictions", kept)
            assert form.read(tmp_path / "predictions") == kept, seed
    assert 0 < read < TABLES / PORTIONS  # neither is all refused nor all taken


def sentences_of(path):
    source = sentence_source(path)
    return source, list(sentences(source))


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_encodes_and_pairs_or_refuses_every_table(portion, tmp_path):
    for seed in range(portion, TABLES, PORTIONS):
        _, path = table(seed, tmp_path)
        given, error = outcome(sentences_of, path)
        if error:
            check(error, seed)
        else:
            source, rows = given
            lines = [row.line for row in rows]
            assert lines == sorted(set(lines)), seed
            with TextStore(tmp_path, "texts", source) as store:
                assert [store[row] for row in range(store.rows)] == [row.text for row in rows], seed
                assert [store.row(line) for line in lines] == list(range(store.rows)), seed
        _, error = outcome(gold_lines, path)
        if error:
            check(error, seed)


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_scores_or_refuses_every_table(portion, tmp_path):
    for seed in range(portion, TABLES, PORTIONS):
        task, gold = table(seed, tmp_path)
        _, predictions = table(seed + TABLES, tmp_path)
        metric = task.metric if metrics[task.metric].form else "accuracy"
        for right, guessed in ((gold, gold), (gold, predictions), (predictions, gold)):
            given, error = outcome(score_file, metric, right, guessed, Options(intervals=False), task)
            if error:
                check(error, seed)
            else:
                assert 0 <= given.score.value <= 1, seed
                assert given.report, seed
