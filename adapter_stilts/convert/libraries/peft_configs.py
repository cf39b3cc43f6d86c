"""peft's configurations, by its own classes: what they write, and which module of a model they mean.

The one file that imports peft, which takes seconds.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from peft import PEFT_TYPE_TO_CONFIG_MAPPING, IA3Model, PeftType
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from adapter_stilts.errors import ArtefactError


def written(method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """adapter_config.json of a method ("LORA", "IA3", "VERA"), with every default of the peft that is installed."""
    content = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method)](**fields).to_dict()
    return {name: sorted(value) if isinstance(value, set) else value for name, value in sorted(content.items())}


def read(content: Mapping[str, Any], heeded: Collection[str], where: str) -> Any:
    """The configuration of an adapter_config.json; ArtefactError names a key that says something we do not do.

    heeded  the keys that the caller looks at, or that decide nothing once an adapter is trained
    """
    made = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(content["peft_type"])]
    fields = {field.name: field for field in dataclasses.fields(made)}
    usual = {name: field.default_factory() if callable(field.default_factory) else field.default
             for name, field in fields.items()}  # fmt: skip
    for name, value in content.items():
        plain = value in (None, False, usual.get(name)) or value == [] or value == {}
        if name not in heeded and not plain:
            what = f"{name} is {value!r}, which has no equal here"
            raise ArtefactError(what, where=where, do="train or save the adapter without it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return made(**{name: value for name, value in content.items() if name in fields})
    except (TypeError, ValueError) as error:
        raise ArtefactError(f"peft does not accept it: {error}", where=where, do="fetch the adapter again") from error


def means(config: Any, module: str) -> bool:
    """Whether a configuration changes the module of that name."""
    return bool(check_target_module_exists(config, module))


def is_feedforward(config: Any, module: str) -> bool:
    """Whether (IA)^3 scales what goes into a module that it changes, not what comes out."""
    return bool(config.feedforward_modules) and bool(IA3Model._check_target_module_feedforward(config, module))


def of_pattern(pattern: Mapping[str, Any] | None, module: str, usual: Any) -> Any:
    """What a pattern (rank_pattern, alpha_pattern) says of a module, else what is usual."""
    return (pattern or {}).get(get_pattern_key(list(pattern or ()), module), usual)
