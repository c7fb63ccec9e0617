"""Reading config.json: what each family's file says, and what a file that is wrong is told."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.catalog.hf_families import FAMILIES
from assay.catalog.huggingface import from_config, read_config
from assay.counting import active_parameters, kv_bytes, kv_bytes_per_token, parameters, state_bytes
from assay.errors import AssayError, InputError
from assay.model import Model, TransformerShape

CONFIGS = Path(__file__).parents[1] / "recorded" / "configs"
GIB = 2**30

# Parameters of each recorded config. "code": transformers 5.23.0 builds as many on the meta device (torch 2.13.0), with
# DeepSeek's e_score_correction_bias, which it keeps as a buffer; "card": the total of the published weights as well, or
# alone where transformers has no code of its own for the family. The text half alone where a model sees images.
COUNTS = {
    "baichuan2-7b": (7_505_973_248, "card"),
    "bert-base-uncased": (109_482_240, "code (BertModel, pooler included), card: 110M"),
    "bloom-560m": (559_214_592, "code, card"),
    "deepseek-v2-lite": (15_706_484_224, "card; code with q_lora_rank null"),
    "deepseek-v3": (671_026_419_200, "code, card: 671B without the MTP layer"),
    "distilbert-base-uncased": (66_362_880, "code, card: 66M"),
    "falcon-40b": (41_303_293_952, "code; the card's total counts the tied output again"),
    "falcon-7b": (6_921_720_704, "code; the card's 7,217,189,760 counts the tied output again"),
    "flan-t5-xl": (2_849_757_184, "card; the code ties what its published config does not"),
    "gemma-2-9b": (9_241_705_984, "code, card"),
    "gemma-3-1b": (999_885_952, "code, card"),
    "gemma-3-27b": (27_009_346_304, "code, text half"),
    "gemma-3-4b": (3_880_263_168, "code, text half"),
    "gemma-7b": (8_537_680_896, "code, card"),
    "glm-4.5-air": (106_852_251_264, "code, card: 106B without the MTP layer"),
    "gpt-j-6b": (6_050_882_784, "code, card"),
    "gpt-oss-20b": (20_914_757_184, "code, card: 20.91B"),
    "gpt2": (124_439_808, "code, card"),
    "internlm2-7b": (7_737_708_544, "card"),
    "kimi-k2": (1_026_408_232_448, "code, card: 1.03T"),
    "llama-2-70b": (68_976_648_192, "code, card"),
    "llama-3.1-8b": (8_030_261_248, "code, card"),
    "llama-4-scout": (107_769_861_120, "code, text half"),
    "mistral-7b": (7_241_732_096, "code, card"),
    "mixtral-8x7b": (46_702_792_704, "code, card"),
    "mpt-7b": (6_649_286_656, "code, card"),
    "olmo-2-7b": (7_298_617_344, "code, card"),
    "opt-125m": (125_239_296, "code, card"),
    "opt-350m": (331_196_416, "code, card"),
    "phi-2": (2_779_683_840, "code, card"),
    "phi-3-mini": (3_821_079_552, "code, card"),
    "pythia-6.9b": (6_857_302_016, "code, card"),
    "qwen1.5-moe-a2.7b": (14_315_784_192, "code, card"),
    "qwen2.5-7b": (7_615_616_512, "code, card"),
    "qwen3-0.6b": (596_049_920, "code, card"),
    "qwen3-30b-a3b": (30_532_122_624, "code, card"),
    "qwen3-next-80b-a3b": (79_674_391_296, "code; without the MTP layer"),
    "roberta-base": (124_645_632, "code (RobertaModel, pooler included), card: 125M"),
    "starcoder2-15b": (15_957_889_024, "code, card"),
    "t5-base": (222_903_552, "code, card"),
    "vit-base-patch16-224": (86_567_656, "code, card: 86.6M"),
}


def raw(name: str) -> dict[str, object]:
    """The keys of a recorded config."""
    found = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def shape(name: str) -> TransformerShape:
    found = read_config(CONFIGS / f"{name}.json").shape
    assert isinstance(found, TransformerShape)
    return found


def read(**changes: object) -> Model:
    """Llama-3.1-8B's config with keys changed; `...` takes a key away."""
    config = {**raw("llama-3.1-8b"), **changes}
    return from_config({k: v for k, v in config.items() if v is not ...}, name="x", where="config.json")


@pytest.mark.parametrize("name", COUNTS)
def test_a_config_gives_exactly_the_published_parameters(name):
    model = read_config(CONFIGS / f"{name}.json")
    assert parameters(model.shape) == COUNTS[name][0]
    assert model.name == name


def switched() -> list[tuple[int, dict[str, object]]]:
    """Four-layer configs with random switches, and what transformers 5.23 or 5.24 builds of each on the meta device."""
    lines = (CONFIGS.parent / "code_counts.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["parameters"], row["config"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize(("count", "config"), switched())
def test_every_switch_of_a_config_counts_as_its_code_does(count, config):
    assert parameters(from_config(config, name="x", where="config.json").shape) == count


def test_every_recorded_config_is_checked():
    assert {path.stem for path in CONFIGS.glob("*.json")} == set(COUNTS)


def test_the_families_that_people_ask_for_are_known():
    asked = """llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe gemma2 gemma3 phi phi3 gpt2 gpt_neox opt bloom
               falcon gpt_oss deepseek_v2 deepseek_v3 bert vit t5"""
    assert set(asked.split()) <= set(FAMILIES)
    assert {read_config(path).confidence for path in CONFIGS.glob("*.json")} <= {"high", "medium"}


def test_the_first_files_of_falcon_40b_tell_of_its_8_key_value_heads_in_their_own_way():
    old = {"model_type": "RefinedWeb", "hidden_size": 8192, "n_layer": 60, "n_head": 128, "n_head_kv": 8,
           "vocab_size": 65_024, "parallel_attn": True, "bias": False, "alibi": False}  # fmt: skip
    assert from_config(old, name="falcon-40b", where="config.json").shape.blocks == shape("falcon-40b").blocks


def test_nothing_in_a_known_config_is_left_unread_but_what_a_model_sees():
    unread = {key for path in CONFIGS.glob("*.json") for key in read_config(path).unread}
    assert unread <= {"vision_config"}


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("mixtral-8x7b", 12.88),
        ("qwen3-30b-a3b", 3.35),
        ("deepseek-v3", 37.55),
        ("kimi-k2", 32.86),
        ("gpt-oss-20b", 4.19),
    ],
)
def test_a_token_meets_only_the_experts_it_visits(name, active):
    """Mixtral 12.9B, DeepSeek-V3 37B, Kimi K2 32B, Qwen3 3.3B; gpt-oss says 3.6B, leaving out the embedding."""
    assert active_parameters(shape(name)) / 1e9 == pytest.approx(active, abs=0.005)


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("llama-3.1-8b", 32 * 2 * 8 * 128 * 2),
        ("llama-2-70b", 80 * 2 * 8 * 128 * 2),
        ("qwen3-0.6b", 28 * 2 * 8 * 128 * 2),  # head_dim 128, though hidden / heads is 64
        ("deepseek-v3", 61 * (512 + 64) * 2),
        ("deepseek-v2-lite", 27 * (512 + 64) * 2),
        ("falcon-7b", 32 * 2 * 1 * 64 * 2),  # one key/value head, though its file says num_kv_heads 71
        ("falcon-40b", 60 * 2 * 8 * 64 * 2),
        ("qwen3-next-80b-a3b", 12 * 2 * 2 * 256 * 2),  # one layer of four holds keys and values
    ],
)
def test_a_token_leaves_as_much_cache_as_the_config_says(name, bytes_per_token):
    assert kv_bytes_per_token(shape(name), 4096) == bytes_per_token


def test_windows_bound_the_cache_of_the_layers_that_have_them():
    gemma, oss, mistral = (shape(name) for name in ("gemma-3-27b", "gpt-oss-20b", "mistral-7b"))
    assert kv_bytes(gemma, 131_072) / GIB == pytest.approx(10.41, abs=0.01)
    assert kv_bytes(oss, 131_072) == 12 * 2 * 8 * 64 * 2 * (131_072 + 128)
    assert kv_bytes(mistral, 32_768) == kv_bytes(mistral, 4096)


def test_a_hybrid_holds_keys_and_values_in_every_fourth_layer():
    """Qwen3.5-27B at 262,144 tokens: 16.0 GiB; tools that count all layers said 53.3 (unslothai/unsloth#4757)."""
    text = {
        "model_type": "qwen3_5_text", "hidden_size": 5120, "intermediate_size": 17_408, "num_hidden_layers": 64,
        "num_attention_heads": 24, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 248_320,
        "full_attention_interval": 4, "linear_num_key_heads": 16, "linear_num_value_heads": 48,
        "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4,
    }  # fmt: skip
    model = from_config({"model_type": "qwen3_5", "text_config": text}, name="qwen3.5-27b", where="config.json")
    assert isinstance(model.shape, TransformerShape)
    assert kv_bytes(model.shape, 262_144) / GIB == pytest.approx(16.0)
    assert (model.kind, state_bytes(model.shape) > 0) == ("hybrid", True)


def test_both_spellings_of_a_key_mean_the_same():
    """transformers 5 writes dtype, rope_parameters, layer_types, num_local_experts and mlp_layer_types."""
    old = raw("qwen3-30b-a3b")
    old["num_experts"] = old.pop("num_local_experts")
    old["torch_dtype"] = old.pop("dtype")
    new = {**raw("qwen3-30b-a3b"), "layer_types": ["full_attention"] * 48, "mlp_layer_types": ["sparse"] * 48}
    assert from_config(old, name="x", where="x") == from_config(new, name="x", where="x")


def test_named_layers_and_a_pattern_give_the_same_mix():
    named = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(26)]
    by_name = {k: v for k, v in raw("gemma-3-1b").items() if k != "sliding_window_pattern"} | {"layer_types": named}
    assert from_config(by_name, name="gemma-3-1b", where="x").shape == shape("gemma-3-1b")


def test_qwen_uses_its_window_only_where_it_says_so():
    qwen = {**raw("qwen2.5-7b"), "use_sliding_window": True, "sliding_window": 1000, "max_window_layers": 20}
    slid = from_config(qwen, name="x", where="x").shape
    assert isinstance(slid, TransformerShape)
    assert {(b.attention.kind, b.count) for b in slid.blocks} == {("full", 20), ("sliding", 8)}
    assert {b.attention.kind for b in shape("qwen2.5-7b").blocks} == {"full"}


def test_dense_layers_among_the_experts_are_where_the_config_puts_them():
    v3 = shape("deepseek-v3")
    assert [(b.count, b.ffn.experts, b.ffn.hidden) for b in v3.blocks] == [(3, 0, 18_432), (58, 256, 2048)]
    stepped = {**raw("qwen3-30b-a3b"), "decoder_sparse_step": 2, "mlp_only_layers": [1]}
    mixed = from_config(stepped, name="x", where="x").shape
    assert isinstance(mixed, TransformerShape)
    assert sum(b.count for b in mixed.blocks if b.ffn.experts) == 23


def test_the_text_half_of_a_model_that_sees_is_read_and_its_eyes_are_named():
    model = read_config(CONFIGS / "llama-4-scout.json")
    assert (model.confidence, model.unread, model.kind) == ("medium", ("vision_config",), "moe")


def test_how_the_weights_are_stored_is_told():
    formats = {
        name: read_config(CONFIGS / f"{name}.json").stored_as for name in ("deepseek-v3", "gpt-oss-20b", "opt-125m")
    }
    assert formats == {"deepseek-v3": "fp8", "gpt-oss-20b": "mxfp4", "opt-125m": "fp16"}
    assert read(quantization_config={"quant_method": "gptq", "bits": 4}).stored_as == "gptq 4 bit"


def test_an_unknown_family_is_read_by_its_keys_with_low_confidence():
    model = read(model_type="brand_new", number_of_wheels=4, wheels_enabled=False)
    assert parameters(model.shape) == 8_030_261_248
    assert (model.confidence, model.unread) == ("low", ("number_of_wheels",))
    assert read(model_type=...).confidence == "low"


def test_code_beside_a_config_is_never_run(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({**raw("phi-3-mini"), "auto_map": {"AutoConfig": "evil.Config"}}), encoding="utf-8"
    )
    mark = tmp_path / "was-run"
    for module in ("evil.py", "__init__.py", "conftest.py"):
        (tmp_path / module).write_text(f"open({str(mark)!r}, 'w')", encoding="utf-8")
    assert read_config(tmp_path).name == tmp_path.name
    assert not mark.exists()


# --- what is wrong ------------------------------------------------------------------------------------------------

WRONG = {
    "missing key": ({"num_hidden_layers": ...}, '"num_hidden_layers" is missing for model_type "llama"'),
    "missing, no type": ({"hidden_size": ..., "model_type": ...}, '"hidden_size" is missing for a config'),
    "a string": ({"hidden_size": "4096"}, 'hidden_size: "4096" is not a number'),
    "a truth value": ({"hidden_size": True}, "hidden_size: True is not a number"),
    "a list": ({"num_attention_heads": [32]}, "num_attention_heads: [32] is not a number"),
    "half a layer": ({"num_hidden_layers": 31.5}, "num_hidden_layers: 31.5 is not a whole number"),
    "no layers": ({"num_hidden_layers": 0}, "num_hidden_layers: 0 cannot be"),
    "negative": ({"vocab_size": -1}, "vocab_size: -1 cannot be"),
    "absurd": ({"num_hidden_layers": 1e30}, "num_hidden_layers: 1e+30 cannot be"),
    "huge": ({"num_hidden_layers": 10**400}, "num_hidden_layers: 1000"),
    "infinite": ({"hidden_size": float("inf")}, "hidden_size: inf cannot be"),
    "not a number": ({"hidden_size": float("nan")}, "hidden_size: nan cannot be"),
    "uneven heads": ({"num_attention_heads": 33}, "num_attention_heads: 33 heads do not divide a hidden width of 4096"),
    "more kv heads": ({"num_key_value_heads": 64}, "num_key_value_heads: 64 key/value heads cannot be shared by 32"),
    "uneven kv heads": ({"num_key_value_heads": 5}, "num_key_value_heads: 5 key/value heads cannot be shared"),
    "type is no word": ({"model_type": 7}, "model_type: a word is wanted"),
    "text is no object": ({"text_config": [1]}, "text_config: an object is wanted, this is a list"),
    "flag is no flag": ({"tie_word_embeddings": "yes"}, 'tie_word_embeddings: "yes" is not true or false'),
    "strange layer": ({"layer_types": ["magic"] * 32}, 'layer_types: "magic" is not known here'),
    "too few layers": ({"layer_types": ["full_attention"]}, "layer_types: 1 named, 32 layers said"),
    "no window": ({"layer_types": ["sliding_attention"] * 32}, '"sliding_window" is missing'),
    "quantized by 7": ({"quantization_config": 7}, "quantization_config: 7 is not an object in braces"),
    "too many visited": ({"num_experts": 2, "num_experts_per_tok": 3}, "num_experts_per_tok: 3 of 2 experts cannot be"),
    "experts unvisited": ({"num_experts": 2}, '"num_experts_per_tok" is missing'),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told_with_its_key_and_what_is_wanted(case):
    changes, message = WRONG[case]
    with pytest.raises(InputError) as error:
        read(**changes)
    assert str(error.value).startswith(f"config.json: {message}")
    assert error.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not whole JSON"),
        ('{"model_type": "llama", "hidden_', "this is not whole JSON"),
        ("[1, 2]", "a JSON object is wanted, this is a list"),
        ("hello", "this is not whole JSON"),
        ('{"hidden_size": NaN}', "this is not whole JSON"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "this is not whole JSON"),
        ('{"hidden_size": 1' + "0" * 10_000 + "}", "this is not whole JSON"),
        ("{}", '"hidden_size" is missing for a config without model_type'),
        ("\x00\x01", "this is not whole JSON"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_config(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_folder_without_a_config_is_told_which_file_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"config\.json: cannot be read"):
        read_config(tmp_path)


def test_a_config_cut_anywhere_is_refused_and_never_half_read(tmp_path):
    whole = (CONFIGS / "gpt2.json").read_text(encoding="utf-8").rstrip()
    path = tmp_path / "config.json"
    for end in range(0, len(whole), 37):
        path.write_text(whole[:end], encoding="utf-8")
        with pytest.raises(InputError):
            read_config(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["full_attention", "sliding_attention", "linear_attention", "sparse", "gated-gelu"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip
recorded = st.sampled_from(sorted(COUNTS))


def holds_or_is_refused(config: dict[str, object]) -> None:
    """A config is a Model that can be counted, or an AssayError: nothing else."""
    try:
        model = from_config(config, name="x", where="config.json")
    except AssayError as error:
        assert "config.json" in str(error)
        return
    assert isinstance(model.shape, TransformerShape)
    assert 0 < active_parameters(model.shape) <= parameters(model.shape)
    assert kv_bytes(model.shape, 4096) >= 0


@settings(max_examples=200)
@given(recorded, st.data())
def test_a_config_with_any_key_changed_is_read_or_refused(name, data):
    config = deepcopy(raw(name))
    inner = config.get("text_config", config)
    assert isinstance(inner, dict)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(inner)) | st.sampled_from(sorted(config)))
        target = inner if key in inner else config
        if data.draw(st.booleans()):
            target[key] = data.draw(json_values)
        else:
            target.pop(key, None)
    holds_or_is_refused(config)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(sorted({key for name in COUNTS for key in raw(name)})) | st.text(max_size=10), json_values
    ),
    st.sampled_from([*FAMILIES, "unheard_of"]),
)
def test_any_object_is_read_or_refused(config, family):
    holds_or_is_refused({"model_type": family, **config})
    holds_or_is_refused(config)


@given(recorded, st.sampled_from(["llama", *FAMILIES]))
def test_the_wrong_family_for_a_config_is_read_or_refused(name, family):
    holds_or_is_refused({**raw(name), "model_type": family})
