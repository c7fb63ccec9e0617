"""What is pushed is what an OpenTelemetry collector takes: checked by its own protobuf, over a real socket."""

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.telemetry.site import AMD, Asked, Fake, Said, answering, free_port

from assay import metrics
from assay.errors import InputError, MeasureError
from assay.telemetry import names
from assay.telemetry.otlp import Starts, payload, push
from assay.telemetry.reading import Reading, Snapshot

TAKEN = Said(200, b"{}", {"Content-Type": "application/json"})


def snapshot(*readings: Reading) -> Snapshot:
    now_s = time.monotonic()
    at_s = {device.id: now_s for device in AMD}
    return Snapshot(host="n1", devices=AMD, readings=readings, at_s=at_s, began_s=now_s - 100)


def energy(value: float) -> Snapshot:
    return snapshot(Reading(AMD[0].id, "accel.energy_j", value, "counter"))


def pushed(*snapshots: Snapshot, said: Said = TAKEN, **more: Any) -> list[Asked]:
    heard: list[Asked] = []

    def answer(asked: Asked) -> Said:
        heard.append(asked)
        return said

    starts = Starts()
    with answering(answer) as url:
        for one in snapshots:
            push(one, url, starts, **more)
    return heard


def points(body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, str]]]:
    for metric in body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
        for point in metric.get("gauge", metric.get("sum"))["dataPoints"]:
            yield metric, point, {pair["key"]: pair["value"]["stringValue"] for pair in point["attributes"]}


def test_every_reading_arrives_with_its_name_unit_shape_time_and_device() -> None:
    fake = Fake(1)
    before_s = time.time()
    whole = fake()
    assert whole is not None
    (asked,) = pushed(whole)
    assert (asked.path, asked.headers["Content-Type"]) == ("/v1/metrics", "application/json")
    body = json.loads(gzip.decompress(asked.body))
    found = {}
    for metric, point, told in points(body):
        assert before_s - 1 < int(point["timeUnixNano"]) / 1e9 < time.time() + 1
        known = [m for m in metrics.known() if names.exported(m).otel == metric["name"]]
        (ours,) = [m for m in known if names.exported(m).attributes.items() <= told.items()]
        assert metric["unit"] == names.exported(ours).unit
        assert ("startTimeUnixNano" in point) == (metrics.metric(ours).kind == "counter")
        found[told["hw.id"], ours] = point["asDouble"]
    assert found == fake.shown[0]


def test_opentelemetrys_own_protobuf_takes_the_whole_body() -> None:
    service = pytest.importorskip(
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
        reason="opentelemetry-proto is not installed: pip install opentelemetry-proto",
    )
    from google.protobuf import json_format

    whole = Fake(1)()
    assert whole is not None
    (asked,) = pushed(whole)
    request = json_format.Parse(gzip.decompress(asked.body), service.ExportMetricsServiceRequest())
    (resource,) = request.resource_metrics
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["host.name"] == "node-1"
    told = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert len(told) == len({names.exported(m).otel for group in ("device", "host") for m in metrics.group(group)})
    assert told["hw.power"].WhichOneof("data") == "gauge"
    counter, level = told["hw.energy"].sum, told["hw.gpu.memory.usage"].sum
    assert (counter.aggregation_temporality, counter.is_monotonic) == (2, True)
    assert (level.aggregation_temporality, level.is_monotonic) == (2, False)
    point = counter.data_points[0]
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano < 2 * 10**18
    again = json.loads(json_format.MessageToJson(request))  # camelCase, 64-bit numbers as text: nothing was lost
    assert [(p["timeUnixNano"], p["asDouble"]) for _, p, _ in points(again)] == [
        (p["timeUnixNano"], p["asDouble"]) for _, p, _ in points(json.loads(gzip.decompress(asked.body)))
    ]


def test_a_counters_start_stays_until_it_is_reset() -> None:
    heard = pushed(*map(energy, (10.0, 20.0, 5.0, 6.0)))
    starts = []
    for asked in heard:
        ((_, point, _),) = points(json.loads(gzip.decompress(asked.body)))
        starts.append((int(point["startTimeUnixNano"]), int(point["timeUnixNano"])))
    assert starts[0][0] == starts[1][0]
    assert starts[2][0] == starts[2][1] == starts[3][0] > starts[1][1]
    assert (starts[0][1] - starts[0][0]) / 1e9 == pytest.approx(100, abs=1)


def test_silent_devices_and_what_is_no_number_stay_out() -> None:
    readings = [Reading(device.id, "accel.power_w", 300.0, "average") for device in AMD]
    whole = snapshot(*readings, Reading(AMD[1].id, "accel.busy", float("nan"), "average"))
    late = replace(whole, at_s={AMD[0].id: whole.at_s[AMD[0].id] - 60, AMD[1].id: whole.at_s[AMD[1].id]})
    told = [(metric["name"], at["hw.id"]) for metric, _, at in points(payload(late, time.monotonic(), 1e9, Starts()))]
    assert told == [("hw.power", AMD[1].id)]


def test_a_step_of_the_wall_clock_does_not_reach_the_starts() -> None:
    starts = Starts()
    bodies = [payload(energy(value), time.monotonic(), wall_s, starts) for value, wall_s in ((1.0, 2e9), (2.0, 1e9))]
    first, second = (next(points(body))[1]["startTimeUnixNano"] for body in bodies)
    assert first == second


@pytest.mark.parametrize("endpoint", ["", "/", "/v1/metrics", "/v1/metrics/"])
def test_the_endpoint_may_be_given_with_or_without_its_path(endpoint: str) -> None:
    paths = []
    with answering(lambda asked: paths.append(asked.path) or TAKEN) as url:
        push(energy(1.0), url + endpoint, Starts())
    assert paths == ["/v1/metrics"]


def test_a_token_goes_with_it() -> None:
    (asked,) = pushed(energy(1.0), headers={"Authorization": "Bearer abc"})
    assert asked.headers["Authorization"] == "Bearer abc"


def test_what_a_receiver_refuses_is_told() -> None:
    body = {"partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "too \x1b[31mold"}}
    with answering(lambda _: Said(200, json.dumps(body).encode())) as url:
        assert push(energy(1.0), url, Starts()) == "3 values were refused: too \\x1b[31mold"
    with answering(lambda _: Said(200, b"")) as url:  # protobuf's empty message is no bytes at all
        assert push(energy(1.0), url, Starts()) == ""


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, MeasureError, "refused it .HTTP 400.: no such unit"),
        (401, InputError, "wants a token"),
        (404, InputError, "give the whole address"),
        (415, InputError, "takes no JSON"),
        (429, MeasureError, "is busy .HTTP 429.*push less often"),
        (503, MeasureError, "is busy"),
        (500, MeasureError, "look into the receiver's log"),
        (302, MeasureError, "points elsewhere .HTTP 302.*give the address itself: http://other/"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, error: type[Exception], words: str) -> None:
    said = Said(status, b'{"message": "no such unit"}', {"Location": "http://other/?token=secret"})
    with answering(lambda _: said) as url, pytest.raises(error, match=words) as raised:
        push(energy(1.0), url, Starts())
    assert "secret" not in str(raised.value)


def test_nobody_there_is_said_in_words() -> None:
    with pytest.raises(MeasureError, match="nothing listens there"):
        push(energy(1.0), f"http://127.0.0.1:{free_port()}", Starts())
