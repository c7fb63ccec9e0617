"""What people write behind --inputs is understood, or refused with what to write instead."""

import pytest

from assay.errors import InputError
from assay.measure.trace_inputs import Tensor, parse


def test_a_tensor_has_a_name_a_format_and_a_shape_whose_first_number_is_the_batch():
    found = parse("x=float32[8,3,224,224]")
    assert found.batch == 8
    assert found.tensors == (Tensor(name="x", dtype="float32", shape=(8, 3, 224, 224), batch_dim=0),)


def test_several_stand_between_commas_and_one_without_a_name_stands_by_position():
    found = parse(" ids=long[4,128] ,bool[4,128]")
    assert [(t.name, t.dtype) for t in found.tensors] == [("ids", "int64"), ("", "bool")]


def test_a_star_marks_the_batch_and_fixed_says_that_there_is_none():
    found = parse("x=fp32[100,*8,40],freqs=fixed bf16[100,64],scale=0.5,causal=true,cache=none,levels=3")
    assert found.batch == 8
    assert [t.batch_dim for t in found.tensors] == [1, None]
    assert found.values == (("scale", 0.5), ("causal", True), ("cache", None), ("levels", 3))
    assert found.request()["tensors"][1] == {
        "name": "freqs", "dtype": "bfloat16", "shape": [100, 64], "batch_dim": None,
    }  # fmt: skip


def test_what_holds_several_rows_a_sample_grows_with_the_samples():
    found = parse("indices=int64[256],offsets=int64[64]", batch=64)
    assert found.batch == 64
    assert [t.batch_dim for t in found.tensors] == [0, 0]


def test_a_function_is_told_a_batch():
    assert parse("nets.data:clicks", 32).request() == {"function": "nets.data:clicks", "batch": 32}
    assert parse("nets:clicks").batch > 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "there are no inputs"),
        ("x=float32[8,3],", "an input is missing"),
        ("x=flaot32[8]", 'did you mean "float32"'),
        ("x=float32[8,0]", "no shape"),
        ("x=float32[8,-1]", "no shape"),
        ("x=float32[*8,*2]", "no shape"),
        ("x=float32[8,3", "no tensor and no number"),
        ("x=fixed float32[*8]", "is fixed, and has a batch"),
        ("x=float32[8],x=bool[8]", '"x" is there twice'),
        ("scale=0.5", "no input has a batch"),
        ("x=float32[8,4],y=float32[6,4]", "y has 6 where 8 samples are meant"),
        ("x = hello", "no tensor and no number"),
    ],
)
def test_what_is_no_input_is_refused_with_what_to_write(spec, says):
    with pytest.raises(InputError, match=r"--inputs") as refused:
        parse(spec)
    assert says in str(refused.value)
    assert refused.value.exit_code == 2
