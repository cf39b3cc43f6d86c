"""Controls change what is learned and nothing that it is learned from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.runs.prepare import check_control
from adapter_stilts.runs.results import read_results
from adapter_stilts.runs.task_data import shuffled_labels
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import load_bundle

WORDS = ("die", "Katze", "schläft", "猫は", "机の", "下で", "眠る")


def classified(number):
    return Classified(str(number), f"text {number}", None, "abc"[number % 3])


def choice(number):
    options = tuple(f"{number}/{choice}" for choice in range(2 + number % 2))
    return MultipleChoice(str(number), "prompt", options, number % len(options))


def tagged(number):
    words = WORDS[: 1 + number % 7]
    return Tagged(str(number), words, tuple("BIO"[(number + place) % 3] for place in range(len(words))))


def question(number):
    context = " ".join(WORDS[: 3 + number % 5])
    start = context.index(WORDS[number % 3])
    return SpanQuestion(
        str(number), f"what {number}?", context, () if number % 4 == 0 else (Answer(WORDS[number % 3], start),)
    )


ROWS = {"pair": classified, "single": classified, "choice": choice, "tags": tagged, "span": question}


def labels(row):
    match row:
        case Classified(label=label) | MultipleChoice(label=label):
            return [label]
        case Tagged(tags=tags):
            return list(tags)
        case SpanQuestion(answers=answers):
            return [bool(answers)]


def without_labels(row):
    blank = (
        {"answers": ()}
        if isinstance(row, SpanQuestion)
        else {"tags": ()}
        if isinstance(row, Tagged)
        else {"label": None}
    )
    return replace(row, **blank)


@settings(max_examples=40)
@given(st.sampled_from(sorted(ROWS)), st.integers(1, 40), st.integers(0, 1000))
def test_changes_labels_but_not_inputs_and_keeps_their_counts(format, number, seed):
    rows = [ROWS[format](row) for row in range(number)]
    shuffled = shuffled_labels(formats[format], rows, Seeds(seed))
    assert [without_labels(row) for row in shuffled] == [without_labels(row) for row in rows]
    assert Counter(label for row in shuffled for label in labels(row)) == Counter(
        label for row in rows for label in labels(row)
    )
    if number >= 20:
        assert shuffled != rows
    if format == "choice":
        assert all(0 <= row.label < len(row.choices) for row in shuffled)
    if format == "span":
        assert sum(map(formats["span"].misplaced, shuffled)) == 0
        assert all(answer.text == answer.text.strip() != "" for row in shuffled for answer in row.answers)


def test_deals_the_same_labels_for_the_same_seed_only():
    rows = [classified(number) for number in range(30)]
    assert shuffled_labels(formats["pair"], rows, Seeds(1)) == shuffled_labels(formats["pair"], rows, Seeds(1))
    assert shuffled_labels(formats["pair"], rows, Seeds(1)) != shuffled_labels(formats["pair"], rows, Seeds(2))


def test_leaves_nothing_of_the_link_between_input_and_label():
    rows = [classified(number) for number in range(3000)]
    agree = (
        sum(
            one.label == other.label
            for one, other in zip(rows, shuffled_labels(formats["pair"], rows, Seeds(3)), strict=True)
        )
        / 3000
    )
    assert agree == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("how", ["direct", "stack", "fuse"])
def test_permutes_only_an_adapter_that_a_run_continues(how):
    with pytest.raises(UsageError, match=r"continues none(.|\n)*--how sequential --after RUN --control random-adapter"):
        check_control("random-adapter", how, formats["pair"])
    check_control("random-adapter", "sequential", formats["pair"])
    check_control("none", how, formats["text"])


def test_trains_on_shuffled_labels_and_validates_on_true_ones(trained):
    true, control = trained("nli"), trained("nli", control="shuffled-labels")
    assert load_bundle(control).manifest.control == "shuffled-labels"
    assert (true / "adapter/nli.safetensors").read_bytes() != (control / "adapter/nli.safetensors").read_bytes()
    assert read_results(control)[0].n == read_results(true)[0].n
    facts = load_bundle(control).manifest.training
    assert facts.best_step == facts.steps  # selected by nothing: true labels would teach it
    assert "control (shuffled-labels)" in (control / "README.md").read_text()


def test_permutes_the_entries_of_the_parents_adapter_and_trains_nothing(trained):
    parent = trained("paraphrase")
    control = trained("nli", how="sequential", after=[str(parent)], control="random-adapter")
    given = safetensors.torch.load((parent / "adapter/paraphrase.safetensors").read_bytes())
    kept = safetensors.torch.load((control / "adapter/nli.safetensors").read_bytes())
    assert given.keys() == kept.keys()
    assert any(not torch.equal(given[name], kept[name]) for name in given)
    for name, tensor in given.items():
        scale = float(kept[name].norm() / tensor.norm())
        assert torch.allclose(scale * tensor.flatten().sort().values, kept[name].flatten().sort().values)
    for down in [name for name in given if name.endswith("adapter_down.0.weight")]:
        up = down.replace("adapter_down.0", "adapter_up")
        sizes = [float((of[up] @ of[down]).norm()) for of in (given, kept)]
        assert sizes[0] > 0
        assert sizes[1] == pytest.approx(sizes[0], rel=1e-4)  # they do together as much as before
    manifest = load_bundle(control).manifest
    assert (manifest.training.steps, manifest.training.stopped_by) == (0, "control")
    assert not any(row.trained for row in manifest.parts)
    assert (control / "metrics.jsonl").read_bytes() == b""
    assert read_results(control) == []


def test_lets_others_build_on_a_random_adapter(trained):
    parent = trained("paraphrase")
    control = trained("nli", how="sequential", after=[str(parent)], control="random-adapter")
    stacked = trained("single", how="stack", after=[str(control)])
    assert load_bundle(stacked).manifest.composition == "stack(nli, single)"
    assert (stacked / "adapter/nli.safetensors").read_bytes() == (control / "adapter/nli.safetensors").read_bytes()
