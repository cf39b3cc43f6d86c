"""Trunks whose configuration, tokenizer or weights cannot be."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile.case import (
    DEEP,
    NUMBERS,
    Case,
    Make,
    after,
    deep,
    fifo,
    link,
    written,
)


def trunks(draw: random.Random) -> Iterator[Case]:
    words = ("encode", "text.en", "--trunk", "trunk", "-o", "out")

    def with_config(**changes: object) -> Make:
        def make(base: Path, folder: Path) -> None:
            trunk(base, folder)
            config = json.loads((folder / "trunk/config.json").read_text())
            (folder / "trunk/config.json").write_text(json.dumps({**config, **changes}))

        return make

    def trunk(base: Path, folder: Path) -> None:
        shutil.copytree(base / "trunk", folder / "trunk")
        shutil.copy(base / "text.en", folder)

    def with_tokenizer(change: Callable[[Any], Any]) -> Make:
        def make(base: Path, folder: Path) -> None:
            trunk(base, folder)
            document = json.loads((folder / "trunk/tokenizer.json").read_text())
            (folder / "trunk/tokenizer.json").write_text(json.dumps(change(document) or document))

        return make

    yield Case("20,000 layers", words, with_config(num_hidden_layers=20_000))
    yield Case("1,000 layers", words, with_config(num_hidden_layers=1000))
    for key in ("hidden_size", "intermediate_size", "vocab_size", "max_position_embeddings", "num_attention_heads"):
        for value in (10**30, 1 << 25, 1 << 24, -1, 0, 1.5, 10**4000):
            yield Case(f"{key} {str(value)[:9]}", words, with_config(**{key: value}))
    yield Case(
        "very wide and tall", words, with_config(hidden_size=1 << 25, vocab_size=1 << 25, intermediate_size=1 << 25)
    )
    for name in ("config.json", "tokenizer.json", "model.safetensors", "modules.json", "model.safetensors.index.json"):
        for what, content in (
            ("deep", deep()),
            ("deeper objects", deep(DEEP, '{"a":', "")[:-1]),
            ("empty", ""),
            ("null", "null"),
            ("[]", "[]"),
            ("5,000 digits", '{"hidden_size": ' + "9" * 5000 + "}"),
            ("no UTF-8", b"\xff\xfe{}"),
        ):
            yield Case(f"{name} {what}", words, after(trunk, written(f"trunk/{name}", content)))
        yield Case(f"a FIFO as {name}", words, after(trunk, fifo(f"trunk/{name}")))
        yield Case(f"/dev/zero as {name}", words, after(trunk, link(f"trunk/{name}", "/dev/zero")))
        yield Case(
            f"a folder as {name}",
            words,
            after(
                trunk,
                lambda base, folder, name=name: (
                    (folder / "trunk" / name).unlink(missing_ok=True),
                    (folder / "trunk" / name).mkdir(),
                ),
            ),
        )
    for charsmap in ("", "AAAA", "////////", "A" * 9999, "not base64!", "AQAAAA=="):
        precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap}
        yield Case(
            f"charsmap {charsmap[:9]!r}",
            words,
            with_tokenizer(lambda document, precompiled=precompiled: {**document, "normalizer": precompiled}),
        )
    for key in (
        "model",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "added_tokens",
        "truncation",
        "padding",
    ):
        for value in (None, [], {}, "x", 7, {"type": "Sequence", "normalizers": []}):
            yield Case(
                f"tokenizer's {key} {value}",
                words,
                with_tokenizer(lambda document, key=key, value=value: {**document, key: value}),
            )
    bomb = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
    yield Case(
        "a regular expression in the tokenizer",
        words,
        after(with_tokenizer(lambda document: {**document, "normalizer": bomb}), written("text.en", "a" * 60 + "!\n")),
    )
    for size in (2**63 - 1, 2**62, 10**9, 100, 0):
        yield Case(
            f"safetensors header of {size}",
            words,
            after(trunk, written("trunk/model.safetensors", struct.pack("<Q", size) + b"{}" * 50)),
        )
    keys = (
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "pad_token_id",
        "eos_token_id",
        "type_vocab_size",
        "layer_norm_eps",
        "hidden_act",
        "model_type",
        "max_position_embeddings",
        "position_embedding_type",
        "rope_parameters",
        "layer_types",
    )
    while True:
        changes = {
            draw.choice(keys): draw.choice((*NUMBERS, "modernbert", "bert", "gelu"))
            for _ in range(draw.randrange(1, 4))
        }
        yield Case(f"{changes}", words, with_config(**changes))
