"""What must not be written down: secrets, ever; and, where a record leaves the house, names of people and machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

SECRET = "(a secret, not recorded)"

# MAX_TOKENS and TOKENIZERS_PARALLELISM are no secrets; a plural with a number is a setting.
_NAMES = re.compile(
    r"TOKEN(?!IZER|S?_?(?:LEN|COUNT|NUM|LIMIT))|KEY|PASSW|PASSPHRASE|(?:^|[_-])PASS(?:$|[_-])|SECRET|CREDENTIAL|JWT|COOKIE|"
    r"(?:^|[_-])AUTH(?:$|[_-])|BEARER|SIGNATURE|(?:^|[_-])SAS(?:$|[_-])|(?:^|[_-])DSN(?:$|[_-])",
    re.IGNORECASE,
)
# What issuers put in front of what they issue, addresses with a password in them, and keys in their armour.
_VALUES = re.compile(
    r"\b(?:hf_|gh[opsu]_|github_pat_|glpat-|sk-|xox[abps]-|nvapi-|AKIA|ASIA|AIza|ya29\.|eyJ[\w-]{8,}\.)[\w.-]{8,}"
    r"|://[^/\s:@]*:[^/\s@]+@|-----BEGIN"
)
_COUNT = re.compile(r"\d{1,9}")
_HOMES = re.compile(r"(?<![\w.])/(?:home|Users)/[^/\s:\"']+|(?<![\w./])/root(?=[/\s:\"']|$)")

# Facts that name a person, a machine or a place, and tell nothing else.
PERSONAL = frozenset({
    "host", "cwd", "interpreter", "container_id", "pod", "job", "filesystem_source", "accelerator_processes",
    "busy_at_start", "busy_processes", "tenants", "git_branch",
})  # fmt: skip


def secret(name: str, value: str) -> bool:
    """Whether a setting looks like one that opens something: by its name or by its value.

    >>> secret("HF_TOKEN", "abc"), secret("TOKENIZERS_PARALLELISM", "false"), secret("VLLM_MAX_TOKENS", "512")
    (True, False, False)
    """
    if _VALUES.search(value):
        return True
    return bool(_NAMES.search(name)) and not (re.search(r"TOKENS", name, re.IGNORECASE) and _COUNT.fullmatch(value))


def arguments(command: Sequence[str]) -> tuple[str, ...]:
    """A command as it may be written down: what follows `--api-key` or stands behind `--token=` is left out.

    >>> arguments(["serve", "--api-key", "abc", "--hf-token=xyz", "--port", "80"])
    ('serve', '--api-key', '(a secret, not recorded)', '--hf-token=(a secret, not recorded)', '--port', '80')
    """
    found: list[str] = []
    for i, word in enumerate(command):
        name, is_pair, value = word.partition("=")
        before = command[i - 1] if i else ""
        if is_pair and secret(name, value):
            found.append(f"{name}={SECRET}")
        elif _VALUES.search(word) or (before.startswith("-") and "=" not in before and secret(before, word)):
            found.append(SECRET)
        else:
            found.append(word)
    return tuple(found)


def redacted(facts: Mapping[str, object], *, names: Iterable[str] = ()) -> dict[str, object]:
    """Facts that may leave the house: no home folders, none of `names` (users, hosts), nothing that only identifies."""
    words = [re.escape(name) for name in names if len(name) > 2 and name != "root"]
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(words)})(?![\w-])") if words else None
    return {key: _without(value, pattern) for key, value in facts.items() if key not in PERSONAL}


def _without(value: object, pattern: re.Pattern[str] | None) -> object:
    if isinstance(value, str):
        home = _HOMES.sub("~", value)
        return pattern.sub("(name)", home) if pattern else home
    if isinstance(value, Mapping):
        return {key: _without(item, pattern) for key, item in value.items()}
    return [_without(item, pattern) for item in value] if isinstance(value, (list, tuple)) else value
