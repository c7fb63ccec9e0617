"""The models that train-step knows by name: sizes, and what each is trained with where nothing else is asked for.

Learning rates are high enough that a few steps move the loss by more than a number format does: else a wrong learning
rate would pass the check of the loss. `tiny` ones make a step in some milliseconds on two cores.
"""

from __future__ import annotations

from typing import Any


def _gpt(layers: int, hidden: int, heads: int, vocab: int = 50_257) -> dict[str, Any]:
    """GPT-2's layers: LayerNorm, biases, an MLP of four times the width, learned positions."""
    return {"layers": layers, "hidden": hidden, "heads": heads, "kv_heads": heads, "mlp": 4 * hidden, "vocab": vocab,
            "gated": False, "modern": False}  # fmt: skip


def _llama(layers: int, hidden: int, heads: int, kv_heads: int, mlp: int, vocab: int) -> dict[str, Any]:
    """Llama's layers: RMSNorm, no biases, SwiGLU, rotary positions."""
    return {"layers": layers, "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "mlp": mlp, "vocab": vocab,
            "gated": True, "modern": True}  # fmt: skip


def _patches(layers: int, hidden: int, heads: int, **more: int) -> dict[str, Any]:
    return {"layers": layers, "hidden": hidden, "heads": heads, "mlp": 4 * hidden, **more}


RATES = {"adamw": 3e-4, "adamw-fused": 3e-4, "sgd": 0.1}  # where another optimizer than the model's is asked for
_ADAM, _SGD = {"optimizer": "adamw", "learning_rate": 3e-4}, {"optimizer": "sgd", "learning_rate": 0.1}
_NORMED = {"optimizer": "sgd", "learning_rate": 0.02}  # a norm over the batch, and no warm-up: more is chaos
_TINY = {"optimizer": "adamw", "learning_rate": 1e-3}
_LARGE = {"optimizer": "adamw", "learning_rate": 1e-4}
_TABLES = (100_000,) * 8 + (10_000,) * 8 + (1000,) * 10  # as uneven as clicks are, at a size that fits anywhere

# name -> family (train_shapes.FAMILIES), its sizes, and the training around it
PRESETS: dict[str, dict[str, Any]] = {
    "gpt-tiny": {"family": "decoder", "net": _gpt(2, 128, 4, 1024), "seq_len": 64, "micro_batch": 2, **_TINY},
    "gpt-125m": {"family": "decoder", "net": _gpt(12, 768, 12), "seq_len": 1024, "micro_batch": 8, **_ADAM},  # GPT-2
    "gpt-350m": {"family": "decoder", "net": _gpt(24, 1024, 16), "seq_len": 1024, "micro_batch": 8, **_ADAM},
    "gpt-1b": {"family": "decoder", "net": _gpt(24, 2048, 16), "seq_len": 2048, "micro_batch": 4, **_LARGE},
    "llama-tiny": {
        "family": "decoder", "net": _llama(2, 128, 4, 2, 344, 1024), "seq_len": 64, "micro_batch": 2, **_TINY
    },
    "llama-1b": {  # Llama 3.2 1B
        "family": "decoder", "net": _llama(16, 2048, 32, 8, 8192, 128_256), "seq_len": 4096, "micro_batch": 1, **_LARGE
    },
    "vit-tiny": {
        "family": "vit", "net": _patches(2, 64, 2, image_px=32, patch_px=8, classes=10), "micro_batch": 8, **_TINY
    },
    "vit-s": {"family": "vit", "net": _patches(12, 384, 6), "micro_batch": 64, **_ADAM},
    "vit-b": {"family": "vit", "net": _patches(12, 768, 12), "micro_batch": 64, **_ADAM},
    "dit-tiny": {"family": "dit", "net": _patches(2, 64, 2, image_px=8, classes=10), "micro_batch": 8, **_TINY},
    "dit-s": {"family": "dit", "net": _patches(12, 384, 6), "micro_batch": 32, **_ADAM},
    "dit-b": {"family": "dit", "net": _patches(12, 768, 12), "micro_batch": 32, **_ADAM},
    "resnet-tiny": {
        "family": "resnet", "net": {"blocks": (1, 1), "bottleneck": True, "width": 8, "image_px": 32, "classes": 10},
        "micro_batch": 8, **_NORMED,
    },
    "resnet-18": {
        "family": "resnet", "net": {"blocks": (2, 2, 2, 2), "bottleneck": False}, "micro_batch": 64, **_NORMED
    },
    "resnet-50": {
        "family": "resnet", "net": {"blocks": (3, 4, 6, 3), "bottleneck": True}, "micro_batch": 64, **_NORMED
    },
    "dlrm-tiny": {
        "family": "dlrm", "net": {"rows": (1000,) * 4, "dim": 16, "bottom": (64, 16), "top": (64, 1)},
        "micro_batch": 128, **_SGD,
    },
    "dlrm-small": {
        "family": "dlrm", "net": {"rows": _TABLES, "dim": 64, "bottom": (512, 256, 64), "top": (512, 256, 1)},
        "micro_batch": 2048, **_SGD,
    },
}  # fmt: skip
