"""The benchmark of the model server: that it measures what it says, not how fast anything is."""

import asyncio
import base64
import collections
import json
import os
import socket
from dataclasses import replace

import pytest
import tensorflow as tf

from darkroom.benchmarks.serving import parts, report
from darkroom.benchmarks.serving.__main__ import main
from darkroom.benchmarks.serving.flask_app import create_app
from darkroom.benchmarks.serving.load import Job, Load, Recorder, percentile, summarize
from darkroom.benchmarks.serving.models import build_adder
from darkroom.benchmarks.serving.processes import BenchmarkError, Server, put_load
from darkroom.benchmarks.serving.profile import Profile, count_functions, read_stacks
from darkroom.serving.model_server import ModelServer, ServerConfig

SHOWN: list[parts.Row] = []


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    build_adder(folder / "adder" / "1")
    return parts.Plan(
        models=folder, work=folder, seconds=0.5, warm_up_seconds=0.1, limit_seconds=0.1,
        batch_size=8, batch_micros=0, batch_threads=1, profile=False, note=lambda text: None,
        show=SHOWN.append,
    )  # fmt: skip


@pytest.fixture(scope="module")
def adder(plan):
    """A server in this process."""
    config = ServerConfig(model_name="adder", model_base_path=plan.models / "adder")
    with ModelServer(config) as server:
        addresses = (f"127.0.0.1:{port}" for port in (server.rest_port, server.grpc_port))
        yield Server(os.getpid(), *addresses)


@pytest.mark.parametrize("protocol", parts.PROTOCOLS)
def test_overhead_of_a_server_is_measured(plan, adder, protocol):
    job = parts.create_job(plan, adder, "adder", protocol)
    one, many = parts.overhead_rows(plan, adder, job, protocol)
    assert (one["load"], many["load"]) == ("1 caller", "saturation")
    assert [row is shown for row, shown in zip((one, many), SHOWN[-2:], strict=True)] == [True] * 2
    for row in (one, many):
        assert row["errors"] == {}
        assert row["rate"] == pytest.approx(row["requests"] / 0.5, rel=0.2)
        assert 0 < row["p50_ms"] <= row["p99_ms"] < 30_000
        assert 0 < row["server_cpu_seconds"] < 10
        assert 0 < row["cpu_seconds"] < 10
    # Callers that wait for each other's answers wait longer.
    assert many["p50_ms"] > one["p50_ms"]


def test_a_measurement_is_told_in_one_line():
    row = {"what": "REST", "load": "half load", "rate": 1234.5, "p50_ms": 2.0, "errors": {}}
    assert report.describe_row(row) == "REST, half load: 1,234 requests/s, 2.0 p50 ms"


def test_flask_calls_the_signature_of_the_same_saved_model(tmp_path):
    class Echo(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def classify(self, image_bytes):
            size = tf.cast(tf.strings.length(image_bytes), tf.float32)
            return {"label": tf.strings.upper(image_bytes), "score": size}

    model = Echo()
    tf.saved_model.save(model, str(tmp_path), {"serving_default": model.classify})
    client = create_app(str(tmp_path)).test_client()
    answer = client.post("/predict", json={"image": base64.b64encode(b"abc").decode()})
    assert answer.get_json() == {"label": "ABC", "score": 3.0}


def test_an_open_loop_sends_at_its_rate(plan, adder):
    job = parts.create_job(plan, adder, "adder", "rest")
    result = put_load(adder, replace(job, rate=50.0, seconds=2.0))
    assert result["errors"] == {}
    assert 50 < result["requests"] < 160
    assert result["late_p99_ms"] >= 0


def test_answers_that_are_wrong_or_refused_do_not_count(plan, adder):
    job = parts.create_job(plan, adder, "adder", "rest")
    with pytest.raises(BenchmarkError, match=r"no answers.*a wrong answer"):
        put_load(adder, replace(job, callers=1, expected="something else"))
    with pytest.raises(BenchmarkError, match=r"no answers.*HTTP 404"):
        put_load(adder, replace(job, callers=1, path="/v1/models/nobody:predict"))


def test_a_server_that_is_gone_is_no_answer(plan):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        gone = Server(os.getpid(), address, address)
        job = parts.create_job(plan, gone, "adder", "rest")
        with pytest.raises(BenchmarkError, match=r"no answers.*cannot connect"):
            put_load(gone, replace(job, callers=1))


class SlowConnection:
    """Answers after a while."""

    is_open = True

    async def ask(self, request, timeout_seconds):
        await asyncio.sleep(0.02)
        return b"right"

    async def close(self):
        pass


def run_load(**options):
    async def connect():
        return SlowConnection()

    async def run():
        job = Job("rest", "", "", "", "right", warm_up_seconds=0.05, seconds=0.5, **options)
        return await Load(job, connect, [b"request"]).run()

    return asyncio.run(run())


def test_closed_loop_asks_as_often_as_it_is_answered():
    result = run_load(callers=4)
    assert 20 < result["requests"] <= 4 * 0.55 / 0.02
    assert result["p50_ms"] >= 20


def test_open_loop_does_not_wait_for_answers():
    result = run_load(rate=400.0)
    # One after the other would be 25 at most.
    assert result["requests"] > 60


def test_percentiles_are_values_that_were_measured():
    values = list(range(1, 101))
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7], 0.99) == 7


def test_what_ends_outside_the_measured_time_is_left_out():
    recorder = Recorder()
    recorder.add(9.0)
    recorder.on = True
    recorder.add(0.5)
    recorder.add_error("HTTP 503")
    summary = summarize(recorder, seconds=2.0)
    assert (summary["requests"], summary["rate"]) == (1, 0.5)
    assert summary["p99_ms"] == 500
    assert summary["errors"] == {"HTTP 503": 1}


def test_profile_counts_functions_whatever_their_line():
    lines = ["run (a.py:1);read (b.py:5) 3", "run (a.py:2);read (b.py:6) 2", "run (a.py:2) 5", ""]
    own, within = count_functions(read_stacks(lines))
    assert own == {"read (b.py)": 5, "run (a.py)": 5}
    assert within == {"read (b.py)": 5, "run (a.py)": 10}
    table = Profile(read_stacks(lines)).table()
    assert "10 samples" in table
    assert " 50.0% 100.0%  run (a.py)" in table


def test_profile_that_failed_says_why():
    assert Profile(collections.Counter(), "not allowed").table() == "no profile: not allowed"


def test_ratios_are_those_of_the_aims():
    rows = [
        {"what": "model alone", "load": "1 caller", "rate": 100.0, "call_p50_ms": 5.0},
        {"what": "REST", "load": "half load", "rate": 45.0, "p99_ms": 10.0},
        {"what": "REST", "load": "saturation", "rate": 90.0, "p99_ms": 20.0},
        {"what": "Flask", "load": "saturation", "rate": 3.0, "p99_ms": 50.0},
    ]
    parts.compare(rows)
    assert rows[2]["of_limit"] == 0.9
    assert rows[2]["times_flask"] == 30.0
    assert rows[1]["p99_in_calls"] == 2.0
    assert "times_flask" not in rows[3]


def test_errors_and_limit_are_told_below_the_table():
    rows = [
        {"what": "model alone", "load": "1 caller", "rates": {"1": 5.0}, "call_p50_ms": 1.0},
        {"what": "REST", "load": "half load", "late_p99_ms": 1.0, "errors": {"HTTP 503": 2}},
    ]
    text = "\n".join(report.describe_rest(rows))
    assert "1: 5" in text
    assert "Not answered at REST, half load: 2 × HTTP 503." in text


def test_a_part_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "no such part; choose from digits, resnet50, overhead" in capsys.readouterr().err


def test_what_is_written_as_json_can_be_read(plan, monkeypatch, tmp_path):
    monkeypatch.setattr("darkroom.benchmarks.serving.__main__.run_module", lambda *a, **k: "")
    row = {"what": "REST", "load": "1 caller", "rate": 1.0}
    monkeypatch.setitem(main.__globals__["PARTS"], "overhead", lambda plan: [dict(row)])
    assert main(["overhead", "--json", str(tmp_path / "numbers.json")]) == 0
    assert json.loads((tmp_path / "numbers.json").read_text()) == {"overhead": [row]}
