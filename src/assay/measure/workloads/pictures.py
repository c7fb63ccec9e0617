"""Pictures to train on: seeded JPEG files of a photograph's size and weight, decoded and augmented as for ImageNet.

500 × 375 pixels and about 110 kB, as ImageNet's are in the mean. Made of gradients, blots and noise: the noise sets the
weight, and with it what the decoder's entropy coding has to do. Then: read the file, decode it (Pillow), cut out a
random part (8 to 100 % of the area, sides 3:4 to 4:3; Szegedy et al. 2015, arXiv 1409.4842), scale it bilinearly, flip
every second one, and give ImageNet's mean and spread to the channels of what comes out.
"""

from __future__ import annotations

import importlib
import io
import math
import os
import random
import time
from pathlib import Path
from typing import Any

WIDTH_PX, HEIGHT_PX = 500, 375
_NOISE, _QUALITY = 45, 90  # together they weigh about 110 kB
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MISSING = "no pillow in this interpreter: JPEGs cannot be decoded; type pip install pillow"


def pillow() -> Any:
    """Pillow's Image, or None."""
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        return None


def write(np: Any, folder: Path, count: int, seed: int) -> list[Path]:
    """So many JPEG files; what is there already stays."""
    image = pillow()
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:05}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        if path.is_file():
            continue
        half = path.with_suffix(f".{os.getpid()}")
        with half.open("wb") as file:
            image.fromarray(_painted(np, index, seed)).save(file, "JPEG", quality=_QUALITY)
            file.flush()
            os.fsync(file.fileno())  # a page that waits to be written cannot be dropped from the cache
        half.replace(path)
    return paths


def _painted(np: Any, index: int, seed: int) -> Any:
    """Two gradients, a few blots, and noise."""
    draw = np.random.default_rng((seed, index))
    x, y = np.arange(WIDTH_PX, dtype=np.float32), np.arange(HEIGHT_PX, dtype=np.float32)[:, None]
    across, down = draw.uniform(-0.3, 0.3, (2, 3)).astype(np.float32)
    light = 128 + (x - WIDTH_PX / 2)[..., None] * across + (y - HEIGHT_PX / 2)[..., None] * down
    for _ in range(3):
        (left, upper), size = draw.uniform(0, 1, 2) * (WIDTH_PX, HEIGHT_PX), draw.uniform(500, 8000)
        near = np.exp(-((x - left) ** 2) / size) * np.exp(-((y - upper) ** 2) / size)
        light += near[..., None].astype(np.float32) * draw.uniform(-80, 80, 3).astype(np.float32)
    light += draw.integers(-_NOISE, _NOISE, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.int8)
    return light.clip(0, 255).astype(np.uint8)


class Pictures:
    """Picture i, read, decoded and augmented; the same in every process, another cut each time around."""

    def __init__(self, np: Any, paths: list[Path], size_px: int, classes: int, seed: int, forget: bool = False) -> None:
        self.np, self.paths, self.size_px, self.classes = np, paths, size_px, classes
        self.seed, self.forget, self.image = seed, forget, pillow()
        self.mean, self.scale = np.float32(_MEAN), 1 / np.float32(_SPREAD)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int, dict[str, float]]:
        """Channels × height × width, its class, and the seconds that each part took."""
        draw, begin = random.Random(f"{self.seed} {index}"), time.perf_counter()
        said = self._read(self.paths[index % len(self.paths)])
        read = time.perf_counter()
        picture = self.image.open(io.BytesIO(said)).convert("RGB")  # convert() is what decodes
        decoded = time.perf_counter()
        picture = picture.resize((self.size_px, self.size_px), self.image.Resampling.BILINEAR, box=_cut(draw))
        pixels = self.np.asarray(picture, dtype=self.np.float32)
        if draw.random() < 0.5:
            pixels = pixels[:, ::-1]
        pixels = (pixels * (1 / 255) - self.mean) * self.scale
        ready = self.np.ascontiguousarray(pixels.transpose(2, 0, 1))
        spent = {"read_s": read - begin, "decode_s": decoded - read, "augment_s": time.perf_counter() - decoded}
        return ready, index % self.classes, spent

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            if self.forget and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read()


def _cut(draw: random.Random) -> tuple[float, float, float, float]:
    """Left, upper, right and lower of a random part; the whole where ten tries do not fit."""
    for _ in range(10):
        area = draw.uniform(0.08, 1.0) * WIDTH_PX * HEIGHT_PX
        shape = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = math.sqrt(area * shape), math.sqrt(area / shape)
        if wide <= WIDTH_PX and high <= HEIGHT_PX:
            left, upper = draw.uniform(0, WIDTH_PX - wide), draw.uniform(0, HEIGHT_PX - high)
            return left, upper, left + wide, upper + high
    return 0.0, 0.0, float(WIDTH_PX), float(HEIGHT_PX)
