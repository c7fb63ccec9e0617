"""SGLang's `bench_serving --output-file`: one JSON object a run, each on its own line.

It grew out of vLLM's benchmark and means the same by the same names (see there); its table is read there too. Where the
client counted other tokens than the server's usage, a warning tells of it: rates and TPOT follow the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.measure.found import Said
from assay.measure.logs.vllm import serving

NAME, TITLE = "sglang", "SGLang's bench_serving"

_MOST_APART = 0.05


def document(raw: Mapping[str, Any]) -> list[Said] | None:
    """What one run found."""
    if "request_throughput" not in raw or "total_output_tokens_retokenized" not in raw:
        return None
    server, client = raw["total_output_tokens"], raw["total_output_tokens_retokenized"]
    apart = server and abs(client / server - 1) > _MOST_APART
    text = f"SGLang's client counted {client} output tokens where the server says {server}: is it the right tokenizer?"
    return [*serving(raw), *([text] if apart else [])]
