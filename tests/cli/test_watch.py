"""`assay watch`: one look, a stream, an exporter, a recording, and a history taken in."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.telemetry.site import free_port, prometheus, until

from assay import store
from assay.cli.main import main
from assay.cli.watch_import import span
from assay.errors import InputError
from assay.telemetry import recording

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "recorded" / "telemetry"
NVIDIA = RECORDED / "nvidia-h100.jsonl"
ASSAY = [sys.executable, "-c", "from assay.cli.main import main; main()", "watch"]


def assay(capsys, *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["watch", *args])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_one_look_at_this_machine_is_a_table(capsys):
    code, out, _ = assay(capsys, "--once", "--vendor", "host")
    assert code == 0
    assert "host" in out
    assert "busy" in out


def test_in_a_pipe_a_look_is_a_line_of_json():
    done = subprocess.run(
        [*ASSAY, "--vendor", "host", "--seconds", "2.2", "--period", "1"], capture_output=True, text=True, check=True
    )
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) >= 2
    host = rounds[-1]["devices"][0]
    assert host["answers"]
    assert 0 <= host["readings"]["host.cpu.busy"] <= 1
    assert "accel.busy" not in host["readings"]  # what is not there is not 0


def test_another_machines_recording_is_played_as_if_it_were_here(capsys, monkeypatch):
    monkeypatch.setenv("ASSAY_REPLAY_PACE", "full")
    code, out, _ = assay(capsys, "--replay", str(NVIDIA), "--once", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert any(d["vendor"] == "NVIDIA" for d in found["devices"])


def test_what_this_machine_says_can_be_recorded_and_played(capsys, tmp_path):
    path = tmp_path / "raw.jsonl"
    code, _, err = assay(capsys, "--record", str(path), "--vendor", "host", "--seconds", "1.2", "--period", "0.5")
    assert code == 0
    assert "assay watch --replay" in err
    assert json.loads(path.read_text().splitlines()[0])["vendor"] == "host"
    assert assay(capsys, "--replay", str(path), "--once")[0] == 0


def test_an_exporter_serves_this_machine_until_it_is_stopped():
    command = [*ASSAY, "--vendor", "host", "--export", "prometheus", "--listen", "127.0.0.1:0", "--seconds", "30"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
            time.sleep(1.2)
            with urllib.request.urlopen(url, timeout=10) as answer:
                page = answer.read().decode()
        finally:
            process.terminate()
            process.wait(20)
    assert "system_memory_usage_bytes" in page
    assert "assay_up 1" in page


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--export", "prometheus", "--listen", "nowhere", "--vendor", "host"], 2, "HOST:PORT"),
        (["--export", "otlp", "--vendor", "host"], 2, "--endpoint"),
        (["--vendor", "nvidiaa", "--once"], 2, 'did you mean "nvidia"'),
        (["--export", "otlp", "--endpoint", "nonsense"], 2, "--endpoint: nonsense: this is no address"),
        (["--seconds", "nan"], 2, "--seconds"),
        (["--seconds", "-1"], 2, "--seconds"),
        (["--period", "nan"], 2, "--period"),
        (["--record", "x"], 2, "--vendor"),
        (["--import", "http://127.0.0.1:9", "--last", "10q"], 2, '--last: "10q": "q" is not a unit'),
        (["--import", "http://127.0.0.1:9", "--last=-1h"], 2, '--last: "-1h" is no length of time'),
        (["--import", "http://127.0.0.1:9", "--last", "1e300h"], 2, '--last: "1e300h" reaches too far back'),
        (["--import", "http://127.0.0.1:9", "--last", "100000day"], 2, "--last"),
        (["--import", "http://127.0.0.1:9", "--from", "0001-01-01"], 2, "--from: 0001-01-01 is too early"),
        (["--import", "http://127.0.0.1:9", "--until", "soon"], 2, "--until"),
        (["--import", "http://127.0.0.1:9", "--from", "2024-02-01", "--until", "2024-01-01"], 2, "is not before"),
        (["--import", "http://127.0.0.1:9", "--last", "soon"], 2, "soon"),
        (["--import", "http://127.0.0.1:9", "--from", "yesterday"], 2, "is no time"),
        (["--import", "http://127.0.0.1:9", "--header", "token"], 2, "NAME:VALUE"),
    ],
)
def test_what_cannot_be_used_says_what_to_write(capsys, args, code, says):
    found, _, err = assay(capsys, *args)
    assert found == code
    assert says in err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("2d", 172800), ("90s", 90), ("1w", 604800), ("10 min", 600), ("1.5h", 5400)],
)
def test_a_length_of_time_is_read_as_prometheus_writes_it_and_as_we_do(text, seconds):
    assert span(text) == seconds


def test_the_time_to_stop_does_not_wait_for_a_period(capsys):
    begin_s = time.monotonic()
    code, out, _ = assay(capsys, "--vendor", "host", "--period", "3600", "--seconds", "0.5", "--format", "json")
    assert code == 0
    assert json.loads(out.splitlines()[0])["devices"]
    assert time.monotonic() - begin_s < 30


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\0" * 400, "longer than"),
        ('{"vendor": "nvidia"}\n', "holds no answers"),
        ('{"vendor": "nvidia"}\n' + "[" * 400, "longer than"),
    ],
)
def test_a_recording_that_says_nothing_is_refused_at_once(capsys, monkeypatch, tmp_path, text, says):
    monkeypatch.setattr(recording, "LONGEST", 300)
    path = tmp_path / "raw.jsonl"
    path.write_text(text)
    code, _, err = assay(capsys, "--replay", str(path), "--once")
    assert (code, says in err) == (2, True)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"at_s": 0, "raw": ' + "[" * 100_000])
def test_a_line_of_brackets_is_no_recording(tmp_path, text):
    path = tmp_path / "raw.jsonl"
    path.write_text('{"vendor": "nvidia"}\n' + text + "\n" if text.startswith("{") else text + "\n")
    with pytest.raises(InputError, match=r"recording|no answer"):
        next(recording.opened(path)[1])


def test_an_export_of_which_nothing_was_taken_is_exit_3(capsys):
    code, _, err = assay(
        capsys, "--vendor", "host", "--export", "otlp", "--endpoint", "http://127.0.0.1:9", "--seconds", "0.5"
    )
    assert code == 3
    assert "pushes was taken" in err


def test_a_server_that_cannot_be_reached_is_exit_3_and_leaves_no_run(capsys, tmp_path):
    code, _, err = assay(capsys, "--import", "http://127.0.0.1:9", "--last", "10 min", "--out", str(tmp_path))
    assert code == 3
    assert "127.0.0.1:9" in err
    assert store.list_runs(tmp_path) == ()


def test_a_machine_without_such_a_device_says_so(capsys):
    code, _, err = assay(capsys, "--once", "--vendor", "graphcore")
    assert code == 3
    assert "assay doctor" in err


def tried(prometheus_url: str) -> bool:
    """Whether Prometheus has begun to ask its target; until then some seconds pass."""
    with urllib.request.urlopen(f"{prometheus_url}/api/v1/targets", timeout=10) as answer:
        return any(target["health"] != "unknown" for target in json.load(answer)["data"]["activeTargets"])


def test_what_an_exporter_showed_comes_back_through_a_real_prometheus(capsys, tmp_path):
    """The whole way: a recorded NVIDIA machine is exported, scraped by Debian's Prometheus, and imported as a run."""
    port = free_port()
    command = [*ASSAY, "--replay", str(NVIDIA), "--export", "prometheus", "--names", "dcgm"]
    runs = str(tmp_path / "runs")
    with prometheus(tmp_path, {"dcgm": f"127.0.0.1:{port}"}) as url:
        until(lambda: tried(url))
        with subprocess.Popen([*command, "--listen", f"127.0.0.1:{port}", "--seconds", "8"], stderr=subprocess.DEVNULL):
            pass
        code, _, err = assay(
            capsys, "--import", url, "--last", "1 min", "--match", 'job="dcgm"', "--out", runs, "--format", "json"
        )
    assert code == 0, err
    (folder,) = store.list_runs(tmp_path / "runs")
    run = store.load(folder)
    cards = [d for d in run.devices if d.vendor == "NVIDIA" and not d.parent]
    assert cards
    power = [s for s in store.telemetry(folder, metrics=["accel.power_w"]) if s.of in {d.id for d in cards}]
    assert power
    assert all(len(s) >= 5 for s in power)
    assert "assay report" in err
