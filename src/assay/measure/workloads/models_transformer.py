"""A decoder transformer and a vision transformer in plain PyTorch: layers with the norm before attention and MLP.

Their parameters are those that train_shapes.table() tells the catalog's reader of, one for one.
"""

from __future__ import annotations

from typing import Any


def decoder(kit: Any, net: Any, seq_len: int, how: Any) -> Any:
    """Tokens and the tokens that follow them -> mean loss in nats."""
    torch, tools = kit.torch, kit.beside("models_layers")
    nn = torch.nn
    norm = nn.RMSNorm if net.modern else nn.LayerNorm
    blocks = [
        _block(torch, tools, how, norm, hidden=net.hidden, heads=net.heads, kv_heads=net.kv_heads, wide=net.mlp,
               gated=net.gated, bias=not net.modern, causal=True, rotate=seq_len if net.modern else 0)
        for _ in range(net.layers)
    ]  # fmt: skip

    def forward(one: Any, tokens: Any, targets: Any) -> Any:
        x = one.tokens(tokens)
        if not net.modern:
            x = x + one.positions(torch.arange(tokens.shape[1], device=tokens.device))
        x = one.norm(one.blocks(x))
        logits = nn.functional.linear(x, one.tokens.weight) if net.tied else one.head(x)
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    more = {} if net.modern else {"positions": tools.embedding(torch, seq_len, net.hidden)}
    if not net.tied:
        more["head"] = tools.linear(torch, net.hidden, net.vocab, bias=False)
    tokens = tools.embedding(torch, net.vocab, net.hidden)
    model = tools.part(
        torch, forward, tokens=tokens, blocks=tools.chain(torch, blocks), norm=norm(net.hidden), **more
    )  # fmt: skip
    return tools.initialise(torch, model)


def vit(kit: Any, net: Any, seq_len: int | None, how: Any) -> Any:
    """Pictures and their classes -> mean loss in nats."""
    torch, tools = kit.torch, kit.beside("models_layers")
    nn, length = torch.nn, (net.image_px // net.patch_px) ** 2 + 1
    blocks = [
        _block(torch, tools, how, nn.LayerNorm, hidden=net.hidden, heads=net.heads, kv_heads=net.heads, wide=net.mlp,
               gated=False, bias=True, causal=False)
        for _ in range(net.layers)
    ]  # fmt: skip

    def forward(one: Any, pictures: Any, classes: Any) -> Any:
        x = one.patches(pictures).flatten(2).transpose(1, 2)
        x = torch.cat((one.classes.expand(len(x), 1, -1).to(x.dtype), x), dim=1) + one.positions
        x = one.norm(one.blocks(x)[:, 0])
        return nn.functional.cross_entropy(one.head(x).float(), classes)

    model = tools.part(
        torch, forward, patches=nn.Conv2d(3, net.hidden, net.patch_px, stride=net.patch_px),
        classes=nn.Parameter(0.02 * torch.randn(1, 1, net.hidden)), norm=nn.LayerNorm(net.hidden),
        positions=nn.Parameter(0.02 * torch.randn(1, length, net.hidden)),
        head=tools.linear(torch, net.hidden, net.classes), blocks=tools.chain(torch, blocks),
    )  # fmt: skip
    return tools.initialise(torch, model)


def _block(torch: Any, tools: Any, how: Any, norm: Any, *, hidden: int, wide: int, gated: bool, bias: bool,
           **about: Any) -> Any:  # fmt: skip
    def forward(one: Any, x: Any) -> Any:
        x = x + one.attention(one.before(x))
        return x + one.mlp(one.between(x))

    attention = tools.attention(torch, how, hidden=hidden, bias=bias, **about)
    mlp = tools.mlp(torch, hidden=hidden, wide=wide, gated=gated, bias=bias)
    return tools.layer(
        torch, how, forward, before=norm(hidden), attention=attention, between=norm(hidden), mlp=mlp
    )  # fmt: skip
