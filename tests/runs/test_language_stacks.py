"""MAD-X: each language read under its own language adapter, retrieval's sides each under theirs, and every refusal."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import evaluation

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.runs.build import finished_encoder
from adapter_stilts.runs.evaluate import evaluate
from adapter_stilts.runs.language_stacks import language_stacks
from adapter_stilts.runs.train import train
from adapter_stilts.sharing.bundle import load_bundle

ENGLISH = ["The cat sleeps.", "Anna bought two apples.", "The train leaves at seven.", "Berlin is old."]
GERMAN = ["Die Katze schläft.", "Anna hat zwei Äpfel gekauft.", "Der Zug fährt um sieben.", "Berlin ist alt."]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_folder, data):
    """Language adapters of two languages, a task over the English one, and a task over none."""
    root = tmp_path_factory.mktemp("madx")

    def make(out: str, task: str, **settings: object) -> Path:
        base = {
            "trunk.name": str(tiny_folder),
            "trunk.precision": "fp32",
            "data.sources": data(task),
            "training.max_steps": 2,
        }
        given = {name.replace("__", "."): value for name, value in settings.items()}
        config = with_settings(
            RunConfig(), {**base, "training.token_budget": 256, "training.learning_rate": 0.05, **given}
        )
        return train(
            config, (task,), out=root / out, runs=root, resume=True, overwrite=False, dry_run=False, report=Silent()
        ).folder

    language = {"adapter__kind": "seq_bn_inv", "adapter__settings": {"reduction_factor": 2}}
    en = make("en", "mlm", data__language="en", **language)
    return {
        "en": en,
        "de": make("de", "mlm", data__language="de", training__seed=5, **language),
        "nli": make("nli", "nli", how="stack", after=[str(en)], adapter__settings={"leave_out": [1]}),
        "plain": make("plain", "nli"),
    }


@pytest.fixture
def trunk(tiny_folder):
    return load_trunk(str(tiny_folder), precision="fp32")


@pytest.fixture
def stacks(runs, trunk):
    """`stacks("de=RUN", ...)`: an encoder and its stacks, for the task over the English adapter."""

    def make(*given, run="nli"):
        bundle = load_bundle(runs[run])
        encoder = finished_encoder(trunk, bundle)
        return encoder, language_stacks(encoder, bundle, [entry.format(**runs) for entry in given])

    return make


@torch.no_grad()
def states(encoder, composition):
    """Hidden states of two sentences under a composition."""
    encoder.activate(composition)
    batch = encoder.trunk.tokenizer(GERMAN[:2], padding=True, return_tensors="pt")
    return encoder.hidden(batch["input_ids"], batch["attention_mask"])


def by_hand(runs, trunk, language):
    """The task's adapter over a language's, put together from the stored parts alone."""
    encoder = AdapterEncoder(trunk).eval()
    (lower,) = load_bundle(runs[language]).of("adapter")
    upper = next(part for part in load_bundle(runs["nli"]).of("adapter") if part.name == "nli")
    for name, part in (("lower", lower), ("upper", upper)):
        encoder.load(name, part.facts["kind"], part.facts["settings"], part.tensors)
    encoder.eval()
    return encoder, parse("stack(lower, upper)")


def test_names_a_language_adapter_by_its_language_and_keeps_it_in_the_run(runs):
    assert load_bundle(runs["de"]).manifest.composition == "mlm-de"
    assert load_bundle(runs["nli"]).manifest.composition == "stack(mlm-en, nli)"
    languages = {part.name: part.facts["language"] for part in load_bundle(runs["nli"]).of("adapter")}
    assert languages == {"mlm-en": "en", "nli": ""}
    assert load_bundle(runs["nli"]).manifest.seen == {"en": ["mlm", "nli"]}


def test_reads_a_language_under_its_own_adapter_and_the_task_above(runs, trunk, stacks):
    encoder, found = stacks("de={de}")
    for language in ("en", "de"):
        assert torch.equal(
            states(encoder, found.reading(language).composition), states(*by_hand(runs, trunk, language))
        )
    assert not torch.equal(
        states(encoder, found.reading("de").composition), states(encoder, found.reading("en").composition)
    )
    assert found.reading("deu").adapter["language"] == "de"
    assert found.reading("de").adapter["checksum"] == load_bundle(runs["de"]).manifest.checksum


def test_leaves_the_last_layer_to_the_language_adapter_where_the_task_leaves_it_out(runs):
    tensors = {part.name: part.tensors for part in load_bundle(runs["nli"]).of("adapter")}
    assert {name.split(".")[2] for name in tensors["nli"]} == {"0"}
    assert {name.split(".")[2] for name in tensors["mlm-en"] if name.startswith("encoder.layer")} == {"0", "1"}


def test_undoes_the_invertible_part_before_the_masked_language_model_alone(runs, stacks):
    """Hidden states start from the changed embeddings; only `before_decoder` undoes the change, of the adapter that is
    active."""
    encoder, found = stacks("de={de}")
    batch = encoder.trunk.tokenizer(GERMAN[:2], padding=True, return_tensors="pt")
    with torch.no_grad():
        encoder.activate(None)
        bare = encoder.hidden(batch["input_ids"], batch["attention_mask"], 0)
        for language in ("en", "de"):
            encoder.activate(found.reading(language).composition)
            changed = encoder.hidden(batch["input_ids"], batch["attention_mask"], 0)
            assert not torch.allclose(changed, bare, atol=1e-4)
            torch.testing.assert_close(encoder.before_decoder(changed), bare, rtol=1e-4, atol=1e-5)


def test_refuses_a_language_without_an_adapter_unless_told_to_read_it_as_the_source_language(stacks):
    _, found = stacks("de={de}")
    found.check(["en", "de", "deu"])
    with pytest.raises(
        UsageError, match=r"no language adapter for sw, tr(.|\n)*--language-adapter sw=RUN(.|\n)*others=source"
    ) as caught:
        found.check(["de", "sw", "tr"])
    assert caught.value.exit_code == 2
    _, one = stacks("de={de}", "sw=source")
    one.check(["de", "sw"])
    with pytest.raises(UsageError, match="no language adapter for tr"):
        one.check(["tr"])
    _, rest = stacks("de={de}", "others=source")
    rest.check(["sw", "tr"])
    assert rest.reading("sw").composition == rest.source.composition
    assert rest.reading("sw").adapter == {**rest.source.adapter, "note": "the source language's"}
    assert "note" not in rest.reading("en").adapter


@pytest.mark.parametrize(
    ("given", "run", "message"),
    [
        (["sw={de}"], "nli", r"trained on text in 'de', and is given for 'sw'(.|\n)*--language-adapter de="),
        (["de={plain}"], "nli", "not a language adapter: nli, trained on nli"),
        (["de={nli}"], "nli", r"not a language adapter: stack\(mlm-en, nli\)"),
        (["de={de}"], "plain", "this run has none: nli"),
        (["de={de}", "deu={de}"], "nli", "names 'deu' twice"),
        (["de"], "nli", "write it as LANGUAGE=RUN"),
        (["others={de}"], "nli", "can only be read as the source language is"),
    ],
)
def test_refuses_what_is_no_adapter_of_the_language(stacks, given, run, message):
    with pytest.raises(UsageError, match=message):
        stacks(*given, run=run)


@pytest.fixture
def score(runs, data, tmp_path):
    """`score(tasks, *given, data=..., languages=...)` evaluates a copy of the task's run."""
    folder = Path(shutil.copytree(runs["nli"], tmp_path / "run"))
    rows = (f"test={data('nli')[1].partition('=')[2]}",)

    def call(task, *given, source=rows, languages=("de",)):
        adapters = tuple(entry.format(**runs) for entry in given)
        request = evaluation(
            run=folder,
            trunk=None,
            tasks=(task,),
            languages=languages,
            data=source,
            precision="fp32",
            language_adapters=adapters,
        )
        return evaluate(request, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=Silent()).to_json()[
            "results"
        ]

    return call


def test_says_in_every_score_which_adapter_read_it(runs, score):
    (own,) = score("xnli", "de={de}")
    assert own["settings"]["language_adapters"] == "own"
    assert own["language_adapter"]["run"] == "de"
    assert own["seen"] == ["mlm"]
    (source,) = score("xnli")
    assert source["language_adapter"]["note"] == "the source language's"
    assert "seen" not in source
    (english,) = score("xnli", "de={de}", languages=("en",))
    assert "note" not in english["language_adapter"]
    assert english["seen"] == ["mlm", "nli"]
    assert own["units"] != source["units"]
    (again,) = score(
        "xnli", "de={de}"
    )  # known: nothing is read again, and the predictions are those of the last reading
    hashes = {"units": own["sha256"]["units"]}
    assert again == {**{name: value for name, value in own.items() if name != "predictions"}, "sha256": hashes}


def test_reads_each_side_of_a_pair_under_its_own_stack_and_both_under_one(runs, trunk, score, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "tatoeba.deu-eng.eng").write_text("\n".join(ENGLISH) + "\n", encoding="utf-8")
    (folder / "tatoeba.deu-eng.deu").write_text("\n".join(GERMAN) + "\n", encoding="utf-8")
    rows = score("tatoeba", "de={de}", source=(str(folder),))
    own = [row for row in rows if row["settings"].get("language_adapters") == "own"]
    both = [row for row in rows if "language_adapters" not in row["settings"]]
    assert len(own) == len(both) == len(rows) / 2
    assert {row["language_adapter"]["target"]["language"] for row in own} == {"en"}
    assert {row["language_adapter"]["note"] for row in both} == {"the source language's, on both sides"}
    layer, pool = own[0]["settings"]["layer"], own[0]["settings"]["pool"]
    for row, languages in ((own[0], ("de", "en")), (both[0], ("en", "en"))):
        for side, language, texts in zip(("source", "target"), languages, (GERMAN, ENGLISH), strict=True):
            encoder, composition = by_hand(runs, trunk, language)
            encoder.activate(composition)
            expected = embed(encoder, texts, Reading((layer,), pool, 64, 512))[layer]
            np.testing.assert_allclose(np.load(tmp_path / "run" / row["vectors"][side]), expected, atol=1e-5)


def test_refuses_adapters_for_a_bare_trunk(tiny_folder, tmp_path):
    request = evaluation(run=None, trunk=str(tiny_folder), tasks=("tatoeba",), language_adapters=("de=x",))
    with pytest.raises(UsageError, match="a bare trunk has no language adapter"):
        evaluate(request, out=None, runs=tmp_path, overwrite=False, dry_run=False, report=Silent())
