"""The card's metadata is what the hub reads, and no text of a manifest breaks YAML, Markdown or a terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

from adapter_stilts.sharing.card import card, write_card
from adapter_stilts.sharing.manifest import Parent, TrunkFacts
from adapter_stilts.sharing.metadata import in_markdown, metadata, read_licence, shell
from adapter_stilts.statistics.result import Result

ROW = Result("xnli", "own", "sw", "accuracy", 0.5, 1000, (0.41, 0.6), headline=True)
HUB = {"name": "FacebookAI/xlm-roberta-base", "revision": "e73636d", "source": "hub"}
NUMBERS = {"fingerprint": "ab", "layers": 12, "hidden": 768, "precision": "bf16"}
HOSTILE = (
    "x\n---\nlicense: mit\n---\n# pwned",
    "| a | b |",
    "`rm -rf /`",
    "<script>alert(1)</script>",
    "[free](http://bad.example)",
    "![x](http://bad.example/pixel.png)",
    "\x1b]0;pwned\x07\x1b[2J",
    "\u202egpj.exe",
    "a: {b: [!!python/object/apply:os.system [ls]]}",
    "'; rm -rf ~ #",
    "$(reboot)",
    "{{ m.files }}{% for x in m %}",
    "x" * 10**5,
)


def of_hub(manifest, **fields):
    return manifest(trunk=TrunkFacts(**HUB, **NUMBERS), **fields)


def facts(text: str) -> dict:
    begins, said, _ = text.split("---\n", 2)
    assert begins == ""
    return yaml.safe_load(said)


def test_says_to_the_hub_what_it_is_of_whose_what_and_how_good(manifest):
    data = ({"split": "train", "language": "en", "kind": "hub", "hub": "facebook/xnli", "task": "xnli"},)
    rows = [ROW, replace(ROW, metric="f1", headline=False), replace(ROW, language="de", settings={"limit": 9})]
    said = facts(card(of_hub(manifest, data=data), rows, licence="apache-2.0", kinds=["seq_bn"]))
    assert said.pop("model-index")[0]["results"] == [
        {
            "task": {"type": "pair", "name": "xnli"},
            "dataset": {"name": "xnli", "type": "facebook/xnli", "config": "sw", "split": "test"},
            "metrics": [
                {
                    "type": "accuracy",
                    "name": "accuracy",
                    "value": 50.0,
                    "args": {"n": 1000, "protocol": "own", "interval": [41.0, 60.0]},
                }
            ],
        }
    ]
    assert said == {
        "library_name": "adapter-stilts",
        "base_model": "FacebookAI/xlm-roberta-base",
        "base_model_relation": "adapter",
        "license": "apache-2.0",
        "language": ["en", "sw"],
        "datasets": ["facebook/xnli"],
        "tags": ["adapter-stilts", "adapter", "seq_bn", "pair", "nli"],
    }


def test_has_scores_in_the_form_that_the_hub_s_own_library_reads(manifest):
    index = metadata(of_hub(manifest), [ROW], "", [])["model-index"]
    name, (result,) = model_index_to_eval_results(index)
    assert (name, result.metric_type, result.metric_value, result.dataset_config) == ("nli-1", "accuracy", 50.0, "sw")


def test_leaves_out_what_is_not_known(manifest):
    trunk = TrunkFacts(name="mine", revision=None, source="folder", **NUMBERS)
    said = facts(card(manifest(trunk=trunk, language="und"), []))
    assert said == {"library_name": "adapter-stilts", "tags": ["adapter-stilts", "adapter", "pair", "nli"]}


def test_shows_three_lines_of_shell_and_of_python_with_the_trunk_where_it_must_be_named(manifest):
    text = card(of_hub(manifest), [ROW], where="hf:juno/nli-sw")
    use = text.partition("## Use\n\n")[2].partition("\nThe adapters")[0]
    assert use == (
        "    adapter-stilts pull hf:juno/nli-sw -o nli-1\n"
        "    adapter-stilts eval nli-1 --tasks nli\n"
        "    adapter-stilts train TASK --how stack --after nli-1\n"
        "\nIn Python:\n\n"
        "    import adapter_stilts as stilts\n"
        '    run = stilts.load("nli-1")\n'
        '    results = stilts.evaluate(run, "nli")\n'
    )
    trunk = TrunkFacts(name="mine", revision=None, source="folder", **NUMBERS)
    text = card(manifest(trunk=trunk), [])
    assert "    adapter-stilts eval nli-1 --tasks nli --trunk DIR\n" in text
    assert '    run = stilts.load("nli-1", trunk="DIR")\n' in text
    assert "DIR is the folder of the trunk, `mine`." in text


def test_names_the_licences_and_the_papers(manifest):
    parents = (Parent(name="qa-2", checksum="0"),)
    text = card(of_hub(manifest, licence="CC BY 4.0", parents=parents), [], licence="cc0-1.0", kinds=["seq_bn"])
    assert "| licence of the weights | cc0-1.0 |\n| licence of the data | CC BY 4.0 |\n" in text
    assert "* seq_bn: https://arxiv.org/abs/2005.00052\n" in text
    assert "Phang et al. (2018)" in text
    assert "| licence of the weights | not stated |" in card(manifest(), [])


@pytest.mark.parametrize("text", HOSTILE)
def test_shows_hostile_text_as_text(manifest, text):
    trunk = TrunkFacts(name=text, revision=text, fingerprint=text, layers=2, hidden=8, precision="fp32")
    words = dict.fromkeys(("name", "task", "format", "language", "control", "device", "licence"), text)
    data = ({"split": text, "language": text, "kind": text, "files": [{"path": text, "sha256": text}]},)
    part = {"part": text, "role": text, "active": True, "trained": True, "parameters": 1}
    lists = {"substitutions": (text,), "leaks": (text,), "parts": (part,)}
    parents = (Parent(name=text, checksum=text),)
    row = Result(text, text, text, text, 0.5, 9, None, split=text, headline=True, settings={"layer": text})
    made = card(manifest(**words, **lists, trunk=trunk, data=data, parents=parents, how="stack"), [row], kinds=[text])
    said = facts(made)
    assert said["library_name"] == "adapter-stilts"
    assert "license" not in said
    body = made.split("---\n", 2)[2]
    lines = body.split("\n")
    assert all(char.isprintable() for line in lines for char in line)
    assert [line for line in lines if line.startswith("#")] == [
        f"# {in_markdown(text)}",
        *("## Scores", "## Data", "## Use", "## Citation"),
    ]
    prose = "\n".join(line for line in lines if not line.startswith("    "))  # code is shown as it is
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)\[", prose)
    plain = card(manifest(), [ROW])
    assert max(map(len, lines)) < 6000 + max(map(len, plain.split("\n")))


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\n---\n# x", "apache-2.0"),
        ("---\nlibrary_name: x\nlicense: 'cc-by-4.0'\n---\n", "cc-by-4.0"),
        ("---\nlibrary_name: x\n---\nlicense: mit\n", ""),
        ("license: mit\n", ""),
        ("", ""),
    ],
)
def test_reads_the_licence_of_a_card(tmp_path, text, licence):
    (tmp_path / "README.md").write_text(text)
    assert read_licence(tmp_path / "README.md") == licence


def test_keeps_the_licence_when_the_card_is_written_anew(tmp_path, manifest):
    write_card(tmp_path, manifest(), [], licence="cc0-1.0")
    write_card(tmp_path, manifest(), [ROW])
    assert read_licence(tmp_path / "README.md") == "cc0-1.0"
    assert read_licence(tmp_path / "nowhere.md") == ""


def test_quotes_a_word_of_a_command_line():
    assert shell("a b\n; reboot") == "'a b; reboot'"
    assert shell("nli-1") == "nli-1"
