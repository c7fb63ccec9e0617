"""A residual network in plain PyTorch (He et al. 2015, arXiv 1512.03385); stride in the 3×3 of a bottleneck (v1.5)."""

from __future__ import annotations

from typing import Any


def resnet(kit: Any, net: Any, seq_len: int | None, how: Any) -> Any:
    """Pictures and their classes -> mean loss in nats."""
    torch, tools, shapes = kit.torch, kit.beside("models_layers"), kit.beside("train_shapes")
    nn, into, blocks = torch.nn, net.width, []
    for stage, count in enumerate(net.blocks):
        width = net.width * 2**stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            blocks.append(_block(torch, tools, how, into, width, stride, net.bottleneck))
            into = width * (4 if net.bottleneck else 1)

    def forward(one: Any, pictures: Any, classes: Any) -> Any:
        x = nn.functional.max_pool2d(one.stem(pictures).relu(), 3, stride=2, padding=1)
        return nn.functional.cross_entropy(one.head(one.blocks(x).mean((2, 3))).float(), classes)

    return tools.part(
        torch, forward, stem=_conv(nn, 3, net.width, 7, stride=2), blocks=tools.chain(torch, blocks),
        head=nn.Linear(shapes.features(net), net.classes),
    )  # fmt: skip


def _block(torch: Any, tools: Any, how: Any, into: int, width: int, stride: int, bottleneck: bool) -> Any:
    nn, out = torch.nn, width * (4 if bottleneck else 1)
    if bottleneck:
        convs = [_conv(nn, into, width, 1), _conv(nn, width, width, 3, stride=stride), _conv(nn, width, out, 1)]
    else:
        convs = [_conv(nn, into, width, 3, stride=stride), _conv(nn, width, out, 3)]
    steps = [step for conv in convs for step in (conv, nn.ReLU())][:-1]
    aside = nn.Identity() if stride == 1 and into == out else _conv(nn, into, out, 1, stride=stride)

    def forward(one: Any, x: Any) -> Any:
        return (one.body(x) + one.aside(x)).relu()

    return tools.layer(torch, how, forward, body=nn.Sequential(*steps), aside=aside)


def _conv(nn: Any, into: int, out: int, kernel: int, stride: int = 1) -> Any:
    """A convolution without a bias, and the norm over the batch that makes one unnecessary."""
    conv = nn.Conv2d(into, out, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))
