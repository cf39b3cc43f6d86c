"""Programs: the tasks of CodeXGLUE that pairs and single texts can hold: code search, clone detection and defect
detection."""

from __future__ import annotations

from typing import Any

from adapter_stilts.tasks.base import BINARY_LABELS, register
from adapter_stilts.tasks.source import UNVERIFIED, Hub

CODEXGLUE: dict[str, Any] = {"labels": BINARY_LABELS, "licence": "C-UDA 1.0"}

# fmt: off
register(
    "cosqa", "pair", "CoSQA: does a Python function answer a web query (English)", max_length=256,
    train="cosqa.train.jsonl | cosqa-train.json", validation="cosqa.dev.jsonl | cosqa-dev.json",
    test="cosqa.dev.jsonl | cosqa-dev.json",
    stand_ins={"test": "the test split is CoSQA's development set: its test labels are not public"},
    miniature="code-search", paper="https://arxiv.org/abs/2105.13239", **CODEXGLUE,
)
register(
    "clones", "pair", "BigCloneBench: do two Java methods do the same", metric="accuracy_f1", max_length=400,
    joined="pairs",
    train="train.txt data.jsonl", validation="valid.txt data.jsonl", test="test.txt data.jsonl",
    hubs=(Hub("google/code_x_glue_cc_clone_detection_big_clone_bench"),),
    sizes={"train": "901,028 [S]", "validation": "415,416 [S]", "test": "415,416 [S]"}, miniature="clones",
    paper="https://arxiv.org/abs/2102.04664", **CODEXGLUE,
)
register(
    "defects", "single", "Devign: is a C function vulnerable", max_length=400,
    columns={"text": "func", "label": "target"},
    train="Defect-detection/dataset/train.jsonl | train.jsonl",
    validation="Defect-detection/dataset/valid.jsonl | valid.jsonl",
    test="Defect-detection/dataset/test.jsonl | test.jsonl",
    hubs=(Hub("google/code_x_glue_cc_defect_detection", certainty=UNVERIFIED),), any_name=True,
    sizes={"train": "21,854 [S]", "validation": "2,732 [S]", "test": "2,732 [S]"},
    paper="https://arxiv.org/abs/1909.03496", **CODEXGLUE,
)
register(
    "codesearch", "pair",
    "code search (AdvTest): does a comment describe a Python function; half of the pairs are made not to match",
    max_length=256, mismatches=True, columns={"text": "docstring_tokens", "pair": "code_tokens"},
    train="NL-code-search-Adv/dataset/train.jsonl | train.jsonl",
    validation="NL-code-search-Adv/dataset/valid.jsonl | valid.jsonl",
    test="NL-code-search-Adv/dataset/test.jsonl | test.jsonl",
    hubs=(Hub("google/code_x_glue_tc_nl_code_search_adv", certainty=UNVERIFIED),), any_name=True,
    sizes={"train": "251,820 [S]", "validation": "9,604 [S]", "test": "19,210 [S]"},
    substitutions=("code search is read as pairs that match or not; CodeXGLUE ranks all functions for a comment",),
    miniature="code-search", paper="https://arxiv.org/abs/1909.09436", **CODEXGLUE,
)
