"""A report as one HTML file that needs nothing else: no network, no script, no font. All text is escaped by the
template, and the policy in its head lets nothing but its own style sheet act."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from adapter_stilts.environment import versions
from adapter_stilts.errors import shown
from adapter_stilts.reports.charts import STYLES, bar, drawn
from adapter_stilts.reports.page import NUMBERS, POINTS, Bars, Column, Heat, Lines, Part, Table

FORMS = {Table: "table", Heat: "heat", Bars: "bars", Lines: "lines"}


def html(parts: Sequence[Part]) -> str:
    """The whole file."""
    style = _text("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = " and ".join(part.name for part in parts)
    return _template().render(
        parts=parts, style=style, policy=policy, title=title, version=versions()["adapter-stilts"]
    )


@cache
def _template() -> jinja2.Template:
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    loader = jinja2.DictLoader({"report": _text("report.html.j2"), "charts": _text("charts.html.j2")})
    environment = jinja2.Environment(autoescape=True, finalize=_visible, loader=loader, **options)
    environment.filters |= {"form": lambda block: FORMS[type(block)], "drawn": drawn, "shade": _shade}
    environment.filters |= {"points": Column("", POINTS).shown}
    environment.globals |= {"bar": bar, "NUMBERS": NUMBERS, "STYLES": STYLES}
    return environment.get_template("report")


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _visible(value: object) -> object:
    """Control characters of texts that may be others' are written, so that they neither hide nor turn what follows."""
    return shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _shade(shade: int | None) -> str:
    """The class of a cell's colour."""
    return "" if shade is None else f"{'n' if shade < 0 else 'p'}{abs(shade)}"
