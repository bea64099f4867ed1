import logging
import os
import subprocess
import sys

from darkroom.runner.output import PROGRESS_LOGGER, logged_to, progress_to


def test_all_output_goes_to_the_log_and_the_terminal_stays_reachable(tmp_path, capfd):
    log = tmp_path / "run.log"
    with logged_to(log) as terminal:
        os.write(1, b"native out\n")
        os.write(2, b"native err\n")
        print("python out", flush=True)
        subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
        logging.getLogger("tfx").info("a library")
        terminal.write("for the user\n")
    print("afterwards", flush=True)
    written = log.read_text()
    for line in ("native out", "native err", "a child", "a library"):
        assert line in written
    assert "for the user" not in written
    out, err = capfd.readouterr()
    assert out.endswith("for the user\nafterwards\n")
    assert "native" not in out + err


def test_the_log_is_added_to_and_an_error_gives_the_terminal_back(tmp_path, capfd):
    log = tmp_path / "run.log"
    log.write_text("before\n")
    try:
        with logged_to(log):
            os.write(1, b"inside\n")
            raise KeyError("gone")
    except KeyError:
        pass
    os.write(1, b"outside\n")
    assert log.read_text().startswith("before\ninside\n")
    assert capfd.readouterr().out == "outside\n"


def test_progress_reaches_its_handler_only_inside():
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = logging.getLogger(PROGRESS_LOGGER)
    with progress_to(handler):
        logger.info("epoch %d", 1)
    logger.info("epoch 2")
    assert records == ["epoch 1"]
