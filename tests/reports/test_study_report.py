"""The report on a study: its opening answer, the grid, languages, and nothing that the table does not say."""

from __future__ import annotations

import csv
import html
import json
import re

import pytest

from adapter_stilts.errors import ArtefactError, MissingError, UsageError
from adapter_stilts.reports.verb import report

HOSTILE = "</td></style><script>alert(1)</script>\" onload='x' {{ 7*7 }} & \u202eevil"


def answer(text: str) -> str:
    return html.unescape(re.search(r'<p class="answer">(.*?)</p>', text, re.DOTALL)[1])


def test_opens_with_n_seeds_intervals_and_the_smallest_effect(written):
    said = answer(written())
    assert "6 transfers of 5 sources to 2 targets" in said
    assert "5 seeds, 3 languages and n 3,000 rows each" in said
    assert "1 transfer helped: nli, sequential, on xnli +9.1 points (95 % over 5 seeds +8.1 to +10.1, p 0.004" in said
    assert "2 transfers hurt: qa, sequential, on xnli -4.2 points" in said
    assert "1 transfer shows no clear difference (+0.4 points, 95 % interval -0.6 to +1.4)" in said
    assert "seen eight times in ten is 1.5 points" in said
    assert "1 transfer equals direct training within a margin of 1." in said
    assert "other trunks than xlm-r" in said
    assert "in other languages 3 of the 3 verdicts may be different" in said


def test_reports_no_transfer_of_what_did_not_learn(written):
    text = written()
    assert "1 transfer is not interpreted, because “choice” did not learn" in answer(text)
    assert "7.8" not in answer(text)
    cell = re.search(r"choice</th>.*?</tr>", text, re.DOTALL)[0]
    assert "✕ not interpreted" in cell
    assert "+7.8" not in cell
    assert "choice sequential" not in text  # no column of bars


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (1, "one seed tells these models apart and says nothing of another seed"),
        (3, "3 seeds describe and decide nothing, 5 would give verdicts; the smallest effect"),
    ],
)
def test_only_describes_few_seeds(written, made_up, seeds, said):
    entries = [
        {**entry, "compared": [*range(seeds)] if entry["gain"] else [], "seeds": [*range(seeds)], "verdict": ""}
        for entry in made_up()["entries"]
    ]
    text = answer(written(entries=entries))
    assert said in text
    assert not re.search(r"\b(helped|hurt|equal)\b", text)


def test_says_what_a_study_lacks(written):
    stage = {"stage": "qa-s1", "key": "bb", "work": "train", "tasks": ["qa"], "how": "direct", "seed": 1}
    stages = [{**stage, "state": "failed", "error": "out of memory"}]
    text = written(stages=stages, entries=[])
    assert "This study is not complete: 0 of 1 stages are done (1 failed)." in answer(text)
    assert "It has no table yet" in answer(text)
    assert "out of memory" in text
    assert "What transfers" not in text


def test_is_one_file_that_asks_for_nothing(written, page):
    text = written()
    parsed = page(text)
    assert parsed.open == []
    assert not parsed.all("script")
    assert not parsed.all("img")
    assert not parsed.all("link")
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import|https?://", text)
    policy = next(meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "style=" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert "/home/me" not in text
    assert "[data, train=rows.tsv]" in text


def test_reads_in_the_dark_on_paper_and_aloud(written, page):
    text = written()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "@media print" in style
    assert "prefers-color-scheme: dark" in style
    parsed = page(text)
    assert len(parsed.all("table")) == len(parsed.all("caption")) > 3
    assert all("scope" in cell for cell in parsed.all("th"))
    for chart in parsed.all("svg"):
        assert chart.get("aria-hidden") == "true" or chart.get("role") == "img"
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {name for _, attributes in parsed.elements for name in (attributes.get("aria-labelledby") or "").split()}
    assert named <= set(ids)
    assert {"▲ +9.1", "▼ -4.2", "○ +0.4", "≈ +0.1"} <= {text.strip() for text in parsed.texts["span"]}


def test_shows_what_a_hostile_name_says_and_does_not_obey_it(written, made_up, page):
    entries = [
        {**entry, "target": HOSTILE, "intermediate": entry["intermediate"] and HOSTILE}
        for entry in made_up()["entries"]
    ]
    entries[-1] |= {
        "gain_by_language": {HOSTILE: 0.1},
        "by_language": {HOSTILE: 0.2},
        "leaks": [HOSTILE],
        "how": HOSTILE,
    }
    entries[-2] |= {"unlearned": [HOSTILE]}
    stage = {"stage": HOSTILE, "key": HOSTILE, "work": "read", "tasks": [HOSTILE], "how": HOSTILE, "seed": 1}
    stages = [{**stage, "state": "done"}, {**stage, "state": HOSTILE, "error": HOSTILE, "folder": f"/{HOSTILE}/.."}]
    config = {"trunk": {"name": HOSTILE}, "seeds": [HOSTILE], "table": {"holm": HOSTILE}, HOSTILE: [HOSTILE]}
    changed = {"study": HOSTILE, "entries": entries, "stages": stages, "config": config}
    text = written(**changed)
    parsed = page(text)
    assert parsed.open == []
    assert not parsed.all("script")
    assert not any(name.startswith("on") or name == "style" for _, each in parsed.elements for name in each)
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in parsed.texts["h1"][0]
    plain = written(".md", **changed)
    assert "<script" not in plain
    for table in re.findall(r"(?:^\|.*\n)+", plain, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    latex = written(".tex", **changed)
    assert not re.search(r"(?<!\\)[&#](?=.*alert)", "\n".join(re.sub(" & ", "", line) for line in latex.splitlines()))
    assert "\\{\\{ 7*7 \\}\\} \\&" in latex
    for line in written(".csv", **{**changed, "study": "=cmd()"}).splitlines()[1:]:
        assert line.startswith("'=cmd(),")


def test_shows_numbers_that_the_table_holds(written, made_up, tmp_path):
    rows = list(csv.DictReader(written(".csv").splitlines()))
    table = {(row["source"], row["target"]): row for row in rows}
    kept = next(entry for entry in made_up()["entries"] if entry["intermediate"] == "nli" and entry["how"] != "read")
    shown = table["nli", "xnli"]
    assert float(shown["gain (points)"]) == pytest.approx(100 * kept["gain"])
    assert float(shown["score (%)"]) == pytest.approx(100 * kept["score"])
    assert [float(shown[f"{end} (points)"]) for end in ("from", "to")] == pytest.approx(
        [100 * x for x in kept["interval"]]
    )
    languages = list(csv.DictReader((tmp_path / "report.languages.csv").read_text(encoding="utf-8").splitlines()))
    row = next(
        row for row in languages if (row["source"], row["language"]) == ("nli", "sw") and row["target"] == "xnli"
    )
    assert (row["name"], row["family"], row["script"]) == ("Swahili", "Niger-Congo, Bantu", "Latin")
    assert float(row["gain (points)"]) == pytest.approx(100 * kept["gain_by_language"]["sw"])
    families = list(csv.DictReader((tmp_path / "report.families.csv").read_text(encoding="utf-8").splitlines()))
    latin = next(row for row in families if row["group"] == "script: Latin" and row["source"] == "nli")
    mean = (kept["gain_by_language"]["de"] + kept["gain_by_language"]["sw"]) / 2
    assert (latin["languages"], float(latin["gain (points)"])) == ("2", pytest.approx(100 * mean))


def test_writes_the_same_tables_in_every_form(written, tmp_path):
    text, latex = written(".md"), written(".tex")
    written(".csv")
    names = sorted(path.name for path in tmp_path.glob("report*.csv"))
    assert "report.csv" in names
    assert "report.costs.csv" in names
    assert text.count("\n### ") == latex.count("\\begin{longtable}") == len(names)
    widths = {
        line.count(" & ")
        for line in latex.split("\\end{longtable}")[0].splitlines()
        if line.endswith("\\\\") and " & " in line
    }
    assert len(widths) == 1


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("{", ArtefactError, "study.json is damaged"),
        ('{"study": "a", "stages": 3}', ArtefactError, "stages"),
        ('{"study": "a", "stages": [], "entries": [{"gain": "x"}]}', ArtefactError, "entries.0"),
    ],
)
def test_refuses_what_is_no_study(tmp_path, content, error, words):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(error, match=words):
        report([tmp_path], tmp_path / "a.html")


def test_refuses_a_file_that_is_there_another_ending_and_nothing(tmp_path, made_up):
    (tmp_path / "study.json").write_text(json.dumps(made_up()))
    report([tmp_path], tmp_path / "a.html")
    with pytest.raises(UsageError, match="add --overwrite"):
        report([tmp_path], tmp_path / "a.html")
    with pytest.raises(UsageError, match=r"\.html, \.md, \.tex, \.csv"):
        report([tmp_path], tmp_path / "a.pdf")
    with pytest.raises(MissingError, match="nowhere"):
        report([tmp_path / "nowhere"], tmp_path / "b.html")
