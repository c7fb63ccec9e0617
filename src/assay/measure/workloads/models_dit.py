"""A diffusion transformer in plain PyTorch: DiT with adaLN (Peebles and Xie 2022, arXiv 2212.09748), over latents.

Trained to tell the noise that was added (Ho et al. 2020, arXiv 2006.11239, equation 14). The output has room for a
variance, as in the paper; its loss is left out. Gates do not begin at zero, as adaLN-Zero's do: a check of the first
few losses would not see what lies behind them.
"""

from __future__ import annotations

import math
from typing import Any


def dit(kit: Any, net: Any, seq_len: int | None, how: Any) -> Any:
    """Latents, the noise in them, time steps from 0 to 1 and classes -> mean squared error of the noise."""
    torch, tools, shapes = kit.torch, kit.beside("models_layers"), kit.beside("train_shapes")
    nn, h, patch = torch.nn, net.hidden, shapes.LATENT_CHANNELS * net.patch_px**2
    blocks = [_block(torch, tools, how, net) for _ in range(net.layers)]

    def forward(one: Any, latents: Any, noise: Any, times: Any, classes: Any) -> Any:
        kept = (math.pi / 2 * times).cos().view(-1, 1, 1, 1)  # a cosine schedule's mix of latent and noise
        x = kept * latents + (1 - kept**2).clamp(min=0).sqrt() * noise
        x = one.patches(x).flatten(2).transpose(1, 2) + one.places
        told = one.times(_waves(torch, times, shapes.FREQUENCIES)) + one.classes(classes)
        told = nn.functional.silu(told)
        shift, scale = one.last(told).unsqueeze(1).chunk(2, dim=-1)
        x = one.blocks(x, told)
        x = one.out(_plain_norm(nn, x) * (1 + scale) + shift)
        said = x[..., :patch].transpose(1, 2)
        there = nn.functional.unfold(noise, net.patch_px, stride=net.patch_px)
        return nn.functional.mse_loss(said.float(), there)

    count = net.image_px // net.patch_px
    times = nn.Sequential(tools.linear(torch, shapes.FREQUENCIES, h), nn.SiLU(), tools.linear(torch, h, h))
    model = tools.part(
        torch, forward, patches=nn.Conv2d(shapes.LATENT_CHANNELS, h, net.patch_px, stride=net.patch_px), times=times,
        classes=tools.embedding(torch, net.classes + 1, h), blocks=tools.chain(torch, blocks),
        last=tools.linear(torch, h, 2 * h), out=tools.linear(torch, h, 2 * patch),
        places=_waves(torch, torch.arange(count**2) / count**2, h).unsqueeze(0),
    )  # fmt: skip
    return tools.initialise(torch, model)


def _block(torch: Any, tools: Any, how: Any, net: Any) -> Any:
    nn, h = torch.nn, net.hidden

    def forward(one: Any, x: Any, told: Any) -> Any:
        shift, scale, gate, shift2, scale2, gate2 = one.told(told).unsqueeze(1).chunk(6, dim=-1)
        x = x + gate * one.attention(_plain_norm(nn, x) * (1 + scale) + shift)
        return x + gate2 * one.mlp(_plain_norm(nn, x) * (1 + scale2) + shift2)

    attention = tools.attention(torch, how, hidden=h, heads=net.heads, kv_heads=net.heads, bias=True, causal=False)
    mlp = tools.mlp(torch, hidden=h, wide=net.mlp, gated=False, bias=True)
    return tools.layer(torch, how, forward, told=tools.linear(torch, h, 6 * h), attention=attention, mlp=mlp)


def _plain_norm(nn: Any, x: Any) -> Any:
    return nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6)


def _waves(torch: Any, places: Any, width: int) -> Any:
    """Sines and cosines of places from 0 to 1, told a thousandfold (arXiv 1706.03762, §3.5)."""
    speeds = torch.exp(-math.log(1e4) * torch.arange(width // 2, device=places.device).float() / (width // 2))
    angles = 1e3 * places.float().unsqueeze(-1) * speeds
    return torch.cat((angles.cos(), angles.sin()), dim=-1)
