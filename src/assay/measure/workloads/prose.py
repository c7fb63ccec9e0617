"""Text to train on: seeded documents in a language nobody speaks, cut into tokens by byte-pair encoding, and packed.

The words follow Zipf's law, as words do. What is done with them is what a real pipeline does: read a piece of a file,
split it into words (in the main GPT-2's pattern), merge the bytes of each word by learnt ranks (Sennrich et al. 2016,
arXiv 1508.07909; of bytes, as in GPT-2) with a memory of the words seen, put an end token after each document, and fill
sequences without padding. It is written in Python: a compiled tokenizer does the same several times faster, so the rate
says how this host's processors and files keep up, not what the fastest tokenizer reaches.
"""

from __future__ import annotations

import mmap
import os
import random
import re
import time
from collections import Counter, defaultdict
from itertools import accumulate, pairwise
from pathlib import Path

VOCAB = 1024  # 256 bytes, 767 merges, and the end of a document
END = VOCAB - 1
_WORD = re.compile(r" ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+")
_LEARNT_FROM = 1 << 16  # bytes that the merges are learnt from
_REMEMBERED = 10_000  # words whose tokens a process keeps
_SOUNDS = "bdfgklmnprstvz", "aeiou"

Pair = tuple[int, int]


def write(path: Path, size_bytes: int, seed: int) -> None:
    """A file of documents, a blank line between them; nothing is written where it is there already."""
    if path.is_file() and path.stat().st_size >= size_bytes:
        return
    draw = random.Random(f"prose {seed}")
    words = ["".join(draw.choice(_SOUNDS[i % 2]) for i in range(draw.randint(2, 7))) for _ in range(20_000)]
    shares = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))  # Zipf's law in Mandelbrot's form
    half = path.with_suffix(f".{os.getpid()}")
    with half.open("w", encoding="ascii") as file:
        while file.tell() < size_bytes:
            file.write(_document(draw, draw.choices(words, cum_weights=shares, k=draw.randint(40, 1200))) + "\n\n")
        file.flush()
        os.fsync(file.fileno())  # a page that waits to be written cannot be dropped from the cache
    half.replace(path)


def _document(draw: random.Random, words: list[str]) -> str:
    said, at = [], 0
    while at < len(words):
        length = draw.randint(4, 24)
        sentence = words[at : at + length]
        if draw.random() < 0.1:
            sentence.append(str(draw.randint(1, 9999)))
        said.append((", " if draw.random() < 0.2 else " ").join(sentence).capitalize() + ".")
        at += length
    return " ".join(said)


def learn(text: str) -> dict[Pair, int]:
    """Byte pairs and what they become, in the order they are merged: each time the most frequent pair."""
    counts = Counter(_WORD.findall(text))
    words = [list(word.encode()) for word in counts]
    often = list(counts.values())
    pairs: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)
    for index, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += often[index]
            where[pair].add(index)
    merges: dict[Pair, int] = {}
    for token in range(256, END):
        best = max(pairs, key=pairs.__getitem__)  # of equals the one that was seen first
        merges[best] = token
        for index in where.pop(best):
            for pair in pairwise(words[index]):
                pairs[pair] -= often[index]
            words[index] = _merged(words[index], best, token)
            for pair in pairwise(words[index]):
                pairs[pair] += often[index]
                where[pair].add(index)
        del pairs[best]
    return merges


def _merged(word: list[int], pair: Pair, token: int) -> list[int]:
    out: list[int] = []
    for one in word:
        if out and (out[-1], one) == pair:
            out[-1] = token
        else:
            out.append(one)
    return out


class Sequences:
    """Sequence i of a file of documents: read, cut into tokens, packed; the same in every process."""

    def __init__(self, path: Path, length: int, forget: bool = False) -> None:
        self.path, self.length, self.forget = path, length, forget
        self.size = path.stat().st_size
        text = path.read_bytes()[:_LEARNT_FROM].decode()
        self.merges = learn(text)
        self.known: dict[str, list[int]] = {}
        sample = text[: 1 << 14]
        self.stride = int(1.1 * length * len(sample) / len(self.tokens(sample))) + 1  # bytes that fill a sequence

    def __len__(self) -> int:
        return max(1, self.size // self.stride)

    def __getitem__(self, index: int) -> tuple[list[int], dict[str, float]]:
        """Its tokens, and the seconds that reading and cutting took."""
        at, packed = (index % len(self)) * self.stride, list[int]()
        spent = {"read_s": 0.0, "tokenize_s": 0.0}
        while len(packed) < self.length:
            begin = time.perf_counter()
            piece = self._read(at)
            read = time.perf_counter()
            for document in piece.split("\n\n"):
                packed += self.tokens(document)
                packed.append(END)
            at = (at + self.stride) % max(1, self.size - self.stride)
            spent["read_s"] += read - begin
            spent["tokenize_s"] += time.perf_counter() - read
        return packed[: self.length], spent

    def _read(self, at: int) -> str:
        with self.path.open("rb") as file:
            if self.forget and hasattr(os, "posix_fadvise"):
                first = at - at % mmap.PAGESIZE  # of a page that is dropped in part, nothing is
                os.posix_fadvise(file.fileno(), first, self.stride + 2 * mmap.PAGESIZE, os.POSIX_FADV_DONTNEED)
            file.seek(at)
            return file.read(self.stride).decode()

    def tokens(self, text: str) -> list[int]:
        """Text as tokens."""
        out: list[int] = []
        for word in _WORD.findall(text):
            cut = self.known.get(word)
            if cut is None:
                cut = self._cut(word)
                if len(self.known) < _REMEMBERED:
                    self.known[word] = cut
            out += cut
        return out

    def _cut(self, word: str) -> list[int]:
        """Merge the pair that was learnt first, until none is left that was learnt."""
        cut = list(word.encode())
        while len(cut) > 1:
            pair = min(pairwise(cut), key=lambda p: self.merges.get(p, END))
            if pair not in self.merges:
                break
            cut = _merged(cut, pair, self.merges[pair])
        return cut
