"""What is set before libraries read it, and what is told of memory."""

import os
import subprocess
import sys

import pytest

from adapter_stilts import environment as facts


def test_waiting_threads_sleep_soon_unless_a_person_says_otherwise():
    for given, expected in (
        ({}, facts.SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ):
        facts.patient_threads(given)
        assert given.get("GOMP_SPINCOUNT") == expected


def test_few_shapes_are_remembered_unless_a_person_says_otherwise(monkeypatch):
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "5")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    facts.bound_operator_caches()
    assert (os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == ("5", facts.SHAPES_KEPT)


def test_memory_is_the_least_of_machine_and_limits(monkeypatch):
    machine = facts.memory_there_is()
    assert 1e8 < machine <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(facts.resource, "getrlimit", lambda which: (10**9, 10**9))
    assert facts.memory_there_is() == min(machine, 10**9)


def test_peak_memory_is_that_of_the_process_alone():
    held = bytearray(400 * 10**6)
    held[:: 4096] = bytes(len(held[:: 4096]))
    code = "from adapter_stilts.environment import peak_memory; print(peak_memory('cpu'))"
    found = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert facts.peak_memory("cpu") > 400 * 10**6 > 0
    assert found < 350 * 10**6
    assert len(held) == 400 * 10**6


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_memory_is_given_back_where_the_system_can_take_it(monkeypatch, platform):
    monkeypatch.setattr(facts.sys, "platform", platform)
    facts.give_back_memory()
