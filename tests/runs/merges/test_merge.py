"""Merged runs: what is in them, what they do, what is refused, and what is trained from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.runs.merges.merge import merge
from adapter_stilts.sharing.bundle import load_bundle

ALSO = [("dora", "average"), ("vera", "average"), ("ia3_ff", "linear")]
TEXT = ("Anna bought two apples.", "Die kleine Katze schläft.")


@pytest.fixture
def merged(tmp_path, heard):
    """`merged(runs, head="...", method="...", ...)` merges and returns the folder."""

    def make(*sources: Path, head: str = "", out: str | None = None, seed: int = 13, **settings: object) -> Path:
        given = {f"merge.{name}": value for name, value in settings.items()}
        after = {"how": "merge", "after": [str(source) for source in sources], "training.seed": seed}
        config = with_settings(RunConfig(), {**after, **given})
        where = {"out": tmp_path / out if out else None, "runs": tmp_path / "runs"}
        return merge(sources, config, head=str(head), **where, overwrite=False, dry_run=False, report=heard).folder

    return make


@pytest.fixture
def two(trained):
    """Two runs of a kind."""

    def make(kind: str = "lora", **settings: object) -> tuple[Path, Path]:
        first = trained("nli", out=f"nli-{kind}", adapter__kind=kind, **settings)
        return first, trained("nli", out=f"other-{kind}", adapter__kind=kind, training__seed=17, **settings)

    return make


def adapter(folder: Path):
    (part,) = load_bundle(folder).of("adapter")
    return part


def equal(first, second) -> bool:
    return all(torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items())


def hidden(trunk, bundles, composition: str) -> torch.Tensor:
    """What a composition of stored adapters, by name, makes of two sentences."""
    encoder = AdapterEncoder(trunk)
    for name, folder in bundles.items():
        part = adapter(folder)
        encoder.load(name, part.facts["kind"], part.facts["settings"], part.tensors)
    encoder.activate(parse(composition))
    batch = trunk.tokenizer(list(TEXT), return_tensors="pt", padding=True)
    with torch.no_grad():
        return encoder.eval().hidden(batch["input_ids"], batch["attention_mask"])


@pytest.mark.parametrize(("kind", "method"), [("lora", "average"), ("ia3", "linear"), ("seq_bn", "concatenate"), *ALSO])
def test_does_what_the_average_of_its_parents_does(tiny_trunk, two, merged, kind, method):
    """The composition average(a, b) adds up what they add at every site: the same by another way."""
    first, second = two(kind)
    folder = merged(first, second, method=method)
    alike = hidden(tiny_trunk, {"a": first, "b": second}, "average(a, b)")
    assert (hidden(tiny_trunk, {"merged": folder}, "merged") - alike).abs().max() < 1e-5
    assert (hidden(tiny_trunk, {"a": first}, "a") - alike).abs().max() > 1e-4


@pytest.mark.parametrize("kind", ["lora", "ia3", "seq_bn", "prefix_tuning"])
def test_is_a_single_run_with_its_head_bit_for_bit(two, merged, kind):
    first, _ = two(kind)
    folder = merged(first)
    kept, made = load_bundle(first), load_bundle(folder)
    assert [part.role for part in made.parts] == ["adapter", "head"]
    assert all(map(equal, made.parts, kept.parts))
    assert (made.manifest.task, made.manifest.merge.head) == ("nli", kept.manifest.name)


def test_does_not_depend_on_the_order_of_the_runs(two, merged):
    first, second = two()
    one = merged(first, second, method="ties", weights=[1, 0.5], out="one")
    other = merged(second, first, method="ties", weights=[0.5, 1], out="other")
    assert equal(adapter(one), adapter(other))


def test_tells_what_it_was_merged_from(two, merged, heard):
    first, second = two()
    folder = merged(first, second, method="dare", weights=[1, -0.5], density=0.4, rank=4, seed=5)
    manifest = load_bundle(folder).manifest
    facts = manifest.merge
    assert (facts.method, facts.weights, facts.density, facts.seed, facts.rank) == ("dare", (1, -0.5), 0.4, 5, 4)
    assert (facts.exact, facts.head) == (False, "none")
    assert 0 < facts.error < 1
    assert [parent.checksum for parent in manifest.parents] == [
        load_bundle(run).manifest.checksum for run in (first, second)
    ]
    assert manifest.history == load_bundle(first).manifest.history
    assert any("nli-lora (1), other-lora (-0.5), rank 4;" in line for line in heard.lines)
    assert any(line.startswith("head: none (--head RUN") for line in heard.lines)
    shown = CliRunner().invoke(app, ["info", str(folder)], catch_exceptions=False).stdout
    assert "dare, weights 1 -0.5, density 0.4, rank 4, error 0." in shown.replace("\n", " ")
    assert "An adapter merged of `nli-lora` and `other-lora` by dare" in (folder / "README.md").read_text("utf-8")
    assert merged(first, second, method="dare", weights=[1, -0.5], density=0.4, rank=4, seed=5) == folder
    assert "nothing to do" in heard.lines[-1]
    assert merged(first, second, method="dare", weights=[1, -0.5], density=0.4, rank=4, seed=6) != folder


def test_takes_a_head_or_the_mean_of_heads(two, merged):
    first, second = two()
    (mine,), (theirs,) = (load_bundle(run).of("head") for run in (first, second))
    (taken,) = load_bundle(merged(first, second, head=second)).of("head")
    assert equal(taken, theirs)
    (mean,) = load_bundle(merged(first, second, head="merge", method="linear", weights=[3, 1])).of("head")
    for name, tensor in mean.tensors.items():
        assert torch.allclose(tensor, 0.75 * mine.tensors[name] + 0.25 * theirs.tensors[name], atol=1e-6)


def test_refuses_heads_that_have_no_mean(trained, two, merged, tmp_path):
    first, second = two()
    other = trained("single", out="single", adapter__kind="lora")
    with pytest.raises(UsageError, match=r"they differ in format: pair; single\n.*name the run whose head"):
        merged(first, other, head="merge")
    with pytest.raises(UsageError, match="weights sum to 0 or less"):
        merged(first, second, head="merge", method="linear", weights=[1, -1])
    with pytest.raises(UsageError, match=r"--head .*elsewhere is none of the runs that are merged"):
        merged(first, second, head=tmp_path / "elsewhere")


def test_refuses_runs_that_do_not_go_together(trained, two, merged, tmp_path):
    first, _ = two()
    stacked = trained("nli", out="stacked", how="stack", after=[str(first)], adapter__kind="lora")
    with pytest.raises(
        UsageError, match=r"differ in what lies around the adapters they trained: nli \(.*stack\(nli, nli-2\)"
    ):
        merged(first, stacked)
    fused = trained("nli", out="fused", how="fuse", after=[str(trained("nli", out="bn")), str(trained("single"))])
    with pytest.raises(UsageError, match="a merge continues the one adapter that a run trained"):
        merged(fused, first)
    with pytest.raises(UsageError, match="adapters of different kinds have no sum: lora, seq_bn"):
        merged(first, tmp_path / "bn")


def test_merges_what_lies_over_the_same_adapters(tiny_trunk, trained, merged):
    below = trained("single", out="below", adapter__kind="lora")
    over = [
        trained("nli", out=f"over-{seed}", how="stack", after=[str(below)], adapter__kind="lora", training__seed=seed)
        for seed in (1, 2)
    ]
    bundle = load_bundle(merged(*over))
    assert bundle.manifest.composition == "stack(single, merged)"
    assert equal(bundle.of("adapter")[0], adapter(below))


def test_says_that_parameters_are_not_aligned_unless_they_had_one_start(trained, two, merged, heard):
    first, second = two("seq_bn")
    merged(first, second, method="linear")
    assert any("their parameters are not aligned" in line for line in heard.lines)
    heard.lines.clear()
    alike = trained("single", out="alike", adapter__kind="seq_bn")
    folder = merged(first, alike, method="task_arithmetic", weights=[1, 1])
    assert load_bundle(folder).manifest.merge.relative_to == "the fresh adapter of seed 13"
    assert not any("not aligned" in line for line in heard.lines)


def test_knows_the_start_of_runs_of_one_seed(trained, merged, config):
    """After one step at a rate of nothing an adapter is as fresh, so what it learned is nothing."""
    still = {"training__learning_rate": 1e-30, "training__max_steps": 1, "adapter__kind": "seq_bn"}
    fresh, other = trained("nli", out="fresh", **still), trained("single", out="other", adapter__kind="seq_bn")
    folder = merged(fresh, other, method="task_arithmetic", weights=[5, 1])
    for name, tensor in adapter(folder).tensors.items():
        assert torch.allclose(tensor, adapter(other).tensors[name], atol=1e-6)


def test_is_relative_to_a_run_that_all_continued(trained, merged):
    base = trained("nli", out="base", adapter__kind="seq_bn")
    runs = [
        trained("single", out=f"on-{seed}", how="sequential", after=[str(base)], training__seed=seed) for seed in (1, 2)
    ]
    folder = merged(*runs, method="task_arithmetic", weights=[1, 0.5], start=str(base))
    begun, one, other = (adapter(run).tensors for run in (base, *runs))
    for name, tensor in adapter(folder).tensors.items():
        wanted = begun[name] + (one[name] - begun[name]) + 0.5 * (other[name] - begun[name])
        assert torch.allclose(tensor, wanted, atol=1e-6)


def test_merges_whole_trunks_relative_to_theirs(trained, merged, tiny_trunk):
    full = {"adapter__kind": "full", "training__learning_rate": 1e-3}
    first, second = (trained("nli", out=f"full-{seed}", training__seed=seed, **full) for seed in (1, 2))
    folder = merged(first, second, method="task_arithmetic", weights=[1, -1])
    start = tiny_trunk.model.tensors()
    one, other = adapter(first).tensors, adapter(second).tensors
    for name, tensor in adapter(folder).tensors.items():
        assert torch.allclose(tensor, start[name] + one[name] - other[name], atol=1e-5)


def test_trains_a_target_from_merged_runs(trained, two):
    first, second = two()
    after = {"how": "merge", "after": [str(first), str(second)]}
    folder = trained("single", out="target", **after, merge__weights=[2, 1], merge__method="linear")
    bundle = load_bundle(folder)
    assert (bundle.manifest.composition, bundle.manifest.how) == ("single", "merge")
    assert bundle.manifest.merge.weights == (2, 1)
    assert bundle.of("adapter")[0].facts["settings"]["r"] == 16
    other = trained("single", **after, merge__weights=[1, 2], merge__method="linear")
    assert load_bundle(other).manifest.identity != bundle.manifest.identity
    still = trained("single", out="still", **after, training__learning_rate=1e-30, merge__method="linear")
    for place in (name.removesuffix("lora_A") for name in adapter(still).tensors if "lora_A" in name):
        began, *parents = (
            part.tensors[f"{place}lora_B"] @ part.tensors[f"{place}lora_A"]
            for part in map(adapter, (still, first, second))
        )
        assert torch.allclose(began, sum(parents) / 2, atol=1e-6)


def test_is_used_like_any_other_run(trained, two, merged, data, tmp_path, tiny_folder):
    """Scored with a head, encoded with without one, continued, merged again, moved."""
    first, second = two()
    folder = merged(first, second, head=first, out="merged")
    bare = merged(first, second, out="bare")
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(folder, moved)
    text = tmp_path / "text.txt"
    text.write_text("\n".join(TEXT), encoding="utf-8")
    files = [f"--data={source.replace('validation', 'test', 1)}" for source in data("nli")[1:]]
    commands = [
        ["eval", str(moved), "--tasks", "nli", *files],
        ["encode", str(text), "--run", str(bare), "-o", str(tmp_path / "vectors"), "--layer", "last"],
        ["info", str(bare)],
        ["list", "runs", str(tmp_path)],
        ["merge", str(bare), str(second), "-o", str(tmp_path / "again"), "--rank", "8"],
        ["merge", str(bare), str(second), "-o", str(tmp_path / "never"), "--dry-run"],
    ]
    for command in commands:
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.stderr}"
    assert not (tmp_path / "never").exists()
    refused = CliRunner().invoke(app, ["eval", str(bare), "--tasks", "nli", *files])
    assert (refused.exit_code, "this run was merged without one" in refused.stderr) == (2, True)
    after = trained("single", out="after", how="sequential", after=[str(bare)])
    assert load_bundle(after).manifest.parents[0].name == "bare"
    stacked = trained("single", out="stacked", how="stack", after=[str(moved)], adapter__kind="lora")
    assert load_bundle(stacked).manifest.composition == "stack(merged, single)"


def test_reads_numbers_after_a_flag(two, tmp_path):
    first, second = two()
    words = ["merge", str(first), str(second), "--method", "linear", "--weights", "1", "-0.5", "--json"]
    result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "made")], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["merge"]["weights"] == [1.0, -0.5]
    again = CliRunner().invoke(
        app, [*words[:5], "--weights=1,-0.5", "-o", str(tmp_path / "made")], catch_exceptions=False
    )
    assert "nothing to do" in again.stderr
    split = ["merge", str(first), str(second), "--method", "layers", "--split", "1", "-o", str(tmp_path / "layers")]
    assert CliRunner().invoke(app, split).exit_code == 0
    for wrong in (["--weights", "1", "x"], ["--weights=1,x"]):
        assert CliRunner().invoke(app, [*words[:3], *wrong]).exit_code in (2, 3)


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_bakes_what_it_merged_into_a_trunk(tiny_trunk, two, merged, tmp_path, kind):
    first, second = two(kind)
    words = ["merge", str(first), str(second), "--bake", "-o", str(tmp_path / "baked")]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert (result.exit_code, "is a trunk now" in result.stderr) == (0, True), result.stderr
    baked, wanted = load_trunk(str(tmp_path / "baked"), precision="fp32"), {"merged": merged(first, second)}
    assert baked.fingerprint != tiny_trunk.fingerprint
    batch = baked.tokenizer(list(TEXT), return_tensors="pt", padding=True)
    with torch.no_grad():
        found = AdapterEncoder(baked).eval().hidden(batch["input_ids"], batch["attention_mask"])
    assert (found - hidden(tiny_trunk, wanted, "merged")).abs().max() < 1e-5
    again = CliRunner().invoke(app, words)
    assert (again.exit_code, "there is something already" in again.stderr) == (2, True)


def test_does_not_bake_what_is_no_change_of_weights(two, tmp_path):
    first, _ = two("seq_bn")
    refused = CliRunner().invoke(app, ["merge", str(first), "--bake", "-o", str(tmp_path / "baked")])
    assert (refused.exit_code, (tmp_path / "baked").exists()) == (2, False)
    assert "'merged' is of kind seq_bn, which is no change of the trunk's weights" in refused.stderr


def test_chooses_weights_on_validation_rows_alone(two, merged, data, tmp_path):
    first, second = two()
    words = ["merge", str(first), str(second), "--method", "ties", "--head", str(first), "--rank", "4"]
    words += ["--search", "dev:nli", "--data", data("nli")[1], "-o", str(tmp_path / "found"), "--json"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)["merge"]
    found = facts["search"]
    assert (found["split"], found["rows"], found["languages"]) == ("validation", 12, ["en"])
    scores = [trial["score"] for trial in found["trials"]]
    assert (scores[0], max(scores)) == (found["default"], found["chosen"])
    best = next(trial for trial in found["trials"] if trial["score"] == found["chosen"])
    assert (facts["weights"], facts["density"]) == (best["weights"], best["density"])
    assert 5 < len(scores) <= 48
    assert "which was the start" in result.stderr
    kept = load_bundle(tmp_path / "found").manifest
    assert {data.split for data in kept.data} == {"train", "validation"}
    scored = CliRunner().invoke(app, ["eval", str(tmp_path / "found"), "--tasks", "nli", *validation(data), "--json"])
    (accuracy,) = (row for row in json.loads(scored.stdout)["results"] if row["metric"] == "accuracy")
    assert accuracy["score"] == pytest.approx(found["chosen"], abs=1e-6)
    again = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "nothing to do" in again.stderr


def validation(data) -> list[str]:
    """The validation rows as test rows."""
    return ["--data", data("nli")[1].replace("validation", "test", 1)]


def test_says_what_cannot_be_searched(two, data, merged):
    first, second = two()
    headless = str(merged(first, second, head="none", out="headless"))
    result = CliRunner().invoke(app, ["merge", headless, headless, "--search", "dev:nli", "--data", data("nli")[1]])
    assert "none of these runs has one\n  do:    give --weights, and compare" in result.stderr
    words, rows = ["merge", str(first), str(second)], ["--data", data("nli")[1]]
    wrong = {
        "names no validation rows": ["--search", "nli"],
        "has no validation rows that a merge is chosen on": ["--search", "dev:tatoeba"],
        "the merged run would have none\n  do:    name one: --head RUN": ["--search", "dev:nli", *rows],
        "has neither weights nor a density": [
            "--search",
            "dev:nli",
            "--method",
            "model_stock",
            "--head",
            str(first),
            *rows,
        ],
    }
    for said, more in wrong.items():
        result = CliRunner().invoke(app, [*words, *more])
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
