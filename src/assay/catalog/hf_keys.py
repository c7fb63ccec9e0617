"""The keys of one config.json: every spelling, every type checked, and a memory of which were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from assay.codec import Raw
from assay.errors import InputError

T = TypeVar("T")

# One word of ours -> how model families spell it. The first spelling is the one an error asks for.
SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "hidden": ("hidden_size", "n_embd", "n_embed", "d_model", "dim"),
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads", "multi_query_group_num"),
    "head_dim": ("head_dim", "attention_head_dim", "kv_channels", "d_kv"),
    "ffn": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size", "hidden_dim"),
    "vocab": ("vocab_size", "padded_vocab_size"),
    "positions": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length", "n_ctx"),
    "window": ("sliding_window", "sliding_window_size"),
    "period": ("sliding_window_pattern", "full_attention_interval", "no_rope_layer_interval"),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
    "experts_per_token": ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_top_k", "moe_k"),
    "expert_ffn": ("moe_intermediate_size", "expert_intermediate_size", "moe_ffn_hidden_size"),
    "shared_experts": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"),
    "dense_ffn": ("intermediate_size_mlp",),
    "first_sparse": ("first_k_dense_replace", "moe_layer_start_index"),
    "sparse_step": ("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq", "moe_layer_interval"),
    "dtype": ("dtype", "torch_dtype"),
}

# Whole numbers above these are slips of the pen, and would make loops and counts that no machine can hold.
_MOST: Final = {"layers": 10_000, "hidden": 1_000_000, "heads": 100_000, "kv_heads": 100_000, "experts": 100_000,
                "vocab": 100_000_000, "positions": 10_000_000_000, "window": 10_000_000_000,
                "published_params": 10**18}  # fmt: skip
_MOST_ELSE: Final = 10_000_000

# Keys that say nothing of shape: tokens, training, scaling, positions without parameters, library bookkeeping.
_QUIET_STARTS: Final = ("_", "rope_", "rotary_", "init_", "initial", "pooler_", "summary_", "scale_", "output_", "mtp_",
                        "router_")  # fmt: skip
_QUIET_ENDS: Final = ("_dropout", "_pdrop", "_token_id", "_eps", "_epsilon", "_coef", "_alpha", "_softcapping", "_std",
                      "_range", "_factor", "_multiplier", "_scaling")  # fmt: skip
_QUIET: Final = frozenset(
    """
    activation activation_function add_cross_attention alibi apply_residual_connection_post_layernorm architectures
    attention_probs_dropout_prob attention_softmax_in_fp32 attn_implementation attn_scale attn_temperature_tuning
    auto_map bias_dropout_fusion cache_implementation chunk_size_feed_forward dim_model_base dropout dropout_rate
    embedding_fraction encoder_stride ep_size finetuning_task floor_scale gelu_activation gradient_checkpointing
    hidden_act hidden_activation hidden_dropout_prob id2label input_jitter_noise is_decoder is_encoder_decoder label2id
    layer_norm_elementwise_affine layerdrop logit_scale loss_type mamba_ssm_dtype masked_softmax_fusion max_length
    max_window_layers min_length mlp_type model_type moe_layer_end_index moe_norm_min n_group no_rope_layers
    norm_topk_prob norm_type num_labels num_nextn_predict_layers offset_alibi original_max_position_embeddings perturb
    position_embedding_type prefix pretraining_tp problem_type qk_head_dim query_pre_attn_scalar
    relative_attention_max_distance reorder_and_upcast_attn return_dict rotary scoring_func seq_aux
    sinusoidal_pos_embds skip_bias_add skip_bias_add_qkv slow_but_exact swiglu_limit task_specific_params
    tie_encoder_decoder tie_weights_ tie_word_embeddings tokenizer_class topk_group topk_method transformers.js_config
    transformers_version unk_index use_bidirectional_attention use_cache use_flash_attn use_fused_ops
    use_fused_rms_norm verbose
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Keys:
    """One config, read key by key; each reader refuses what is not of its kind, and `read` remembers what was used."""

    raw: Raw
    where: str
    model_type: str
    read: set[str] = field(default_factory=set)

    def number(self, word: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number; without a default the key must be there."""
        found = self.maybe(word, least=least)
        if found is not None:
            return found
        if default is not None:
            return default
        name = self._spellings(word)[0]
        kind = f'model_type "{self.model_type}"' if self.model_type else "a config without model_type"
        hint = f'add "{name}": a whole number of {least} or more'
        raise InputError(f'"{name}" is missing for {kind}', where=self.where, hint=hint)

    def maybe(self, word: str, *, least: int = 1) -> int | None:
        """A whole number, or None where the key is absent or null."""
        name, value = self._find(word)
        return None if value is None else _whole(value, name, self.where, least, _MOST.get(word, _MOST_ELSE))

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        _, value = self._find(name)
        return default if value is None else self._of(bool, value, name, "true or false")

    def text(self, name: str, default: str = "") -> str:
        """A word."""
        spelled, value = self._find(name)
        return default if value is None else self._of(str, value, spelled, "a word in quotes")

    def table(self, name: str) -> Raw | None:
        """An object inside the config."""
        _, value = self._find(name)
        return None if value is None else self._of(dict, value, name, "an object in braces")

    def words(self, name: str) -> list[str] | None:
        """A list of words."""
        return self._list(name, lambda item: self._of(str, item, name, "a list of words"))

    def numbers(self, name: str) -> list[int] | None:
        """A list of whole numbers."""
        return self._list(name, lambda item: _whole(item, name, self.where, 0, _MOST_ELSE))

    def refuse(self, word: str, what: str, hint: str) -> InputError:
        """An error about one key, to be raised by who found it."""
        return InputError(f"{self._find(word)[0]}: {what}", where=self.where, hint=hint)

    def unread(self) -> tuple[str, ...]:
        """Keys that say something and were not used: neither bookkeeping nor switched off."""
        said = (key for key, value in self.raw.items() if value not in (None, False, 0, "", [], {}))
        return tuple(sorted(key for key in said if key not in self.read and not _is_quiet(key)))

    def _spellings(self, word: str) -> tuple[str, ...]:
        return SPELLINGS.get(word, (word,))

    def _find(self, word: str) -> tuple[str, object]:
        names = self._spellings(word)
        self.read.update(names)
        return next(((n, self.raw[n]) for n in names if self.raw.get(n) is not None), (names[0], None))

    def _list(self, name: str, item: Callable[[object], T]) -> list[T] | None:
        _, value = self._find(name)
        return None if value is None else [item(part) for part in self._of(list, value, name, "a list")]

    def _of(self, kind: type[T], value: object, name: str, wanted: str) -> T:
        if isinstance(value, kind):
            return value
        raise InputError(f"{name}: {_shown(value)} is not {wanted}", where=self.where, hint=f"{wanted} is wanted")


def _is_quiet(key: str) -> bool:
    return key in _QUIET or key.startswith(_QUIET_STARTS) or key.endswith(_QUIET_ENDS)


def _whole(value: object, name: str, where: str, least: int, most: int) -> int:
    wanted = f"a whole number from {least:,} to {most:,} is wanted"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{name}: {_shown(value)} is not a number", where=where, hint=wanted)
    if not least <= value <= most:  # NaN lands here too
        raise InputError(f"{name}: {_shown(value)} cannot be", where=where, hint=wanted)
    if value != int(value):
        raise InputError(f"{name}: {value} is not a whole number", where=where, hint=wanted)
    return int(value)


def _shown(value: object) -> str:
    shown = f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
