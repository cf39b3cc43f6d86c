"""Pairs as they are written and read: with a header, line numbers and cosines; from tables of any kind; row by row."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from adapter_stilts.errors import TaskDataError, UsageError

QUOTED = ['s "0"; quoted', "s 1, with a\ttab", "s 2\nof two lines"]


@pytest.fixture
def quoted(put, planted, tmp_path):
    """Three pairs whose source is a CSV with semicolons, with a cell of two lines."""
    fields = put(planted(pairs=3, more=0), (["-"] * 3, ["t 0", "t 1", "t 2"]))
    fields["source"] = tmp_path / "source.csv"
    with fields["source"].open("w", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows([("id", "text"), *enumerate(QUOTED[::-1])])
    vectors = np.load(fields["source_vectors"])
    np.save(fields["source_vectors"], vectors[::-1])
    return fields


def cosines(fields):
    source, target = (np.load(fields[f"{side}_vectors"]) for side in ("source", "target"))
    return source @ target.T


def test_writes_columns_as_csv_with_every_cell_whole(start, quoted, tmp_path):
    start(**quoted, out="pairs.csv")
    with (tmp_path / "pairs.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["score", "cosine", "source_line", "target_line", "source", "target"]
    lines = {QUOTED[2]: 2, QUOTED[1]: 4, QUOTED[0]: 5}  # the first row stands on two lines
    assert {row[4]: int(row[2]) for row in rows} == lines
    expected = {(text, f"t {number}", str(number + 1)) for number, text in enumerate(QUOTED)}
    assert {(row[4], row[5], row[3]) for row in rows} == expected
    known = cosines(quoted)
    for score, cosine, source_line, target_line, *_ in rows:
        row = [2, 4, 5].index(int(source_line))
        assert float(cosine) == pytest.approx(known[row, int(target_line) - 1], abs=1e-5)
        assert float(score) > 0
    assert [float(row[0]) for row in rows] == sorted((float(row[0]) for row in rows), reverse=True)


def test_writes_the_same_columns_in_every_form(start, quoted, tmp_path):
    start(**quoted, out="pairs.csv")
    start(**quoted, out="pairs.tsv", columns=True)
    start(**quoted, out="pairs.jsonl", columns=True)
    start(**quoted, out="plain.tsv")
    with (tmp_path / "pairs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    tabs = [line.split("\t") for line in (tmp_path / "pairs.tsv").read_text().split("\n")[:-1]]
    assert tabs[0] == list(rows[0])
    assert tabs[1:] == [[cell.replace("\n", " ").replace("\t", " ") for cell in row.values()] for row in rows]
    objects = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().split("\n")[:-1]]
    assert [{name: str(row[name]) for name in ("source", "source_line", "target_line")} for row in objects] == [
        {name: row[name] for name in ("source", "source_line", "target_line")} for row in rows
    ]
    assert [f"{row['cosine']:.6f}" for row in objects] == [row["cosine"] for row in rows]
    plain = [line.split("\t") for line in (tmp_path / "plain.tsv").read_text().split("\n")[:-1]]
    assert plain == [[cells[0], *cells[-2:]] for cells in tabs[1:]]


def test_writes_a_header_where_there_is_no_pair_and_ids_where_files_have_them(put, start, planted, tmp_path):
    texts = [[f"{code}-{number:09d}\tSatz {number}" for number in range(20)] for code in ("de", "en")]
    start(**put(planted(), texts), out="none.csv", threshold=9.0)
    names = "score,cosine,source_line,target_line,source_id,target_id,source,target\n"
    assert (tmp_path / "none.csv").read_text() == names
    start(**put(planted()), out="lines.tsv", columns=True)
    header, first, *_ = (tmp_path / "lines.tsv").read_text().split("\n")
    assert header.split("\t") == ["score", "cosine", "source_line", "target_line"]
    assert len(first.split("\t")) == 4


def test_does_not_take_columns_for_the_plain_file(put, start, planted):
    start(**put(planted()))
    with pytest.raises(UsageError, match="is not the outcome of this very mining"):
        start(**put(planted()), columns=True)


PAIRS = [("Anna buys apples.", "Anna kauft Äpfel."), ("The cat sleeps.", "Die Katze schläft."), ("No.", "Nein, nie.")]
TABLES = {
    "plain.tsv": "".join(f"{one}\t{other}\n" for one, other in PAIRS),
    "scored.txt": "".join(f"1.5\t{one}\t{other}\n" for one, other in PAIRS),
    "named.tsv": "id\tsource\ttarget\n" + "".join(f"x\t{one}\t{other}\n" for one, other in PAIRS),
    "codes.csv": "en;de\n" + "".join(f"{one};{other}\n" for one, other in PAIRS),
    "excel.csv": "sep=;\nde;id;en\n" + "".join(f'"{other}";1;{one}\n' for one, other in PAIRS),
    "rows.jsonl": "".join(json.dumps({"src": one, "tgt": other}) + "\n" for one, other in PAIRS),
    "rows.json": json.dumps([{"source": one, "target": other} for one, other in PAIRS]),
}


@pytest.mark.parametrize("name", TABLES)
def test_scores_a_table_of_pairs_by_itself(start, tmp_path, tiny_folder, name):
    (tmp_path / name).write_text(TABLES[name], encoding="utf-8")
    encoder = {"trunk": str(tiny_folder), "precision": "fp32"}
    start(score_only=tmp_path / name, out="scored.csv", **encoder)
    with (tmp_path / "scored.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    pairs = {(row["source"], row["target"]) for row in rows}
    assert pairs in ({*PAIRS}, {(other, one) for one, other in PAIRS})  # the foreign side comes first
    for side in ("source", "target"):
        place = 0 if (PAIRS[0][0] in {row[side] for row in rows}) else 1
        (tmp_path / f"{side}.txt").write_text("".join(f"{pair[place]}\n" for pair in PAIRS), encoding="utf-8")
    sides = {side: tmp_path / f"{side}.txt" for side in ("source", "target")}
    start(**sides, aligned=True, out="aligned.csv", **encoder)
    with (tmp_path / "aligned.csv").open(newline="", encoding="utf-8") as stream:
        again = list(csv.DictReader(stream))
    keys = ("score", "cosine", "source", "target")
    assert [[row[key] for key in keys] for row in again] == [[row[key] for key in keys] for row in rows]


def test_scores_named_columns_and_leaves_out_rows_that_are_blank_on_a_side(start, tmp_path, tiny_folder):
    path = tmp_path / "pairs.csv"
    path.write_text("fr;it\nUn;Uno\n;Due\nTrois;Tre\nQuatre;\n", encoding="utf-8")
    encoder = {"trunk": str(tiny_folder), "precision": "fp32"}
    document = start(score_only=path, column="it", target_column="fr", out="scored.tsv", **encoder)
    assert document["pairs"] == 2
    assert document["left_out"] == {"of a row that is blank on one side or both": 2}
    rows = [line.split("\t")[1:] for line in (tmp_path / "scored.tsv").read_text().split("\n")[:-1]]
    assert sorted(rows) == [["Tre", "Trois"], ["Uno", "Un"]]
    with pytest.raises(UsageError, match=r"one column of pairs(.|\n)*--target-column"):
        start(score_only=path, column="it", out="other.tsv", **encoder)


def test_reads_pairs_as_it_is_told(start, tmp_path, tiny_folder):
    (tmp_path / "a.txt").write_text(TABLES["rows.jsonl"], encoding="utf-8")
    fields = {"score_only": tmp_path / "a.txt", "trunk": str(tiny_folder), "precision": "fp32"}
    assert start(**fields, layout="jsonl", out="scored.tsv")["pairs"] == len(PAIRS)
    with pytest.raises(UsageError, match=r"a table of pairs read as 'lines'(.|\n)*--format tsv, csv, jsonl, json"):
        start(**fields, layout="lines", out="other.tsv")


def test_scores_pairs_among_the_columns_of_two_tables(start, tmp_path, tiny_folder):
    for place, name in enumerate(("a.csv", "b.csv")):
        (tmp_path / name).write_text("Satz;n\n" + "".join(f"{pair[place]};1\n" for pair in PAIRS), encoding="utf-8")
    (tmp_path / "pairs.csv").write_text("source;target\n" + ";".join(PAIRS[1]) + "\n", encoding="utf-8")
    sides = {"source": tmp_path / "a.csv", "target": tmp_path / "b.csv", "column": "Satz"}
    start(**sides, score_only=tmp_path / "pairs.csv", trunk=str(tiny_folder), precision="fp32", out="scored.csv")
    with (tmp_path / "scored.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["source"], row["target"], row["source_line"], row["target_line"]) == (*PAIRS[1], "3", "3")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "one\n", r"a line holds a source and a target sentence with a tab between: 'one'(.|\n)*line 1"),
        ("a.csv", "a,b,c,d\n1,2,3,4\n", r"a line holds(.|\n)*name the columns in the first"),
        ("a.tsv", "a\tb\nc\n", r"1 columns where 2 are expected(.|\n)*line 2"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n', r"no columns of source and target; there are: text, label"),
        ("a.tsv", "source\ttarget\n", "a header and no rows"),
        ("a.tsv", "", "the file is empty"),
        ("a.xlsx", "PK", "files of type .xlsx are not read"),
    ],
)
def test_refuses_what_is_no_table_of_pairs(start, tmp_path, tiny_folder, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskDataError, match=message):
        start(score_only=tmp_path / name, trunk=str(tiny_folder), out="scored.tsv")


def test_refuses_aligned_files_of_different_length_and_two_kinds_of_pairs(put, start, planted, numbers, tmp_path):
    fields = put(planted(), (numbers("s"), numbers("t")))
    document = start(**fields, aligned=True)
    assert document["pairs"] == 20
    np.save(fields["target_vectors"], np.load(fields["target_vectors"])[:19])
    fields["target"].write_text("".join(f"{text}\n" for text in numbers("t", 19)))
    with pytest.raises(TaskDataError, match=r"aligned files of different length: 20 and 19 rows"):
        start(**fields, aligned=True, overwrite=True)
    with pytest.raises(UsageError, match=r"--score-only PAIRS or --aligned"):
        start(**fields, aligned=True, score_only=tmp_path / "x")
    with pytest.raises(UsageError, match=r"leave --gold and --dev out"):
        start(**fields, aligned=True, gold=tmp_path / "x")


@pytest.mark.parametrize("name", ["gold.csv", "gold.jsonl", "gold.tsv"])
def test_reads_gold_from_any_table(put, start, planted, tmp_path, name):
    rows = [(number, number) for number in range(1, 13)]
    (tmp_path / name).write_text(
        {
            "gold.csv": "source;target\n" + "".join(f"{one};{other}\n" for one, other in rows),
            "gold.tsv": "de\ten\n" + "".join(f"{one}\t{other}\n" for one, other in rows),
            "gold.jsonl": "".join(json.dumps({"source": str(one), "target": str(other)}) + "\n" for one, other in rows),
        }[name]
    )
    assert start(**put(planted()), gold=tmp_path / name)["results"][0]["score"] == 1.0


@pytest.mark.parametrize("name", ["pairs.tsv.gz", "pairs.json", "pairs.xlsx"])
def test_refuses_a_name_that_promises_what_is_not_written(start, quoted, tmp_path, name):
    with pytest.raises(UsageError, match=r"plain .tsv, .csv or .jsonl(.|\n)*-o pairs.tsv"):
        start(**quoted, out=name)
    assert not (tmp_path / name).exists()
