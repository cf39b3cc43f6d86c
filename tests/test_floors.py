"""The floors name every folder, and are those of the import-linter contract."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
FLOORS = next(contract for contract in CONTRACTS if contract["type"] == "layers")


def test_gives_every_folder_and_module_a_floor():
    on_a_floor = {name.strip() for floor in FLOORS["layers"] for name in floor.split("|")}
    library = ROOT / "adapter_stilts"
    folders = {path.name for path in library.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in library.glob("*.py")} - {"__init__", "__main__"}
    assert on_a_floor == folders | modules


def test_notices_a_folder_without_a_floor():
    assert FLOORS["exhaustive"] is True


def test_lets_one_file_import_each_backend_library():
    allowed = {
        contract["forbidden_modules"][0]: contract["ignore_imports"]
        for contract in CONTRACTS
        if "ignore_imports" in contract
    }
    assert allowed == {
        "ray": ["adapter_stilts.mining.cluster -> ray"],
        "peft": ["adapter_stilts.convert.libraries.peft_configs -> peft"],
    }
    assert ["adapters"] in [contract.get("forbidden_modules") for contract in CONTRACTS]
