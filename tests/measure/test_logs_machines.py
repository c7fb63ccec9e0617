"""Logs of tests of parts of a machine: links and storage."""

from __future__ import annotations

import json

import pytest
from tests.measure.logs import cases, columns, heard, recorded, values, warnings

from assay.measure.listen import Listener


def test_nccl_tests_give_a_case_for_each_size_and_place():
    said = heard(recorded("nccl_tests.log"))
    name = "all-reduce float sum 536870912 B in place"
    told = cases(said)[name]
    assert (told.kind, told.dtype, told.size_bytes, told.library) == ("all-reduce", "fp32", 2.0**29, "nccl-tests")
    assert values(said, "time_s", name) == [pytest.approx(2050.3e-6)]
    assert values(said, "bytes_per_s", name) == [pytest.approx(261.85e9)]
    assert values(said, "bus_bytes_per_s", name) == [pytest.approx(458.23e9)]
    assert values(said, "bytes_per_s", name) == [pytest.approx(2**29 / 2050.3e-6, rel=1e-4)]  # algbw = size / time
    assert len(cases(said)) == 10
    assert values(said, "bus_mean_bytes_per_s") == [pytest.approx(328.645e9)]


def test_wrong_results_of_a_collective_are_told_of():
    assert warnings(heard(recorded("nccl_tests.log"))) == [
        "nccl-tests and rccl-tests: 2 wrong values in all-reduce float sum 4294967296 B in place",
        "nccl-tests and rccl-tests: 2 values are wrong",
    ]


def test_rccl_tests_say_the_operation_in_the_command_alone():
    said = heard(
        recorded("rccl_tests.log"), command=("mpirun", "-np", "8", "/opt/rccl-tests/build/all_gather_perf", "-c", "0")
    )
    assert {case.kind for case in cases(said).values()} == {"all-gather"}
    assert {case.library for case in cases(said).values()} == {"rccl-tests"}
    assert values(said, "bus_bytes_per_s", "all-gather bfloat16 1073741824 B out of place") == [294.02e9]
    assert warnings(said) == []  # nothing was checked: "N/A" is not wrong


def test_rows_of_numbers_without_nccls_header_are_nobodys():
    row = next(line for line in recorded("nccl_tests.log").splitlines() if b"  float  " in line)
    assert heard(row + b"\n") == []


def test_fios_json_is_found_behind_its_notes():
    raw = recorded("fio.log")
    assert raw.startswith(b"note: ")
    said = heard(raw)
    assert list(cases(said)) == ["write write", "mixed read", "mixed write", "read read"]
    assert cases(said)["mixed read"].kind == "random-read"
    assert cases(said)["read read"].note == "page cache bypassed"
    assert cases(said)["read read"].size_bytes == 128 * 1024
    job = json.loads(raw[raw.index(b"{") :])["jobs"][2]["read"]
    assert values(said, "bytes_per_s", "read read") == [job["bw_bytes"]]
    assert values(said, "operations_per_s", "read read") == [pytest.approx(job["iops"])]
    assert values(said, "operation_p99_s", "read read") == [job["clat_ns"]["percentile"]["99.000000"] * 1e-9]
    assert warnings(said) == []


def test_fios_file_says_what_its_output_says():
    raw = recorded("fio.log")
    assert Listener().file(raw[raw.index(b"{") :]) == heard(raw)


def test_a_job_that_failed_is_told_of_and_several_block_sizes_are_no_size():
    raw = recorded("fio.log")
    document = json.loads(raw[raw.index(b"{") :])
    document["jobs"][0]["error"] = 28
    document["jobs"][0]["job options"]["bs"] = "4k,8k"
    said = Listener().document(document)
    assert warnings(said) == ["fio: job write ended with error 28"]
    assert cases(said)["write write"].size_bytes is None
    assert ("write write", "bytes_per_s") in columns(said)
