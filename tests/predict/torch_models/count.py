"""Builds models without memory in an interpreter with PyTorch, and says what PyTorch counts of them.

{name: {"parameters", "forward", "backward"}} goes to stdout: parameters, and FLOP of a batch of 2.
"""

from __future__ import annotations

import json
import sys

import detectors
import diffusion
import pictures
import recommenders
import sequences
import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

BATCH = 2


def convolution_backward(grad, x, w, _bias, _stride, _padding, _dilation, transposed, _more, _groups, mask, **_):
    """Each gradient takes what the convolution took. PyTorch's own formula forgets groups in that of the weights."""
    return conv_flop_count(x, w, grad, transposed=transposed) * (mask[0] + mask[1])


FORMULAS = {torch.ops.aten.convolution_backward: convolution_backward}


def counted(make):
    with torch.device("meta"):
        model, inputs = make(BATCH)
    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as forward:
        out = model(*inputs)
    outs = out if isinstance(out, (list, tuple)) else [out]
    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as backward:
        sum(one.sum() for one in outs).backward()
    known = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("beside"))
    return {"parameters": known, "forward": forward.get_total_flops(), "backward": backward.get_total_flops()}


if __name__ == "__main__":
    makers = {
        k: v for part in (pictures, detectors, diffusion, sequences, recommenders) for k, v in part.MODELS.items()
    }
    json.dump({name: counted(make) for name, make in makers.items()}, sys.stdout)
