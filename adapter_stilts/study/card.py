"""The model card: what the run is, on what it was trained, how good it is, under which licence, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from adapter_stilts.files import write_text
from adapter_stilts.sharing.manifest import Manifest


def write_card(folder: Path, manifest: Manifest, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write README.md; `rows` are those of results.json."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    template = Path(__file__).with_name("card.md.j2").read_text(encoding="utf-8")
    write_text(folder / "README.md", environment.from_string(template).render(m=manifest.model_dump(), rows=rows))
