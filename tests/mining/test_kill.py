"""A mining that is killed at any moment, and started again, ends with the bytes of one that was not."""

from __future__ import annotations

import multiprocessing
import random
import runpy
import signal
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def process():
    """`process(fields, out, pause)`: a mining in a fresh process, forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["adapter_stilts.mining.mine"])

    def start(fields, out, pause=0.0):
        given = {"FIELDS": fields, "OUT": str(out), "PAUSE": pause}
        one = context.Process(
            target=runpy.run_path, args=(str(Path(__file__).with_name("start.py")), given, "__main__")
        )
        one.start()
        return one

    return start


def killed_and_finished(process, fields, out, draw, kills):
    met = 0
    for _ in range(kills):
        one = process(fields, out, pause=0.01)
        time.sleep(draw.uniform(0.0, 0.6))
        one.kill()
        one.join()
        met += one.exitcode == -signal.SIGKILL
    one = process(fields, out)
    one.join()
    assert one.exitcode == 0
    return met


@pytest.mark.slow
@pytest.mark.parametrize("index", ["exact", "ivf-pq"])
def test_ends_with_the_same_bytes_after_ten_kills(process, put, planted, tmp_path, index):
    fields = {**put(planted(pairs=300, more=200)), "index": index}
    one = process(fields, tmp_path / "whole.tsv")
    one.join()
    assert one.exitcode == 0
    assert killed_and_finished(process, fields, tmp_path / "pairs.tsv", random.Random(time.time_ns()), 10) > 0
    assert (tmp_path / "pairs.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert (tmp_path / "whole.tsv").stat().st_size > 0
    assert not (tmp_path / "pairs.tsv.work").exists()
