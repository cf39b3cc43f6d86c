"""Work on a Ray cluster of two workers: the bytes and pairs of one process, workers that die, files they cannot see,
memory they must not have."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from adapter_stilts.errors import (
    ArtefactError,
    DoesNotFit,
    MissingError,
    StiltsError,
    TaskDataError,
    UnknownName,
    Unreachable,
    UsageError,
)
from adapter_stilts.mining.cluster import check_visible, cluster_of, connected
from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.mine import mine
from adapter_stilts.mining.request import Mining
from adapter_stilts.mining.workers import ReaderSpec, read_shard
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.reading import Overrides, Reading

WORDS = ("Anna", "bought", "apples", "Paris", "Monday", "cat", "sleeps", "table", "Berlin", "train", "seven")


@pytest.fixture(scope="module")
def address():
    """Two nodes on this machine with a worker each."""
    pytest.importorskip("ray", reason="ray is not installed: pip install 'adapter-stilts[ray]'")
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }  # as a rule workers give way to everything else
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.add_node(**node)
    yield made.address
    made.shutdown()


@pytest.fixture(scope="module")
def hands(address):
    """One connection for all tests: coming and going costs seconds."""
    with connected(address) as found:
        yield found


@pytest.fixture
def text(tmp_path):
    def write(name, shift, rows=90):
        lines = [
            " ".join(WORDS[(number * shift + place) % 11] for place in range(2 + number % 7)) for number in range(rows)
        ]
        lines[7], lines[40] = "", lines[3]
        (tmp_path / name).write_text("".join(line + "\n" for line in lines))
        return tmp_path / name

    return write


@pytest.fixture
def encoded(tmp_path, tiny_folder):
    def run(path, out, report=None, **more):
        wanted = Overrides(centring=more.pop("centring", None))
        request = Encoding(path, trunk=str(tiny_folder), precision="fp32", wanted=wanted, shard_rows=16, **more)
        return encode(
            request,
            out=tmp_path / out,
            runs=tmp_path / f"runs-{out}",
            overwrite=False,
            dry_run=False,
            report=report or Silent(),
        )

    return run


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


@pytest.mark.parametrize("more", [{}, {"dtype": "int8", "centring": True}])
def test_encodes_to_the_same_bytes(encoded, text, hands, address, tmp_path, more):
    path = text("a.txt", 3)
    encoded(path, "here", **more)
    found = encoded(path, "there", engine="ray", ray_address=address, limit_gb=2.0, **more)
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert len(content(tmp_path / "there")) >= 13
    assert 0 < found["worker_peak_memory"] < 2e9


def test_gives_a_dead_worker_s_piece_to_another(encoded, text, hands, address, tmp_path):
    """Both workers are killed once the first shard is written; the folder is the same all the same."""
    path, killed = text("a.txt", 3), []

    class Kills(Silent):
        @contextmanager
        def progress(self, label):
            def advance(done, total, detail=""):
                if label.startswith("encoding") and done and not killed:
                    killed.extend(workers())
                    for pid in killed:
                        os.kill(pid, signal.SIGKILL)

            yield advance

    encoded(path, "here")
    encoded(path, "there", engine="ray", ray_address=address, report=Kills())
    assert killed
    assert content(tmp_path / "there") == content(tmp_path / "here")


def workers():
    """The processes of Ray's workers, of the clusters that this test has started."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                names[int(entry.name)] = (entry / "cmdline").read_bytes()
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return [
        pid
        for pid, name in names.items()
        if name.startswith((b"ray::IDLE", b"ray::_guarded")) and descends(pid, parents)
    ]


def descends(pid, parents):
    while pid in parents:
        if pid == os.getpid():
            return True
        pid = parents[pid]
    return False


def test_tries_a_piece_again_whose_worker_died_of_it(hands, tmp_path):
    mark = str(tmp_path / "mark")

    def dies_once(number):
        if number == 2 and not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), 9)
        return number * number

    assert list(hands.each(dies_once, [(number,) for number in range(5)])) == [0, 1, 4, 9, 16]
    assert os.path.exists(mark)


@pytest.mark.parametrize("more", [{}, {"index": "ivf", "centring": True}, {"limit_gb": 3.0, "margin": "csls"}])
def test_mines_the_same_pairs(text, hands, address, tmp_path, tiny_folder, more):
    fields = {
        "source": text("s.txt", 3),
        "target": text("t.txt", 5),
        "trunk": str(tiny_folder),
        "precision": "fp32",
        "json_lines": True,
    }

    def run(name, **engine):
        wanted = Overrides(**{key: value for key, value in more.items() if key in ("margin", "centring")})
        others = {key: value for key, value in more.items() if key not in ("margin", "centring")}
        asked = Mining(**fields, wanted=wanted, **others, **engine)
        return mine(
            asked, out=tmp_path / name, runs=tmp_path / f"runs-{name}", overwrite=False, dry_run=False, report=Silent()
        )

    here, there = run("here"), run("there", engine="ray", ray_address=address)
    assert there["pairs"] == here["pairs"] > 20
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_searches_vectors_in_pieces(hands, address, tmp_path, monkeypatch):
    draw = np.random.default_rng(4)
    for name in "st":
        np.save(tmp_path / f"{name}.npy", draw.standard_normal((700, 24), dtype=np.float32) + 1)
    asked = Mining(source_vectors=tmp_path / "s.npy", target_vectors=tmp_path / "t.npy")
    monkeypatch.setattr("adapter_stilts.retrieval.plan.fit", lambda *values: steps)
    from adapter_stilts.retrieval.search import Steps

    steps = Steps(200, 128)
    for name, engine in (("here", {}), ("there", {"engine": "ray", "ray_address": address})):
        mine(
            replaced(asked, **engine),
            out=tmp_path / name,
            runs=tmp_path / "runs",
            overwrite=False,
            dry_run=False,
            report=Silent(),
        )
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def replaced(request, **fields):
    from dataclasses import replace

    return replace(request, **fields)


def test_brings_an_error_of_a_worker_across(hands, tmp_path):
    def fails(kind):
        if kind == "ours":
            raise TaskDataError("a vector is zero", where="a.npy, line 3", do="encode it again")
        raise ValueError("something else")

    with pytest.raises(TaskDataError, match="a vector is zero") as told:
        list(hands.each(fails, [("ours",)]))
    assert told.value.where.startswith("a.npy, line 3 (node ")
    assert told.value.do == "encode it again"
    with pytest.raises(StiltsError, match="the cluster failed"):
        list(hands.each(fails, [("other",)]))


def test_says_which_file_a_worker_cannot_see(hands, tmp_path):
    with pytest.raises(MissingError, match="a worker of the cluster cannot see a file") as told:
        list(hands.each(check_visible, [([tmp_path / "gone"],)]))
    assert "gone (node " in told.value.where
    spec = ReaderSpec(None, str(tmp_path / "trunk"), None, "fp32", 1, "x")
    with pytest.raises(MissingError, match="cannot see a file"):
        list(hands.each(read_shard, [(spec, [], [], Reading((1,), "mean", 64, 512))]))


def test_refuses_another_trunk_in_the_same_place(hands, tiny_folder):
    spec = ReaderSpec(None, str(tiny_folder), None, "fp32", 1, "another")
    with pytest.raises(ArtefactError, match="has another trunk or other adapters there"):
        list(hands.each(read_shard, [(spec, [], [], Reading((1,), "mean", 64, 512))]))


def test_keeps_workers_below_the_limit(hands, tmp_path):
    from adapter_stilts.mining.workers import SideSpec, search_rows
    from adapter_stilts.retrieval.plan import SearchPlan
    from adapter_stilts.retrieval.search import Piece, Way

    np.save(tmp_path / "v.npy", np.ones((8, 4), dtype=np.float32))
    side, rows = SideSpec(tmp_path / "v.npy", 8, 4, ""), np.arange(8)
    plan = SearchPlan(Way(), "asked for", 2, 1e8, 0)
    with pytest.raises(DoesNotFit, match="a worker needs .* the limit is 0.10 GB"):
        list(hands.each(search_rows, [(side, side, plan, None, Piece((0, 8), (0, 8)), rows, rows)]))


def test_refuses_where_there_is_no_cluster(monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(Unreachable, match="no Ray cluster answers") as told, cluster_apart(None):
        pass
    assert told.value.where == "127.0.0.1:1"
    assert "ray start --head" in told.value.do


@contextmanager
def cluster_apart(address):
    """As `cluster`, whether this process is connected already or not."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "is_initialized", lambda: False)
        with connected(address) as found:
            yield found


def test_says_how_ray_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="which is not installed") as told, connected("auto"):
        pass
    assert told.value.do == "pip install 'adapter-stilts[ray]'"


def test_refuses_what_does_not_go_together(tmp_path):
    with pytest.raises(UnknownName, match="no engine called 'rai'"), cluster_of("rai", None):
        pass
    with pytest.raises(UsageError, match="without --engine ray"), cluster_of("local", "auto"):
        pass
    asked = Mining(source_vectors=tmp_path, target_vectors=tmp_path, score_only=tmp_path, engine="ray")
    with pytest.raises(UsageError, match="pairs to score on a cluster"):
        mine(asked, out=tmp_path / "x", runs=tmp_path, overwrite=False, dry_run=False, report=Silent())
