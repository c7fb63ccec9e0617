"""The model catalog: one TOML file a model, holding the keys of its config.json and read by the same reader."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from assay.catalog.hf_keys import Keys
from assay.catalog.huggingface import from_config, read_config
from assay.catalog.shelf import Folders, Stamp, stamp, user_folders
from assay.codec import Fact, Raw, Source, decode, read_json, read_toml
from assay.errors import InputError, did_you_mean
from assay.model import (
    ConvShape,
    DiffusionShape,
    DlrmShape,
    Family,
    Model,
    RecurrentShape,
    Shape,
    TracedShape,
    TransformerShape,
)

_BUILT_IN: Final = Path(__file__).parents[1] / "data" / "models"
_KNOWN: Final = ("schema", "kind", "name", "aliases", "family", "published_params", "sourced_by", "source", "config",
                 "shape")  # fmt: skip
# What a file's [shape] holds, by family, and what kind of model that is. A Swin is tokens in stages, as a UNet is.
_FAMILIES: Final[Mapping[str, tuple[type, str]]] = {
    "transformer": (TransformerShape, "dense"), "convnet": (ConvShape, "convnet"), "dlrm": (DlrmShape, "dlrm"),
    "diffusion": (DiffusionShape, "diffusion"), "swin": (DiffusionShape, "vit"), "recurrent": (RecurrentShape, "rnn"),
    "traced": (TracedShape, "traced"),
}  # fmt: skip

# What people add to a model's name when they tune it or store it otherwise: its shape stays.
_TUNED: Final = re.compile(
    r"(?<=[-_ .(\[])(instruct|chat|it|hf|base|pt|thinking|uncased|cased|mlperf|interactive|pre-training|sft|lora"
    r"|fp8|fp4|nvfp4|mxfp4|bf16|fp16|int8|int4|awq|gptq|bnb|4bit|99|99\.9|\d{4})(?=[-_ )\]]|$)"
)


def models(folders: Folders = ()) -> Mapping[str, Model]:
    """Every model of the catalog by name; files in your own `folders` are added, and replace ours of the same name."""
    found = (_read(path) for path in _files(folders))
    return {m.name: m for m in sorted(found, key=lambda m: m.name)}


def model(name_or_path: str | Path, folders: Folders = ()) -> Model:
    """One model: by its name as people write it, or from a config.json, a folder with one, or a model file.

    Raises InputError with near misses for a name that is not known.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml" or (path.suffix == ".json" and is_model_file(path)):
        return _read(path)
    if path.suffix == ".json" or os.path.exists(path / "config.json"):  # noqa: PTH110 — no error on names too long
        return read_config(path)
    return _read(_find(str(name_or_path), _files(folders)))


def is_model_file(path: Path) -> bool:
    """Whether a JSON file holds a model as our own files do, rather than a config.json."""
    return read_json(path).get("kind") == "model"


def facts(name: str, folders: Folders = ()) -> dict[str, Fact]:
    """Where each value of a catalog model comes from, by key."""
    path = _find(name, _files(folders))
    keys = _checked(_tables(path, stamp(path)), str(path))
    source = decode(_sourced(keys), Source, f"{path}: source")
    values = {"published_params": keys.maybe("published_params"), **(keys.table("config") or keys.table("shape") or {})}
    return {key: Fact(key=key, value=_told(value), source=source) for key, value in values.items() if value is not None}


def _told(value: object) -> int | float | str | bool:
    """A value as a card shows it; of a list of layers how many there are, a table as its words."""
    if isinstance(value, (int, float, str, bool)):
        return value
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        return f"{sum(row.get('count', 1) for row in value)} of {len(value)} kind{'s' if len(value) > 1 else ''}"
    return ", ".join(f"{k} = {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


_VERSION_POINT = re.compile(r"(?<=\d)\.(?=\d+(?![\d.]*[bm]\b))")


@lru_cache(maxsize=8192)
def same_name(name: str) -> str:
    """A name without its owner, case and separators, but with decimal points: opt-1.3b is not opt-13b.

    >>> same_name("meta-llama/Llama-3.1-8B"), same_name("LLAMA3_1 8b"), same_name("ViT-B/16")
    ('llama3.18b', 'llama3.18b', 'vitb16')
    """
    bare = re.sub(r"^.*/(?!\d+$)", "", name.rstrip("/").casefold())
    return re.sub(r"[^a-z0-9.]|(?<!\d)\.|\.(?!\d)", "", re.sub(r"(?<=\d)_(?=\d)", ".", bare))


def _untuned(name: str) -> str:
    """The same without words of tuning and storage: "Llama-3.1-8B-Instruct-FP8" is llama-3.1-8b."""
    return same_name(_TUNED.sub("", name.casefold()))


def _files(folders: Folders) -> list[Path]:
    """Our files and those in the `models` room of a user's catalog folders; theirs replace ours of the same name."""
    rooms = [_BUILT_IN, *(folder / "models" for folder in user_folders(folders))]
    return list({path.stem: path for room in rooms for path in sorted(room.glob("*.toml"))}.values())


def _find(name: str, files: Sequence[Path]) -> Path:
    """The file of a model; files' own names are tried first, so that most models need no other file read."""
    by_stem = {same_name(path.stem): path for path in files}
    if same_name(name) in by_stem:
        return by_stem[same_name(name)]
    spelled = {spelling: path for path in files for spelling in _names(path)}
    exact = {same_name(spelling): path for spelling, path in spelled.items()}
    loose = _loose(spelled)
    for wanted in (same_name(name), _untuned(name), same_name(name.replace("_", "-"))):  # "3_1" is 3.1; "3_8b" is not
        found = exact.get(wanted) or loose.get(wanted)
        if found is not None:
            return found
    hint = did_you_mean(re.sub(r"^.*/", "", name), spelled)
    raise InputError(
        f'no model "{name}" in the catalog', hint=hint or "`assay catalog` lists them; a config.json will do too"
    )


def _loose(spelled: Mapping[str, Path]) -> dict[str, Path]:
    """Names without the point of a version too ("llama31-8b"), where only one model is meant; a size keeps its own."""
    found: dict[str, set[Path]] = {}
    for spelling, path in spelled.items():
        found.setdefault(same_name(_VERSION_POINT.sub("", spelling.casefold())), set()).add(path)
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1}


def _names(path: Path) -> list[str]:
    keys = Keys(_tables(path, stamp(path)), str(path), "")
    return [keys.text("name"), *(keys.words("aliases") or ())]


@lru_cache(maxsize=1024)
def _tables(path: Path, _stamp: Stamp) -> Raw:
    return read_json(path) if path.suffix == ".json" else read_toml(path)


def _read(path: Path) -> Model:
    return _model(path, stamp(path))


@lru_cache(maxsize=1024)
def _model(path: Path, stamp: Stamp) -> Model:
    """The model in one catalog file; kept until the file changes."""
    where = str(path)
    keys = _checked(_tables(path, stamp), where)
    family, source = keys.text("family", "transformer"), _sourced(keys)
    config, shape = keys.table("config"), keys.table("shape")
    if family not in _FAMILIES or (config is None) == (shape is None):
        what = (
            f'family "{family}" is not known here' if family not in _FAMILIES else "a model has a [config] or a [shape]"
        )
        raise InputError(
            what, where=where, hint=f"families: {', '.join(_FAMILIES)}; [config] holds the keys of a config.json"
        )
    return replace(
        from_config(config, name=keys.text("name"), where=where) if config else _shaped(keys, family, shape or {}),
        aliases=tuple(keys.words("aliases") or ()),
        source=", ".join(str(source[key]) for key in ("title", "url") if source.get(key)),
        published_params=keys.maybe("published_params"),
    )


def _checked(raw: Raw, where: str) -> Keys:
    """The head of a catalog file: nothing unknown in it, a name, and a source for its values."""
    strange = [key for key in raw if key not in _KNOWN]
    if strange:
        hint = did_you_mean(strange[0], _KNOWN) or f"known: {', '.join(_KNOWN)}"
        raise InputError(f'unknown key "{strange[0]}"', where=where, hint=hint)
    keys = Keys(raw, where, "")
    if not keys.text("name"):
        raise InputError('"name" is missing', where=where, hint='add name = "…"')
    return keys


def _sourced(keys: Keys) -> Raw:
    """The table that says where the values come from; a model without one is refused."""
    table = (keys.table("source") or {}).get(keys.text("sourced_by"))
    if not isinstance(table, Mapping):
        hint = 'add sourced_by = "NAME" and a [source.NAME] table'
        raise InputError("its values have no source", where=keys.where, hint=hint)
    return table


def _shaped(keys: Keys, family: str, shape: Raw) -> Model:
    """A model whose file writes its shape out, because its family has no config.json."""
    noun, kind = _FAMILIES[family]
    found: Shape = decode(shape, noun, f"{keys.where}: shape")
    return Model(name=keys.text("name"), family=cast(Family, family), shape=found, kind=kind)
