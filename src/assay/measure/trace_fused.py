"""Has attention and dropout done by the kernels that an accelerator has for them, as long as this process lives.

Without a device PyTorch would write every score of attention to memory and draw every dropout in 32 bits, and a trace
would hold traffic that no training has. Runs in the user's interpreter.
"""

from __future__ import annotations

from typing import Any


def fused(torch: Any) -> None:
    """Put them in place; before the user's module takes these functions for its own."""
    functional = torch.nn.functional
    functional.dropout = _dropout(torch, functional.dropout)
    functional.scaled_dot_product_attention = _attention(torch, functional.scaled_dot_product_attention)
    torch.rand = _draw(torch, torch.rand)
    torch.autocast = torch.amp.autocast = _autocast(torch.autocast)
    # PyTorch's own decoder looks into a mask to see whether it is causal; one that says nothing is taken as it is.
    torch.nn.modules.transformer._detect_is_causal_mask = lambda mask, is_causal=None, size=None: is_causal is True
    torch.backends.mha.set_fastpath_enabled(False)  # inference's: it has no backward pass


def _autocast(plain: Any) -> Any:
    """Tensors without data are on a device that it does not know, and stay in the format they are in."""

    class Autocast(plain):  # type: ignore[misc]
        def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
            meta = device_type == "meta"
            super().__init__(
                "cpu" if meta else device_type, *args, **{**kwargs, **({"enabled": False} if meta else {})}
            )

    return Autocast


def _draw(torch: Any, plain: Any) -> Any:
    """A single number that is drawn decides whether a layer is left out; a trace leaves none out."""

    def rand(*size: Any, **kwargs: Any) -> Any:
        if list(size) in ([], [1], [[]], [()]) and "size" not in kwargs and kwargs.get("out") is None:
            return torch.full([1] * (size == (1,)), 1 - 2**-24, device="cpu")
        return plain(*size, **kwargs)

    return rand


def done(torch: Any, count: Any, func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    """What an operation was given in the end, and its result."""
    args, kwargs = _without_data(torch, count, args, kwargs)
    out = _grouped(torch, func, args)
    return args, kwargs, func(*args, **kwargs) if out is None else out


def _without_data(torch: Any, count: Any, args: Any, kwargs: Any) -> Any:
    """Constants that were built on the host, beside tensors without data, lose theirs, too."""
    given = count.tensors([args, kwargs])
    if not any(t.is_meta for t in given) or all(t.is_meta or not t.dim() for t in given):
        return args, kwargs
    move = lambda t: t.to("meta") if isinstance(t, torch.Tensor) and t.dim() else t  # noqa: E731
    return torch.utils._pytree.tree_map(move, (args, kwargs))


def _grouped(torch: Any, func: Any, args: Any) -> Any:
    """The result of a grouped product, which PyTorch without a device gives in one format only; else None."""
    if str(func) != "aten._grouped_mm.default" or args[0].shape[-1] != args[1].shape[-2]:
        return None
    a, b = args[:2]
    if a.dim() == 2 and b.dim() == 2:  # the gradient of the weights, one for each group
        shape = [args[2].numel(), a.shape[0], b.shape[1]]
    else:
        shape = [*([a.shape[0]] if a.dim() == b.dim() else []), a.shape[-2], b.shape[-1]]
    return torch.empty(shape, dtype=a.dtype, device=a.device)


def _dropout(torch: Any, plain: Any) -> Any:
    def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: A002
        if not training or inplace or not 0 < p < 1:
            return plain(input, p, training, inplace)
        return torch.ops.aten.native_dropout(input, p, True)[0]

    return dropout


def _attention(torch: Any, plain: Any) -> Any:
    def attention(
        query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
        scale: Any = None, enable_gqa: bool = False,
    ) -> Any:  # fmt: skip
        q, k, v = (_four(t) for t in (query, key, value))
        if not _fits(q, k, v, enable_gqa):  # PyTorch itself says why not
            return plain(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
        k, v = (t.expand(q.shape[0], -1, -1, -1) for t in (k, v))
        if attn_mask is None and q.shape[-1] == v.shape[-1]:
            out = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, dropout_p, is_causal, False, scale=scale)
        else:
            k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) if t.shape[1] < q.shape[1] else t for t in (k, v))
            out = torch.ops.aten._scaled_dot_product_efficient_attention(
                q, k, v, _bias(torch, attn_mask, q, k), True, dropout_p, is_causal, scale=scale
            )
        return out[0].reshape(*query.shape[:-1], value.shape[-1])

    return attention


def _four(tensor: Any) -> Any:
    """Batch, heads, sequence, width, as the kernels take them."""
    if tensor.dim() < 4:
        return tensor.reshape(*[1] * (4 - tensor.dim()), *tensor.shape)
    return tensor if tensor.dim() == 4 else tensor.flatten(0, tensor.dim() - 4)


def _fits(q: Any, k: Any, v: Any, grouped: bool) -> bool:
    """What the kernels take for granted."""
    batches = all(t.shape[0] in (1, q.shape[0]) for t in (k, v))
    heads = k.shape[1] == v.shape[1] and (q.shape[1] == k.shape[1] or (grouped and q.shape[1] % k.shape[1] == 0))
    return batches and heads and q.shape[3] == k.shape[3] and k.shape[2] == v.shape[2]


def _bias(torch: Any, mask: Any, q: Any, k: Any) -> Any:
    """A mask as what is added to the scores."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill_(~mask, float("-inf"))
    return mask.expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
