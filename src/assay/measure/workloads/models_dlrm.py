"""A recommender in plain PyTorch: DLRM (Naumov et al. 2019, arXiv 1906.00091). The tables' gradients are dense."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def dlrm(kit: Any, net: Any, seq_len: int | None, how: Any) -> Any:
    """Dense features, one row of each table, and whether it was clicked -> mean loss in nats."""
    torch, tools = kit.torch, kit.beside("models_layers")
    nn, vectors = torch.nn, len(net.rows) + 1
    rows, columns = torch.tril_indices(vectors, vectors, offset=-1)

    def forward(one: Any, dense: Any, found: Any, clicked: Any) -> Any:
        below = one.bottom(dense)
        looked = [table(found[:, i]).to(below.dtype) for i, table in enumerate(one.tables)]
        all_of_them = torch.stack([below, *looked], dim=1)
        dots = all_of_them @ all_of_them.transpose(1, 2)
        x = torch.cat((below, dots[:, one.rows, one.columns]), dim=1)
        return nn.functional.binary_cross_entropy_with_logits(one.top(x).squeeze(1).float(), clicked)

    crossed = net.dim + vectors * (vectors - 1) // 2
    tables = nn.ModuleList([nn.Embedding(count, net.dim) for count in net.rows])
    for table in tables:
        nn.init.uniform_(table.weight, -(table.num_embeddings**-0.5), table.num_embeddings**-0.5)
    return tools.part(
        torch, forward, bottom=_mlp(nn, (net.dense, *net.bottom), last=nn.ReLU()), tables=tables,
        top=_mlp(nn, (crossed, *net.top), last=nn.Identity()), rows=rows, columns=columns,
    )  # fmt: skip


def _mlp(nn: Any, widths: tuple[int, ...], last: Any) -> Any:
    steps: list[Any] = []
    for into, out in pairwise(widths):
        steps += [nn.Linear(into, out), nn.ReLU()]
    return nn.Sequential(*steps[:-1], last)
