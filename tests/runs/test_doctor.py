"""The doctor names what is missing or old, looks where it is told, and asks no network."""

from __future__ import annotations

import socket
from importlib import metadata

import pytest

from adapter_stilts.errors import MissingError
from adapter_stilts.runs import doctor as study


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_compares_every_requirement_with_what_is_installed():
    found = {row["package"]: row for row in study.doctor()["packages"]}
    assert found["torch"]["tested"] == "2.13.0"
    assert found["huggingface_hub"]["tested"] == "0.36.2"
    assert "pytest" not in found


def test_names_what_is_old_and_what_is_missing(monkeypatch):
    def version(name):
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return "1.9.9" if name == "torch" else "99"

    monkeypatch.setattr(study, "version", version)
    problems = "\n".join(study.doctor()["problems"])
    assert "torch 1.9.9: older than tested (2.13.0)" in problems
    assert "rich is not installed: missing (15.0)" in problems
    assert problems.count("\n") == 1


@pytest.mark.parametrize(("older", "newer"), [("1.9", "1.10"), ("2.13.0", "2.13.1+cpu"), ("0.9.9", "1"), ("", "0.1")])
def test_orders_versions_by_number(older, newer):
    assert study.release(older) < study.release(newer)


def test_holds_trailing_zeros_and_local_builds_for_nothing():
    assert study.release("15.0") == study.release("15") == study.release("15.0.0+cpu")


def test_finds_the_files_of_tasks_in_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "tatoeba.deu-eng.deu").write_text("Hallo.\n")
    (tmp_path / "deep" / "tatoeba.deu-eng.eng").write_text("Hello.\n")
    found = study.doctor(tmp_path)
    assert "tatoeba" in [row["task"] for row in found["data"]["tasks"]]
    assert found["problems"] == []


def test_says_where_to_look_when_a_folder_holds_no_task(tmp_path):
    assert "list tasks --files" in study.doctor(tmp_path)["problems"][-1]
    with pytest.raises(MissingError, match="no such folder"):
        study.doctor(tmp_path / "nowhere")


def test_keeps_the_token_to_itself(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = study.doctor()
    assert found["environment"]["HF_TOKEN"] == "set"
    assert "hf_secret" not in str(found)


def test_counts_the_labels_of_own_files_and_says_what_is_wrong_with_one(tmp_path):
    path = tmp_path / "train.conll"
    path.write_text("EU NNP B-NP U-ORG\nruft VBZ B-VP O\n")
    read, other = study.doctor(path)["data"]["labels"]
    assert (other["task"], other["labels"]) == ("pos", "NNP 1, VBZ 1")
    assert (read["task"], read["rows"], read["labels"]) == ("ner", 1, "B-ORG 1, O 1")
    assert "tags in column 4 of 4" in read["remarks"]
    assert "the tags are BILOU" in read["remarks"]
    assert study.doctor(tmp_path)["data"]["labels"] == [{**read, "split": "train"}]
    path.write_text("EU NNP B-NP B-ORG\nruft VBZ O\nUlm NE B-NP B-LOC\n")
    assert any("3 columns where the file has 4" in problem for problem in study.doctor(path)["problems"])
