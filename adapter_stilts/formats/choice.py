"""A prompt and several endings, one of them right."""

from __future__ import annotations

from adapter_stilts.formats.base import Format, register


@register
class ChoiceFormat(Format):
    name = "choice"
    metrics = ("accuracy",)
    one_language = True
