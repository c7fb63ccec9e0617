"""The model catalog: what is in it, how it is found, and what a file of one's own may say."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.catalog.models import facts, model, models, same_name
from assay.counting import parameters
from assay.errors import AssayError, InputError
from assay.model import ConvShape, DlrmShape, Model, TransformerShape

CONFIGS = Path(__file__).parents[1] / "recorded" / "configs"
CATALOG = models()

# What code or cards say of models whose files carry no published count: transformers 5.23.0 on the meta device, except
# where another source is named.
COUNTED = {
    "gpt3-175b": 174_604_259_328,
    "gpt-22b": 22_074_273_792,
    "gpt-175b": 174_615_846_912,
    "gpt-530b": 529_600_819_200,
    "gpt-1t": 1_008_038_758_400,
    "llama-3.1-405b": 405_853_388_800,
    "llama-4-scout": 107_769_861_120,
    "llama-4-maverick": 400_711_848_960,
    "mixtral-8x22b": 140_620_634_112,
    "qwen3-next-80b-a3b": 79_674_391_296,
    "gemma-3-4b": 3_880_263_168,
    "gemma-3-12b": 11_766_034_176,
    "gemma-3-27b": 27_009_346_304,
    "opt-66b": 65_719_701_504,
    "opt-175b": 174_604_468_224,
    "falcon-180b": 178_557_088_768,
    "glm-4.5-air": 106_852_251_264,
    "glm-4.5": 352_797_829_024,
    "mpt-30b": 29_957_200_896,
    "mpt-1b": 1_315_407_872,  # llm-foundry prints 1.3 B
    "internlm-7b": 7_321_948_160,  # InternEvo prints 7.32 B
    "internlm-20b": 20_088_714_240,  # card: 20 B
    # Written by hand in tests/predict/torch_models, PyTorch 2.13.0 on the meta device.
    "rnn-t": 49_006_080,
    "unet-3d": 31_190_243,
    "ssd-retinanet-resnext50": 37_060_652,
    "dit-b-2": 130_512_416,
    "dit-s-2": 32_963_360,
}


def transformers() -> dict[str, TransformerShape]:
    return {name: m.shape for name, m in CATALOG.items() if isinstance(m.shape, TransformerShape)}


@pytest.mark.parametrize("name", [name for name, m in CATALOG.items() if m.published_params])
def test_a_model_has_exactly_the_parameters_its_maker_publishes(name):
    assert parameters(CATALOG[name].shape) == CATALOG[name].published_params


@pytest.mark.parametrize("name", COUNTED)
def test_a_model_has_exactly_the_parameters_its_code_makes(name):
    assert parameters(CATALOG[name].shape) == COUNTED[name]


def test_the_catalog_spans_a_hundred_million_to_a_trillion_parameters():
    sizes = sorted(parameters(shape) for shape in transformers().values())
    assert len(sizes) >= 25
    assert sizes[0] < 150e6
    assert sizes[-1] > 1e12


def test_every_kind_of_model_is_there():
    kinds = Counter(m.kind for m in CATALOG.values())
    assert {
        "dense",
        "moe",
        "hybrid",
        "encoder",
        "encoder-decoder",
        "vit",
        "convnet",
        "dlrm",
        "diffusion",
        "rnn",
    } <= set(kinds)


def test_every_model_is_understood_whole_and_says_where_it_comes_from():
    for name, found in CATALOG.items():
        assert not found.unread, name
        assert found.confidence == "high", name
        assert found.source, name


def test_every_value_of_a_model_has_a_source():
    told = facts("Llama-3.1-8B")
    assert told["num_key_value_heads"].value == 8
    assert all("huggingface.co/meta-llama/Llama-3.1-8B" in fact.source.url for fact in told.values())
    assert facts("resnet-50")["classes"].source.title.startswith("He et al.")


def test_no_two_models_share_a_name():
    spelled = Counter(same_name(s) for m in CATALOG.values() for s in {same_name(n) for n in (m.name, *m.aliases)})
    assert [name for name, count in spelled.items() if count > 1] == []


def test_resnet_50_is_the_resnet_50_everyone_counts():
    """25,557,032 parameters and 4.09 G multiply-adds at 224 pixels (torchvision's table)."""
    shape = CATALOG["resnet-50"].shape
    assert isinstance(shape, ConvShape)
    assert parameters(shape) == 25_557_032
    convolutions = (
        c.count * c.kernel**2 * (c.channels_in // c.groups) * c.channels_out * c.out_px**2 for c in shape.layers
    )
    assert (sum(convolutions) + shape.features * shape.classes) / 1e9 == pytest.approx(4.09, abs=0.005)


@pytest.mark.parametrize(("name", "gib"), [("dlrm-mlperf", 89.5), ("dlrm-dcnv2", 97.4)])
def test_a_recommender_is_as_large_as_mlperf_says_its_tables_are(name, gib):
    """About 90 and 98 GiB in fp32: 26 tables of 128 numbers a row, capped at 40 million rows."""
    shape = CATALOG[name].shape
    assert isinstance(shape, DlrmShape)
    assert len(shape.tables_rows) == 26
    assert sum(shape.tables_rows) * shape.embedding_dim * 4 / 2**30 == pytest.approx(gib, abs=0.1)
    assert 1e6 < parameters(shape) - sum(shape.tables_rows) * shape.embedding_dim < 20e6


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Llama-3.1-8B", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("LLAMA3_8B", "llama-3-8b"),
        ("meta-llama/Meta-Llama-3-8B", "llama-3-8b"),
        ("llama3_1-405b", "llama-3.1-405b"),
        ("Llama 3.1:70b", "llama-3.1-70b"),
        ("Llama-3.3-70B-Instruct", "llama-3.1-70b"),
        ("llama2-70b-99.9", "llama-2-70b"),
        ("GPT3-175B", "gpt3-175b"),
        ("GPT-3 175B (MLPerf)", "gpt-175b"),
        ("MT-NLG-530B", "gpt-530b"),
        ("Qwen3_30B_a3B", "qwen3-30b-a3b"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
        ("GPT OSS 120B", "gpt-oss-120b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-v3"),
        ("Kimi_K2", "kimi-k2"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistral-7b-v0.2"),
        ("opt-1.3b", "opt-1.3b"),
        ("facebook/opt-13b", "opt-13b"),
        ("opt_1_3b", "opt-1.3b"),
        ("microsoft/phi-1_5", "phi-1.5"),
        ("ViT-B/16", "vit-b-16"),
        ("google/vit-base-patch16-224", "vit-b-16"),
        ("BERT-Large (MLPerf)", "bert-large"),
        ("ResNet-50 v1.5 (MLPerf)", "resnet-50"),
        ("DLRM-DCNv2 (MLPerf)", "dlrm-dcnv2"),
        ("gptj-99", "gpt-j-6b"),
        ("3D U-Net (MLPerf)", "unet-3d"),
        ("Mask R-CNN (MLPerf)", "mask-r-cnn-r50-fpn"),
        ("RetinaNet-ResNeXt50 SSD (MLPerf)", "ssd-retinanet-resnext50"),
        ("RNN-T (MLPerf)", "rnn-t"),
        ("DLRM (MLPerf)", "dlrm-mlperf"),
        ("Stable Diffusion v2 (MLPerf)", "stable-diffusion-v2"),
        ("MLPerf Stable Diffusion v2", "stable-diffusion-v2"),
        ("ResNeXt-101 32x4d", "resnext-101-32x4d"),
        ("ResNeXt101", "resnext-101-32x4d"),
        ("EfficientNet-B4 G16", "efficientnet-b4-g16"),
        ("vit-base-patch16-224-in21k", "vit-b-16"),
        ("ViT ImageNet1k", "vit-b-16"),
        ("HuggingFace ViT-Base fine-tuning", "vit-b-16"),
        ("swin-base-patch4-window7-224-in22k", "swin-base"),
    ],
)
def test_a_model_is_found_by_the_name_people_write(written, name):
    assert model(written).name == name


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_model_is_found_by_its_own_name_and_all_its_aliases(name):
    assert {model(spelling).name for spelling in (name, name.upper(), *CATALOG[name].aliases)} == {name}


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(InputError, match=r'no model "lama-3-8b" in the catalog; did you mean "llama-3-8b"'):
        model("lama-3-8b")


@given(st.text(max_size=300))
def test_any_name_is_found_or_refused(name):
    try:
        assert isinstance(model(name), Model)
    except AssayError as error:
        assert error.hint


def test_a_config_or_its_folder_will_do_for_a_name(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(
        (CONFIGS / "gpt2.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    by_folder, by_file = model(tmp_path / "mine"), model(str(tmp_path / "mine" / "config.json"))
    assert by_folder == by_file
    assert (by_file.name, by_file.shape) == ("mine", CATALOG["gpt2"].shape)


# --- files of one's own -------------------------------------------------------------------------------------------

OWN = """
schema = 1
kind = "model"
name = "our-model"
aliases = ["the model"]
sourced_by = "us"
[source.us]
kind = "measured"
title = "our cluster"
[config]
model_type = "llama"
hidden_size = 512
intermediate_size = 1024
num_hidden_layers = 4
num_attention_heads = 8
vocab_size = 1000
"""


def shelf(tmp_path: Path, text: str, name: str = "our-model") -> Path:
    """A catalog folder with one model in it."""
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_of_ones_own_adds_models_and_replaces_ours(tmp_path, monkeypatch):
    folder = shelf(tmp_path, OWN)
    shelf(tmp_path, OWN.replace("our-model", "gpt2").replace("the model", "mine"), "gpt2")
    assert model("The_Model", [folder]).source == "our cluster"
    assert model("gpt2", [folder]).shape == model("our-model", [folder]).shape
    assert len(models([folder])) == len(CATALOG) + 1
    monkeypatch.setenv("ASSAY_CATALOG", str(folder))
    assert model("our-model").name == "our-model"


def test_a_catalog_file_may_be_named_itself(tmp_path):
    path = shelf(tmp_path, OWN) / "models" / "our-model.toml"
    assert model(path).aliases == ("the model",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sourced_by = "us"\n', "", "its values have no source"),
        ('sourced_by = "us"', 'sourced_by = "them"', "its values have no source"),
        ('name = "our-model"\n', "", '"name" is missing'),
        ("aliases", "alias", 'unknown key "alias"; did you mean "aliases"?'),
        ('aliases = ["the model"]', "aliases = 3", "aliases: 3 is not a list"),
        ("[config]", "[configuration]", 'unknown key "configuration"; did you mean "config"?'),
        ("schema = 1", 'schema = 1\nfamily = "rnn"', 'family "rnn" is not known here'),
        ("vocab_size = 1000\n", "vocab_size = 1000\n[shape]\nclasses = 2\n", "a model has a [config] or a [shape]"),
        ("hidden_size = 512", "hidden_size = inf", "hidden_size: inf cannot be"),
        ("hidden_size = 512", "hidden_size =", "this is not TOML"),
        ("vocab_size = 1000\n", "", '"vocab_size" is missing for model_type "llama"'),
    ],
)
def test_a_file_of_ones_own_that_is_wrong_is_told_what(tmp_path, old, new, message):
    folder = shelf(tmp_path, OWN.replace(old, new))
    with pytest.raises(InputError) as error:
        models([folder])
    assert message in str(error.value)
    assert "our-model.toml" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("groups = 2", "groups = 3", "groups: 3 does not divide"),
        ("kernel = 3", "kernel = 0", "kernel: 0 cannot be"),
        ("kernel = 3", 'kernel = "three"', "kernel"),
        ("classes = 10", "classes = 10\nclases = 10", 'unknown key "clases"'),
    ],
)
def test_a_shape_written_out_is_checked_too(tmp_path, old, new, message):
    head = OWN.partition("[config]")[0].replace("schema = 1", 'schema = 1\nfamily = "convnet"')
    layer = "{ count = 1, channels_in = 4, channels_out = 4, kernel = 3, out_px = 8, groups = 2 }"
    text = head + f"[shape]\nimage_px = 8\nclasses = 10\nfeatures = 4\nlayers = [{layer}]\n"
    assert parameters(model("our-model", [shelf(tmp_path, text)]).shape) == 9 * 2 * 4 + 50
    with pytest.raises(InputError) as error:
        model("our-model", [shelf(tmp_path, text.replace(old, new))])
    assert message in str(error.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such catalog folder"):
        models([tmp_path / "nowhere"])


def test_reading_a_model_loads_no_heavy_library():
    code = (
        "import sys; from assay.catalog.models import model; model('meta-llama/Llama-3.1-8B-Instruct');"
        "print([x for x in ('numpy', 'pydantic', 'scipy', 'duckdb', 'transformers') if x in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
