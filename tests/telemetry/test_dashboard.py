"""The dashboard that ships asks for what the exporter writes, and a real Prometheus answers every question it asks."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.telemetry.site import AMD, HOST, HOSTNAME, Fake, prometheus, until

import assay
from assay.telemetry import names
from assay.telemetry.exporter import render, serve

BOARD: dict[str, Any] = json.loads(
    (Path(assay.__file__).parent / "data" / "grafana" / "assay.json").read_text(encoding="utf-8")
)
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def questions() -> Iterator[str]:
    for panel in PANELS:
        yield from (target["expr"] for target in panel["targets"])
    for variable in BOARD["templating"]["list"]:
        yield from re.findall(r"label_values\(([^,]*|[^{]*{.*}), \w+\)", str(variable["query"]))


def test_every_metric_it_asks_for_is_one_that_the_exporter_writes() -> None:
    written = {*names.families(), "assay_up", "assay_device_up"}
    asked = {name for expr in questions() for name in re.findall(r"[a-z_][a-z0-9_]*(?=\{)|\bassay_\w+", expr)}
    assert len(asked) > 25
    assert asked <= written


def test_every_label_it_asks_for_is_one_that_the_exporter_writes() -> None:
    whole = Fake(1)()
    assert whole is not None
    written = set(re.findall(r'(\w+)="', render(whole, whole.at_s[HOST.id])))
    asked = {label for expr in questions() for label in re.findall(r"(\w+)=~?\"", expr)}
    shown = {
        label for panel in PANELS for target in panel["targets"]
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"])
    }  # fmt: skip
    assert {"hw_id", "host_name", "hw_type"} <= asked
    assert asked | shown <= written


def test_it_is_one_row_a_host_with_the_panels_that_were_promised() -> None:
    (row,) = [panel for panel in BOARD["panels"] if panel.get("repeat")]
    assert (row["type"], row["repeat"]) == ("row", "host")
    titles = " ".join(panel["title"].lower() for panel in PANELS)
    for subject in (
        "busy",
        "cores",
        "matrix",
        "memory",
        "power",
        "temperature",
        "clocks",
        "throttled",
        "energy",
        "traffic",
        "host",
    ):
        assert subject in titles


def test_grafana_can_lay_it_out() -> None:
    assert BOARD["schemaVersion"] >= 36, "Grafana 9.1 and newer read it without migrating"
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    sources = {panel["datasource"]["uid"] for panel in PANELS}
    assert sources == {"${datasource}"}, "no site's own data source is baked in"


def test_a_real_prometheus_answers_every_question(tmp_path: Path) -> None:
    fake = Fake(8, (AMD[0], HOST))
    silent = []
    with serve(fake, port=0) as shown, prometheus(tmp_path, {"own": f"127.0.0.1:{shown.port}"}, every="300ms") as url:
        until(lambda: len(fake.shown) == 8)
        for question in questions():
            plain = question.replace("$__rate_interval", "10s").replace("$__range", "60s")
            plain = plain.replace("$host", HOSTNAME).replace("$device", ".*")
            query = urllib.parse.urlencode({"query": plain})
            try:
                with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=10) as answer:
                    if not json.load(answer)["data"]["result"]:
                        silent.append(question)
            except urllib.error.HTTPError as error:
                pytest.fail(f"{plain}: {error.read().decode()}")
    assert silent == []
