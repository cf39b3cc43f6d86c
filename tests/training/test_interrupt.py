import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from plans import plan as make_plan

from adapter_stilts.training.interrupt import StopSignal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", SIGNALS)
def test_asks_at_the_first_signal_and_aborts_at_the_second(number, capfd):
    with StopSignal() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert "once more aborts at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_takes_a_launchers_repetition_for_one_request(monkeypatch, capfd):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with StopSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_restores_the_old_handlers(capfd):
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopSignal():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_works_without_handlers_in_another_thread():
    seen = []

    def use():
        with StopSignal() as stop:
            stop.request()
            seen.append(stop.requested)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [True]


@pytest.mark.parametrize("number", SIGNALS)
def test_ends_a_training_with_exit_code_130_and_a_checkpoint(tmp_path, number):
    plan = make_plan(max_steps=10000, token_budget=150).model_dump_json()
    command = [sys.executable, str(Path(__file__).with_name("toy.py")), str(tmp_path), plan, "--pause", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line == "step 5\n":
                process.send_signal(number)
                break
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "progress is saved" in out
    assert "--resume" in out
    assert signal.Signals(number).name in error
    assert len(list((tmp_path / "checkpoints").glob("step-*"))) == 1
