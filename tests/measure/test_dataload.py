"""An input pipeline does real work, the same in every process, and says what each part of it cost."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.measure.workloads import ENGINE, FOLDER, TORCH, cases, events, kit, lines, needs_torch, refused, times

from assay.measure.workloads import dataload, feeding, pictures, prose

PARTS = ("read_s", "decode_s", "augment_s", "tokenize_s", "collate_s")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "prose.txt"
    prose.write(path, 300_000, seed=1)
    return path


@pytest.fixture(scope="module")
def sequences(text):
    return prose.Sequences(text, 256)


# --- text -------------------------------------------------------------------------------------------------------------


def spelled(merges, token):
    """The bytes a token stands for."""
    pairs = {new: pair for pair, new in merges.items()}
    return bytes([token]) if token < 256 else b"".join(spelled(merges, part) for part in pairs[token])


def test_tokens_spell_the_text_that_was_read(text, sequences):
    tokens, _ = sequences[3]
    documents = b"".join(b"\n\n" if token == prose.END else spelled(sequences.merges, token) for token in tokens)
    start = 3 * sequences.stride
    assert text.read_bytes()[start : start + len(documents)] == documents


@given(said=st.text(max_size=80))
def test_any_text_comes_back_from_its_tokens(sequences, said):
    assert b"".join(spelled(sequences.merges, token) for token in sequences.tokens(said)) == said.encode()


def test_merges_make_fewer_tokens_than_there_are_bytes(text, sequences):
    piece = text.read_text(encoding="ascii")[100_000:120_000]  # not what the merges were learnt from
    assert len(sequences.tokens(piece)) < len(piece) / 2
    assert len(sequences.merges) == prose.VOCAB - 257


def test_sequences_are_full_and_documents_end_in_them(sequences):
    taken = [sequences[index][0] for index in range(40)]
    assert {len(tokens) for tokens in taken} == {256}
    assert all(0 <= token < prose.VOCAB for tokens in taken for token in tokens)
    assert any(prose.END in tokens for tokens in taken)
    assert len({tuple(tokens) for tokens in taken}) == 40


def test_the_same_seed_writes_the_same_text_and_another_another(tmp_path, text):
    for seed in (1, 2):
        prose.write(tmp_path / str(seed), 300_000, seed)
    assert (tmp_path / "1").read_bytes() == text.read_bytes() != (tmp_path / "2").read_bytes()


def test_words_are_as_uneven_as_words_are(text):
    words = text.read_text(encoding="ascii").replace(",", "").replace(".", "").lower().split()
    often = sorted((words.count(word) for word in set(words[:2000])), reverse=True)
    assert often[0] > 5 * often[50] > 10 * often[-1]


# --- loading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_hand_over_the_same_batches_in_the_same_order(sequences, workers):
    order = iter([[5, 6], [1, 2], [9, 9], [0, 3]])
    made = list(feeding.batches(None, sequences, order, lambda rows: [row[0] for row in rows], workers))
    assert [batch for batch, _ in made] == [
        [sequences[i][0] for i in pair] for pair in ([5, 6], [1, 2], [9, 9], [0, 3])
    ]
    assert all(set(spent) == {"read_s", "tokenize_s", "collate_s"} for _, spent in made)


def test_a_file_that_was_dropped_is_not_in_the_page_cache(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1 << 20))
    subprocess.run(["sync", str(path)], check=True)
    stayed = feeding.stays(path)
    if stayed == 1:
        pytest.skip(f"{tmp_path} is kept in memory by its file system")
    assert stayed == 0


def test_a_file_system_in_memory_is_seen_to_keep_its_files():
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("no /dev/shm here")
    path = memory / "assay-test"
    try:
        path.write_bytes(bytes(1 << 16))
        assert feeding.stays(path) == 1
    finally:
        path.unlink(missing_ok=True)


def test_what_is_made_up_stays_in_the_folder_that_was_named(tmp_path):
    assert feeding.home(SimpleNamespace(settings={"folder": str(tmp_path)})) == tmp_path / "assay-data"


# --- through the engine -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_python(tmp_path_factory):
    """This interpreter: NumPy, and neither PyTorch nor Pillow need be there."""
    folder = tmp_path_factory.mktemp("plain")
    return lines("dataload", {"folder": str(folder), "options": {"what": "text", "seq_len": "256", "batch": "4"}})


def test_text_is_loaded_by_each_number_of_workers(in_python):
    told = cases(in_python)
    assert [name for name in told if "storage" not in name] == [
        f"text to 256 tokens, {n}" for n in ("0 workers", "1 worker", "2 workers")
    ]
    for name in told:
        assert len(times(in_python, name)) >= 3
    assert all(line["tokens"] == 4 * 256 and line["samples"] == 4 for line in in_python if "time_s" in line)


def test_without_workers_the_parts_are_the_time(in_python):
    rows = [line for line in in_python if line.get("case") == "text to 256 tokens, 0 workers" and "time_s" in line]
    told, time_s = sum(line[part] for line in rows for part in PARTS if part in line), sum(r["time_s"] for r in rows)
    assert 0.5 * time_s < told <= time_s


def test_batches_that_were_made_ahead_do_not_count(in_python):
    rows = [line for line in in_python if line.get("case") == "text to 256 tokens, 2 workers" and "time_s" in line]
    assert [line["step"] for line in rows if line["warmup"]] == list(range(2 * feeding.AHEAD + 1))


def test_reading_from_storage_is_a_case_of_its_own_or_said_to_be_impossible(in_python):
    cold = [case for name, case in cases(in_python).items() if name.endswith("from storage")]
    warned = [line for line in events(in_python, "warning") if "do not leave the page cache" in line["text"]]
    assert len(cold) + len(warned) == 1
    assert all(case["note"] == "page cache dropped before each read" for case in cold)


def test_without_pillow_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "pillow", lambda: None)
    made = kit(numpy=np, settings={"folder": str(tmp_path)}, options={"what": "images", "workers": "0"})
    made.beside = lambda name: {"pictures": pictures, "feeding": feeding}[name]
    dataload.run(SimpleNamespace(**{**vars(made), "settings": {"budget_s": 1, "folder": str(tmp_path)}}))
    assert made.said == [{"text": "no pillow in this interpreter: JPEGs cannot be decoded; type pip install pillow"}]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"what": "video"}, "what: video is not known; write images, text or both"),
        ({"workers": "few"}, "workers: few is not understood; write numbers, as 0,1,2,4"),
        ({"what": "text", "seq_len": "0"}, "seq_len: 0 is not possible; write a whole number, 1 or more"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_in_words(options, why):
    assert refused("dataload", {"options": options}).startswith(why)


@pytest.fixture(scope="module")
def in_torch(tmp_path_factory):
    """PyTorch's loader, with pictures."""
    folder = tmp_path_factory.mktemp("torch")
    settings = {"folder": str(folder), "device": "cpu", "options": {"batch": "4", "seq_len": "256"}}
    return folder, lines("dataload", settings, command=(TORCH, str(ENGINE)))


@needs_torch
def test_pictures_weigh_what_a_photograph_of_their_size_does(in_torch):
    sizes = [path.stat().st_size for path in (in_torch[0] / "assay-data" / "jpeg-0").glob("*.jpg")]
    assert len(sizes) == 32
    assert 100e3 < np.mean(sizes) < 120e3


@needs_torch
def test_pictures_are_read_decoded_augmented_and_collated(in_torch):
    said = in_torch[1]
    names = [name for name in cases(said) if name.startswith("jpeg")]
    assert [name for name in names if "storage" not in name] == [
        f"jpeg to 224 px, {n}" for n in ("0 workers", "1 worker", "2 workers")
    ]
    for line in said:
        if line.get("case") in names and "time_s" in line:
            assert min(line["read_s"], line["decode_s"], line["augment_s"], line["collate_s"]) > 0
            assert "tokenize_s" not in line
            assert line["samples"] == 4
    assert {case["library"] for case in cases(said).values()} == {"torch"}


CODE = """
import sys, hashlib, numpy
sys.path.insert(0, sys.argv[1])
import pictures
paths = pictures.write(numpy, __import__("pathlib").Path(sys.argv[2]), 2, 0)
items = pictures.Pictures(numpy, paths, 64, 10, 0)
for index in (0, 1, 2, 0):
    picture, label, _ = items[index]
    print(picture.shape, picture.dtype, label, abs(picture.mean()) < 2.5, hashlib.sha1(picture.tobytes()).hexdigest())
print(pictures.pillow().open(paths[0]).size)
"""


@needs_torch
def test_a_picture_is_cut_anew_each_time_around_and_alike_in_every_process(tmp_path):
    command = [TORCH, "-c", CODE, str(FOLDER), str(tmp_path)]
    first, again = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == again
    *rows, size = first.splitlines()
    assert size == "(500, 375)"
    assert rows[0] == rows[3] != rows[2]  # the same file in rows 0 and 2, another cut
    assert all(row.startswith("(3, 64, 64) float32 ") and " True " in row for row in rows)
    assert [row.split()[4] for row in rows] == ["0", "1", "2", "0"]
