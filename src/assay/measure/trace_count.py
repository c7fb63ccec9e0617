"""What an operation of a trace comes to: its kind, its FLOP, the product inside it, and the bytes it moves.

Runs in the user's interpreter and asks tensors for no more than shape, numel and element size. FLOP are those of
products (matrix multiply, convolution, attention), two for each multiply-add, as torch.utils.flop_counter counts them;
an elementwise operation has none, and is priced by its bytes. Where we differ from torch's counter `WHY` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OURS = ("aten", "prim", "prims")  # namespaces whose operations are known by name

# Operations without storage of their own or without work: nothing is moved.
FREE = ("empty", "new_empty", "lift", "detach", "alias", "_indices", "_values", "_sparse_coo_tensor", "_coalesced")

# Memory-bound operations of aten that carry no tag that says so; each reads its inputs and writes its outputs.
_PLAIN = (
    "_adaptive", "_batch_norm", "_cdist", "_chunk_cat", "_ctc", "_cudnn_ctc", "_embedding_bag_per_sample",
    "_fake_quant", "_fft", "_fused_dropout", "_fused_rms", "_jagged", "_local_scalar", "_log_softmax",
    "_masked_scale", "_masked_softmax", "_native_batch_norm", "_padded_dense", "_pdist", "_prelu", "_reshape_copy",
    "_safe_softmax", "_softmax", "_sparse_log_softmax", "_sparse_softmax", "_stack", "_thnn", "_to_copy", "_unique",
    "_upsample", "_weight_norm", "adaptive", "addr", "affine_grid", "all", "amax", "amin", "any", "arange", "arg",
    "as_strided", "avg_pool", "batch_norm", "bernoulli", "binary_cross", "bincount", "blackman", "block_diag",
    "bucketize", "cat", "cauchy", "channel_shuffle", "clone", "col2im", "complex", "constant_pad", "copy",
    "count_nonzero", "cross", "cudnn_batch_norm", "cum", "diag", "dist", "dropout", "elu", "embedding_renorm",
    "exponential", "eye", "fill", "flip", "fractional_max", "full", "gelu", "geometric", "glu", "grid_sampler",
    "hamming", "hann_window", "hard", "histc", "huber", "im2col", "isin", "kthvalue", "leaky_relu",
    "linalg_vector_norm", "linspace", "log_normal", "log_sigmoid", "logcumsumexp", "logspace", "logsumexp",
    "lu_unpack", "masked", "max", "mean", "median", "min", "miopen_batch_norm", "mish", "mkldnn_max", "mode",
    "mse_loss", "multi_margin", "multilabel", "multinomial", "nan", "narrow_copy", "native_batch_norm",
    "native_dropout", "native_group_norm", "native_layer_norm", "native_norm", "new_", "nll_loss", "norm",
    "one_hot", "ones", "pad", "permute_copy", "pixel_", "poisson", "polar", "prod", "quantile", "rand",
    "reflection_pad", "renorm", "repeat", "replication_pad", "resize", "roll", "rot90", "rrelu", "scalar_tensor",
    "searchsorted", "segment_reduce", "select_backward", "select_scatter", "slice", "smooth_l1", "soft", "sort",
    "split", "stack", "std", "sum", "threshold", "to_padded", "topk", "trace", "trapezoid", "tril", "triu",
    "unbind_copy", "unfold", "uniform", "unsafe_split", "upsample", "value_selecting", "vander", "var", "where",
    "zero",
)  # fmt: skip

_GATHERS = ("embedding", "_embedding_bag", "_embedding_bag_forward_only", "index_select", "gather", "index", "take",
            "_unsafe_index")  # fmt: skip
_TABLES = ("embedding_dense_backward", "embedding_backward", "_embedding_bag_backward", "_embedding_bag_dense_backward",
           "_embedding_bag_sparse_backward", "embedding_sparse_backward")  # fmt: skip
_SCATTERS = ("index_put", "_unsafe_index_put", "_index_put_impl", "scatter", "scatter_add", "scatter_reduce",
             "index_add", "index_copy", "index_fill", "index_reduce", "put")  # fmt: skip

# Operand names of matrix products, by operation.
_PRODUCTS = {
    "mm": ("self", "mat2"), "bmm": ("self", "mat2"), "addmm": ("mat1", "mat2"), "_addmm_activation": ("mat1", "mat2"),
    "baddbmm": ("batch1", "batch2"), "addbmm": ("batch1", "batch2"), "mv": ("self", "vec"), "addmv": ("mat", "vec"),
    "dot": ("self", "tensor"), "vdot": ("self", "other"), "_scaled_mm": ("self", "mat2"),
    "_scaled_mm_v2": ("self", "mat2"), "_int_mm": ("self", "mat2"), "sparse_mm": ("sparse", "dense"),
}  # fmt: skip
_GROUPED = ("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2")
_ATTENTION = ("_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention",
              "_scaled_dot_product_cudnn_attention")  # fmt: skip

# Where we differ from torch's counter, by the beginning of an operation's name; elsewhere it just has no formula.
WHY = {
    "convolution_backward": "it takes the weight gradient of a grouped convolution as if it had one group",
    "_fft": "it has no formula for Fourier transforms; ours is 5 N log2 N",
    "_cdist": "it has no formula for distances; ours is 3 a coordinate",
}


@dataclass(frozen=True)
class Work:
    """One operation: a product of `groups` times M × K with K × N, or so many bytes."""

    name: str
    kind: str
    flop: float | None = 0.0  # None: a formula that is registered with torch's counter says it
    m: float = 0.0
    n: float = 0.0
    k: float = 0.0
    groups: float = 1.0
    moved: float | None = None  # None: all inputs read, all outputs written
    causal: bool = False
    known: bool = True


def bound(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by the names of its schema, defaults filled in."""
    told = {a.name: a.default_value for a in func._schema.arguments if a.has_default_value()}
    return {**told, **{a.name: value for a, value in zip(func._schema.arguments, args, strict=False)}, **kwargs}


def works(func: Any, told: dict[str, Any], outs: Sequence[Any], registry: dict[Any, Any]) -> list[Work]:
    """What one call does; several products where it does several (a convolution's two gradients).

    `registry` holds torch's own formulas and those that a user registered, by operation.
    """
    name = func._schema.name.partition("::")[2]
    bare = name.rstrip("_") if not name.startswith("__") else name
    if func.namespace in OURS:
        if bare in _PRODUCTS:
            return [_product(bare, *(told[key] for key in _PRODUCTS[bare]))]
        if bare in _GROUPED:
            return [_grouped(bare, told, outs)]
        if bare.removesuffix("_backward") in _ATTENTION and told["query"].dim() == 4:
            return [_attention(bare, told)]
        if bare in ("convolution", "_convolution", "cudnn_convolution", "convolution_overrideable"):
            return [_convolution(bare, told)]
        if bare == "convolution_backward":
            return list(_convolution_gradients(told, outs))
        moved = lookup_bytes(bare, told, outs)
        if moved is not None:
            return [Work(bare, "lookup", m=_most(outs), moved=moved)]
    if func._overloadpacket in registry:
        return [Work(bare, "attention" if "att" in bare else "matmul", flop=None)]
    flop = _vector_flop(bare, told, outs)
    known = flop is not None or _is_plain(func, bare, outs)
    return [Work(bare, "elementwise", flop=flop or 0.0, m=_most([*outs, *tensors(told)]), known=known)]


def changes_only_a_view(func: Any) -> bool:
    """Whether an operation in place turns or reshapes, and moves nothing."""
    return any(str(tag).endswith("inplace_view") for tag in func.tags)


def nbytes(tensor: Any) -> float:
    """Bytes that reading a tensor takes: what an expanded view repeats is read once."""
    return float(math.prod(size for size, step in _strided(tensor) if step or not size) * tensor.element_size())


def _strided(tensor: Any) -> list[tuple[int, int]]:
    try:
        return list(zip(tensor.shape, tensor.stride(), strict=True))
    except (RuntimeError, NotImplementedError):  # a sparse tensor has values, not strides
        return [(int(tensor._values().numel()), 1)]


def _product(name: str, a: Any, b: Any) -> Work:
    """C[M,N] = A[M,K] B[K,N], 2MNK operations, for each of the groups that stand side by side."""
    k = a.shape[-1]
    m = a.shape[-2] if a.dim() > 1 else 1
    n = b.shape[-1] if b.dim() > 1 else 1
    return _of(name, "matmul", m, n, k, math.prod(a.shape[:-2]))


def _grouped(name: str, told: dict[str, Any], outs: Sequence[Any]) -> Work:
    """Products of which one side is cut at `offs`: where the cuts lie is data, the sum of their sizes is not."""
    a, b = told["self"], told["mat2"]
    if a.dim() == 3 and b.dim() == 3:
        return _product(name, a, b)
    if a.dim() == 2 and b.dim() == 3:  # tokens by experts
        return _of(name, "matmul", a.shape[0] / b.shape[0], b.shape[-1], a.shape[1], b.shape[0])
    if a.dim() == 3:
        return _of(name, "matmul", a.shape[1], b.shape[1] / a.shape[0], a.shape[2], a.shape[0])
    offs = told.get("offs")  # both cut along K: the gradient of the experts' weights
    groups = offs.numel() if offs is not None else outs[0].shape[0]
    return _of(name, "matmul", a.shape[0], b.shape[1], a.shape[1] / groups, groups)


def _attention(name: str, told: dict[str, Any]) -> Work:
    """QKᵀ and its product with V, every score counted; five products backward instead of two (Dao 2023, §3.1)."""
    q, k, v = (told[key].shape for key in ("query", "key", "value"))
    scores = 2.0 * q[0] * q[1] * q[2] * k[2]
    flop = scores * (3 * q[3] + 2 * v[3]) if name.endswith("_backward") else scores * (q[3] + v[3])
    causal = bool(told.get("is_causal"))
    return Work(name, "attention", flop=flop, m=q[2], n=k[2], k=q[3], groups=q[0] * q[1], causal=causal)


def _convolution(name: str, told: dict[str, Any]) -> Work:
    """As the matrix product that libraries run it as (implicit GEMM; Chetlur 2014, §3)."""
    x, w, groups = told["input"].shape, told["weight"].shape, told.get("groups", 1)
    kernel = math.prod(w[2:])
    if told.get("transposed"):
        return _of(name, "conv", x[0] * math.prod(x[2:]), w[1] * kernel, w[0] // groups, groups)
    pixels = math.prod(_sizes(told, x, w))
    return _of(name, "conv", x[0] * pixels, w[0] // groups, w[1] * kernel, groups)


def _sizes(told: dict[str, Any], x: Sequence[int], w: Sequence[int]) -> list[int]:
    """Height and width that a convolution hands on: (x + 2p − d(k−1) − 1) / s + 1."""
    dims = len(x) - 2
    pads, steps, gaps = ([*told[key]] * dims for key in ("padding", "stride", "dilation"))
    return [
        (size + 2 * pad - gap * (kernel - 1) - 1) // step + 1
        for size, kernel, pad, step, gap in zip(x[2:], w[2:], pads[:dims], steps[:dims], gaps[:dims], strict=True)
    ]


def _convolution_gradients(told: dict[str, Any], outs: Sequence[Any]) -> Any:
    """The gradients of input and weight: as many operations each as the convolution; the bias's comes with the last."""
    grad, x, w, groups = told["grad_output"], told["input"], told["weight"], told["groups"]
    kernel, wanted = math.prod(w.shape[2:]), told["output_mask"]
    there = x if told["transposed"] else grad  # the side whose pixels each meet the whole kernel
    pixels = there.shape[0] * math.prod(there.shape[2:])
    wide, deep = w.shape[0] // groups, w.shape[1] * kernel
    if wanted[0]:
        moved = nbytes(grad) + nbytes(w) + nbytes(x)
        yield _of("convolution_backward input", "conv", pixels, deep, wide, groups, moved)
    if wanted[1]:
        moved = nbytes(grad) + nbytes(x) + sum(nbytes(out) for out in outs[-1 - wanted[2] :])
        yield _of("convolution_backward weight", "conv", wide, deep, pixels, groups, moved)
    elif wanted[2]:
        yield Work("convolution_backward bias", "elementwise", m=grad.numel(), moved=nbytes(grad) + nbytes(outs[-1]))


def _of(
    name: str, kind: str, m: float, n: float, k: float, groups: float = 1, moved: float | None = None
) -> Work:  # fmt: skip
    return Work(name, kind, flop=2.0 * m * n * k * groups, m=m, n=n, k=k, groups=groups, moved=moved)


def lookup_bytes(name: str, told: dict[str, Any], outs: Sequence[Any]) -> float | None:
    """Bytes of a look-up: the rows that are asked for rather than the whole table; None for anything else."""
    index = sum(nbytes(t) for t in tensors([told.get(key) for key in ("indices", "index", "offsets")]))
    if name in _TABLES:  # a dense gradient is as large as its table
        return index + nbytes(told.get("grad", told.get("grad_output"))) + sum(map(nbytes, outs))
    if name in _SCATTERS:
        target, source = told["self"], next(iter(tensors([told.get(key) for key in ("src", "source", "values")])), None)
        copied = 0.0 if any(out is target for out in outs) else 2 * nbytes(target)
        return copied + index + 3 * (nbytes(source) if source is not None else index)
    if name not in _GATHERS or not outs:
        return None
    if name.startswith("_embedding_bag"):
        table = told["weight"]
        rows = told["indices"].numel() * table.shape[1] * table.element_size()
        return index + float(rows) + sum(map(nbytes, outs))
    return index + 2 * nbytes(outs[0])


def _vector_flop(name: str, told: dict[str, Any], outs: Sequence[Any]) -> float | None:
    """Operations of what is no product, and yet does more than one for each number it moves; None where unknown."""
    if name.startswith("_fft_"):  # 5 N log2 N for complex numbers, half of it for real ones (Cooley and Tukey 1965)
        whole = max([told["self"], *outs], key=lambda t: t.numel())
        along = math.prod(whole.shape[dim] for dim in told["dim"])
        return (5.0 if name == "_fft_c2c" else 2.5) * float(whole.numel()) * math.log2(max(along, 2))
    if name == "_trilinear":
        sides = [told[key] for key in ("i1", "i2", "i3")]
        return 2.0 * math.prod(_trilinear(told, sides))
    if name in ("_cdist_forward", "_cdist_backward"):
        x1, x2 = told["x1"], told["x2"]
        return 3.0 * float(x1.numel() * x2.shape[-2])
    # Golub and Van Loan, Matrix Computations, 4th edition: 4.2.5, 3.2.9, 3.1.2
    share = {"linalg_cholesky_ex": 1 / 3, "linalg_inv_ex": 2.0, "linalg_lu_factor_ex": 2 / 3}.get(name)
    if share is not None:
        square = (told["A"] if "A" in told else told["self"]).shape
        return share * float(square[-1] ** 3 * math.prod(square[:-2]))
    if name == "linalg_solve_triangular":
        return float(told["self"].shape[-1] * told["B"].numel())
    return None


def _trilinear(told: dict[str, Any], sides: Sequence[Any]) -> list[int]:
    shapes = []
    for side, grown in zip(sides, (told["expand1"], told["expand2"], told["expand3"]), strict=True):
        shape = list(side.shape)
        for dim in sorted(grown):
            shape.insert(dim, 1)
        shapes.append(shape)
    return [max(sizes) for sizes in zip(*shapes, strict=True)]


def _is_plain(func: Any, name: str, outs: Sequence[Any]) -> bool:
    """Whether an operation is known to be bound by memory, or computes nothing in floating point."""
    if func.namespace not in OURS:
        return False
    tagged = any(str(tag).rpartition(".")[2] in ("pointwise", "reduction", "view_copy") for tag in func.tags)
    return tagged or name.startswith(_PLAIN) or not any(t.is_floating_point() or t.is_complex() for t in outs)


def tensors(values: Any) -> list[Any]:
    """The tensors among values, in lists and tables too."""
    if hasattr(values, "element_size"):
        return [values]
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, (list, tuple)):
        return []
    return [tensor for value in values for tensor in tensors(value)]


def _most(tensors: Sequence[Any]) -> float:
    return float(max((t.numel() for t in tensors), default=0))
