import threading

from darkroom.trainer import watchdog as module
from darkroom.trainer.watchdog import Watchdog


def test_watchdog_stays_quiet_while_something_happens_and_ends_with_its_block(monkeypatch):
    exits = []
    monkeypatch.setattr(module.os, "_exit", exits.append)
    watchdog = Watchdog(30.0)
    with watchdog.watching():
        watchdog.progressed()
    assert not exits
    assert "training-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_watchdog_ends_a_process_that_hangs(monkeypatch, caplog):
    ended = threading.Event()
    codes = []
    monkeypatch.setattr(module.logging, "shutdown", lambda: None)
    monkeypatch.setattr(module.os, "_exit", lambda code: (codes.append(code), ended.set()))
    with Watchdog(0.01).watching():
        assert ended.wait(30)
    assert codes == [1]
    assert "no training step ended within 0.01 s; another worker hangs" in caplog.text
