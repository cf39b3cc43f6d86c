"""One file per language: how its clauses are built. Word forms are in `lexicons/`."""

from __future__ import annotations

import importlib
from functools import cache

from adapter_stilts.miniature.grammar import Grammar

LANGUAGES = ("en", "de", "es", "ru", "tr", "fi", "hi", "sw", "ar", "ja")


@cache
def grammar(code: str) -> Grammar:
    """The grammar of a language."""
    module = importlib.import_module(f"adapter_stilts.miniature.languages.{code}")
    built: Grammar = module.GRAMMAR()
    return built
