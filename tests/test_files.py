"""Lines of a TOML file: every key that is there is found on the line that holds it."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from assay.files import toml_lines

keys = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
scalars = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.sampled_from(["true", "false", "2026-11-27", "2026-11-27T10:00:00Z", '"120 USD/h"', "'[#]'", '"\\""', "[]"]),
    words.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.just('"""one\n"two" = [\n"""'),
    st.just("'''a = 1\n[b]'''"),
)
inline = st.dictionaries(keys, scalars, min_size=1, max_size=3).map(
    lambda told: "{ " + ", ".join(f"{key} = {value}" for key, value in told.items()) + " }"
)
lists = st.lists(st.one_of(scalars, inline), max_size=3).map(
    lambda items: "[\n  " + ",  # more\n  ".join(items) + "\n]"
)
bodies = st.dictionaries(keys, st.one_of(scalars, inline, lists), min_size=1, max_size=4)
spaces = st.sampled_from(["", "\n", "# [note] = 1\n", "\n\n"])


@st.composite
def files(draw) -> str:
    """A file of our kind: keys, tables, arrays of tables with tables of their own, remarks between them."""

    def body() -> str:
        return "".join(f"{draw(spaces)}{key} = {value}\n" for key, value in draw(bodies).items())

    parts = [body()] if draw(st.booleans()) else []
    for n, name in enumerate(draw(st.lists(keys, max_size=3, unique=True))):
        for _ in range(draw(st.integers(1, 3))):
            parts.append(f"[[x{n}-{name}]]\n{body()}")
            parts += [f"[x{n}-{name}.9y-{k}]\n{body()}" for k in range(draw(st.integers(0, 1)))]
            parts += [f"[[x{n}-{name}.9z]]\n{body()}" for _ in range(draw(st.integers(0, 2)))]
        parts.append(f'[t{n}."{name}.v"]\n{body()}')
    return draw(spaces).join(parts)


def paths(value: object, path: str = "") -> list[str]:
    if isinstance(value, dict):
        inner = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[{n}]", item) for n, item in enumerate(value)]
    else:
        inner = []
    return [place for key, item in inner for place in (key, *paths(item, key))]


@given(text=files())
def test_every_key_is_found_on_the_line_that_holds_it(text: str) -> None:
    found, lines = toml_lines(text), text.split("\n")
    for path in paths(tomllib.loads(text)):
        key = path.rpartition(".")[2].rstrip("0123456789[]") if path.endswith("]") else path.rpartition(".")[2]
        assert path in found
        assert 1 <= found[path] <= len(lines)
        if not path.endswith("]") or f"[{key}]" in lines[found[path] - 1]:
            assert key.strip('"') in lines[found[path] - 1]


@given(text=st.text(st.sampled_from("[]{}=,.\n\"'#a1 "), max_size=80))
def test_what_is_no_toml_has_lines_as_far_as_it_goes(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in toml_lines(text).values())


def test_what_is_nested_without_end_ends() -> None:
    assert toml_lines("a = " + "[" * 100_000)["a"] == 1
