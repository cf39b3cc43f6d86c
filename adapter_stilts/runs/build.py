"""Models from lineages and bundles: a fresh run's model, and a finished run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from adapter_stilts.config.schema import RunConfig, Training
from adapter_stilts.encoder.composition import fusion_name, fusions, parse
from adapter_stilts.encoder.heads import Head, build_head
from adapter_stilts.encoder.lower_layers import kept_states
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import JointModel, TaskModel
from adapter_stilts.encoder.transfer import check_fit, copy_into, unfilled
from adapter_stilts.encoder.trunk.loading import Trunk, half_copies
from adapter_stilts.environment import cache_folder
from adapter_stilts.errors import ArtefactError
from adapter_stilts.formats.base import formats
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.lineage import Lineage
from adapter_stilts.seeding import Seeds
from adapter_stilts.sharing.bundle import Bundle, Part
from adapter_stilts.sharing.manifest import FETCH_AGAIN, half_of
from adapter_stilts.sharing.places import known_trunk

HEAD = "head"  # the name of the only head of a run


def new_model(
    trunk: Trunk, lineage: Lineage, heads: Mapping[str, tuple[str, int]], training: Training, *, joint: bool
) -> TaskModel | JointModel:
    """The model a run starts from: frozen parts of its parents, fresh (or continued) trained parts, fresh heads.

    heads  task -> (format, number of labels); one of them, unless the run is joint
    """
    encoder, seeds = AdapterEncoder(trunk), Seeds(training.seed)
    for name, part in lineage.frozen.items():
        encoder.load(name, part.facts["kind"], part.facts["settings"], part.tensors)
    if lineage.new and lineage.start is not None:
        encoder.load(lineage.new, lineage.start.facts["kind"], lineage.start.facts["settings"], lineage.start.tensors)
    elif lineage.new:
        encoder.add(lineage.new, lineage.kind, lineage.settings, seeds.number("adapter"))
    for fuse in fusions(lineage.composition):
        if fusion_name(fuse) == lineage.new_fusion:
            encoder.add_fusion(fuse, seeds.number("fusion"))
        else:
            encoder.load_fusion(fuse, lineage.fusions[fusion_name(fuse)].tensors)
    encoder.activate(lineage.composition)
    models = {}
    for task, (format, labels) in heads.items():
        seed = seeds.number(f"head/{task}" if joint else "head")
        head = _head(trunk, format, labels, seed, dropout=training.head_dropout, pool=training.head_pool)
        models[task] = TaskModel(encoder, head, format)
    model = JointModel(models) if joint else next(iter(models.values()))
    model.train_parts(lineage.trained)
    return model


def keep_lower_layers(encoder: AdapterEncoder, config: RunConfig, report: Reporter) -> None:
    """Run the layers below `adapter.from_layer` once for each text, as far as nothing active lies in them."""
    asked, limit = config.adapter.from_layer, config.training.cache_gb
    encoder.from_layer = asked
    if (layer := encoder.untouched) < asked:
        lowest = min(encoder.active_kinds(), key=lambda name: encoder.adapters[name].lowest)
        shared = f"only up to layer {layer} is a text run once" if layer else "every layer runs in every epoch"
        report.say(f"--from-layer {asked}: '{lowest}' acts from layer {layer + 1} on, so {shared}")
    if layer and limit != 0:
        most = None if limit is None else int(limit * 1e9)
        encoder.kept = kept_states(cache_folder("states"), encoder.trunk, layer, str(encoder.device), most, report.say)


def finished_models(trunk: Trunk, bundle: Bundle) -> dict[str, TaskModel]:
    """A stored run's models by the names of its heads, all over one encoder, nothing trainable.

    Raises ArtefactError for a trunk of other weights or parts that do not fit.
    """
    encoder, models = finished_encoder(trunk, bundle), {}
    for part in bundle.of("head"):
        facts = part.facts
        pool = {name: facts[name] for name in ("pool",) if name in facts}
        make = partial(_head, trunk, facts["format"], len(facts["labels"]), seed=0, dropout=0.0, **pool)
        with _stored_in(bundle, part):
            if facts["max_length"] > trunk.config.max_length:
                what = (
                    f"max_length: {facts['max_length']} tokens, and the trunk reads at most {trunk.config.max_length}"
                )
                raise ArtefactError(what, do=FETCH_AGAIN)
            check_fit(what := f"the head '{part.name}'", unfilled(what, make), part.tensors)
            copy_into(what, head := make(), part.tensors)
        models[part.name] = TaskModel(encoder, head, facts["format"])
        models[part.name].train_parts((), head=False)
    return {name: model.eval() for name, model in models.items()}


def finished_encoder(trunk: Trunk, bundle: Bundle) -> AdapterEncoder:
    """A stored run's trunk and adapters, without its head."""
    check_trunk(trunk, bundle)
    composition = parse(bundle.manifest.composition)
    encoder = AdapterEncoder(trunk)
    for part in bundle.of("adapter"):
        with _stored_in(bundle, part):
            encoder.load(part.name, part.facts["kind"], part.facts["settings"], part.tensors)
    stored = {part.name: part for part in bundle.of("fusion")}
    for fuse in fusions(composition):
        encoder.load_fusion(fuse, stored[fusion_name(fuse)].tensors)
    encoder.activate(composition)
    encoder.from_layer = bundle.manifest.from_layer
    encoder.train_parts(())
    encoder.eval()
    return encoder


def check_trunk(trunk: Trunk, bundle: Bundle) -> None:
    """Refuse to put adapters on a trunk that they were not trained on.

    The same weights in half precision are the same trunk: theirs is the fingerprint of every value rounded.
    """
    expected, config, original = bundle.manifest.trunk, trunk.config, ""
    if trunk.fingerprint in expected.fingerprints:
        return
    if (config.num_hidden_layers, config.hidden_size) != (expected.layers, expected.hidden):
        what = f"the run was trained on a trunk of {expected.layers} layers of width {expected.hidden}"
        own = f"{config.num_hidden_layers} layers of width {config.hidden_size} ('{trunk.name}')"
        what += f" ('{expected.name}'), and this one is of {own}"
    else:
        copies = half_copies(trunk.name, trunk.revision, trunk.fingerprint)
        if expected.fingerprint in copies.values():
            return  # trained on the copy, read on the original
        own = f"the run was trained on weights {expected.fingerprint} ('{expected.name}')"
        what = f"{own}; '{trunk.name}' has others, {trunk.fingerprint}"
        halves = (half_of(expected.copies), half_of(copies))
        if all(halves) and len(set(halves)) > 1:
            what += f"; these are stored in {halves[1]} and those in {halves[0]}, and two roundings cannot be compared"
            original = ", or its float32 original"
    revision = f" at revision {expected.revision}" if expected.revision else ""
    named = known_trunk(bundle.folder) or f"{expected.name}{revision}"
    advice = f"use the trunk it was trained on{original}: --trunk {named}"
    raise ArtefactError(what, where=str(bundle.folder), do=advice)


@contextmanager
def _stored_in(bundle: Bundle, part: Part) -> Iterator[None]:
    """What is wrong with a part is wrong in its file."""
    try:
        yield
    except ArtefactError as error:
        where = str(bundle.folder / part.role / f"{part.name}.json")
        raise ArtefactError(error.what, where=where, do=error.do) from error


def _head(trunk: Trunk, format: str, labels: int, seed: int, **settings: Any) -> Head:
    outputs = trunk.config.vocab_size if formats[format].masked else labels
    return build_head(format, trunk.config.hidden_size, outputs, seed, trunk.mask_head, **settings)
