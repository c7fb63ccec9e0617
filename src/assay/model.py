"""Models as data: the shape a family needs to write down its operations, and nothing about hardware."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """How the tokens of one layer look at each other.

    `kind`: full (every earlier token), sliding (the last `window`), chunked, mla (DeepSeek's latent attention),
    linear (constant state: no KV cache), none.
    """

    kind: Literal["full", "sliding", "chunked", "mla", "linear", "none"] = "full"
    heads: int
    kv_heads: int
    head_dim: int  # of queries and keys
    value_dim: int | None = None  # of values, where it differs from head_dim
    window: int | None = None
    q_rank: int | None = None  # MLA: rank of the compressed query, None = not compressed
    kv_rank: int | None = None  # MLA: rank of the compressed key/value
    rope_dim: int | None = None  # MLA: the part of head_dim that carries positions, cached once for all heads
    index_dim: int | None = None  # MLA with an indexer (DeepSeek-V3.2): width of the key it caches for each token
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: bool = False  # a norm of head_dim on queries and on keys
    out_gate: bool = False  # a learned gate on what attention hands on, as wide as the queries (qwen3_next)
    sinks: bool = False  # one learned sink logit a head (gpt-oss)
    extra_params: int = 0  # parameters of this layer's attention that the fields above do not say (with the reason)
    state_bytes: float | None = None  # linear: recurrent state per sequence, of one layer

    def __post_init__(self) -> None:
        _above_zero(self, "heads", "kv_heads", "head_dim", "value_dim", "window", "q_rank", "kv_rank", "rope_dim",
                    "index_dim")  # fmt: skip
        if self.kind in ("sliding", "chunked") and self.window is None:
            raise ValueError(f"window: {self.kind} attention needs one")
        if self.kind == "mla" and None in (self.kv_rank, self.rope_dim, self.value_dim):
            raise ValueError("kv_rank: mla attention needs kv_rank, rope_dim and value_dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """The part of a layer that treats each token alone: one MLP, or experts of which each token visits a few."""

    hidden: int  # width of one expert, or of the MLP
    gated: bool = True  # SwiGLU and its like: three matrices instead of two
    bias: bool = False
    experts: int = 0  # 0 = dense
    experts_per_token: int = 0
    shared_hidden: int = 0  # total width of the experts every token visits
    shared_gate: bool = False  # a learned gate on the shared expert (qwen2_moe)
    router_bias: bool = False

    def __post_init__(self) -> None:
        _above_zero(self, "hidden")
        if not 0 <= self.experts_per_token <= self.experts:
            raise ValueError(f"experts_per_token: {self.experts_per_token} of {self.experts} experts cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`count` equal layers in a row."""

    count: int
    attention: Attention
    ffn: FeedForward
    cross_attention: Attention | None = None  # a decoder that looks at an encoder
    norms: int = 2  # norm vectors of the hidden width per layer
    parallel: bool = False  # attention and MLP side by side (gpt_neox, falcon, phi): one all-reduce less

    def __post_init__(self) -> None:
        _above_zero(self, "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerShape:
    """A transformer as its blocks see it. Blocks stand in order of execution; order inside a mix does not matter."""

    hidden: int
    vocab: int
    blocks: tuple[Block, ...]
    encoder: tuple[Block, ...] = ()  # T5 and its like; empty for decoder-only and encoder-only models
    causal: bool = True  # False: every token sees every token (BERT, ViT)
    tied: bool = False  # the output matrix is the embedding
    head: bool = True  # there is an output matrix over the vocabulary
    head_bias: bool = False
    positions: int = 0  # learned position vectors
    token_types: int = 0
    norm_bias: bool = False  # LayerNorm (weight and bias) rather than RMSNorm (weight)
    final_norms: int = 1  # norms outside the layers, wherever they stand (BLOOM: after the embedding and at the end)
    extra_params: int = 0  # patch embedding, pooler, MLM transform …: what the fields above do not say
    embedding_params: int | None = None  # overrides vocab × hidden where the embedding is not that (ViT: 0)
    max_seq_len: int | None = None

    def __post_init__(self) -> None:
        _above_zero(self, "hidden", "vocab")

    @property
    def layers(self) -> int:
        """Number of layers, the encoder's included."""
        return sum(block.count for block in (*self.encoder, *self.blocks))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvLayer:
    """`count` equal convolutions: channels in and out, kernel and output edges in pixels, in 2 dimensions or 3."""

    count: int
    channels_in: int
    channels_out: int
    kernel: int
    out_px: int
    groups: int = 1
    dims: int = 2  # of the picture; 3 for volumes
    out_positions: int | None = None  # where they are not out_px to the power of dims: pictures that are not square
    trained: bool = True  # False: frozen, only the gradient of its input is computed

    def __post_init__(self) -> None:
        _above_zero(self, "count", "channels_in", "channels_out", "kernel", "out_px", "groups", "dims", "out_positions")
        if self.channels_in % self.groups or self.channels_out % self.groups:
            raise ValueError(
                f"groups: {self.groups} does not divide {self.channels_in} and {self.channels_out} channels"
            )

    @property
    def positions(self) -> int:
        """Places of the output."""
        return self.out_positions or self.out_px**self.dims


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvShape:
    """A convolutional network as the list of its convolutions (ResNet, EfficientNet)."""

    image_px: int
    layers: tuple[ConvLayer, ...]
    classes: int
    features: int  # width before the classifier
    norm_params: int = 0  # weights and biases of batch norms, and biases of convolutions that have one


@dataclass(frozen=True, slots=True, kw_only=True)
class DlrmShape:
    """A recommender: embedding tables, a bottom and a top MLP, and pairwise interaction (DLRM)."""

    tables_rows: tuple[int, ...]
    embedding_dim: int
    dense_features: int
    bottom_mlp: tuple[int, ...]
    top_mlp: tuple[int, ...]
    lookups_per_table: tuple[int, ...] = ()
    cross_layers: int = 0  # DCNv2: low-rank cross layers in place of the dot products
    cross_rank: int = 0

    def __post_init__(self) -> None:
        _above_zero(self, "embedding_dim", "dense_features")
        if not self.bottom_mlp or not self.top_mlp:
            raise ValueError("bottom_mlp: a DLRM has a bottom and a top MLP; write their widths")
        if self.lookups_per_table and len(self.lookups_per_table) != len(self.tables_rows):
            raise ValueError(f"lookups_per_table: {len(self.tables_rows)} numbers wanted, one a table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A size that is a line in the batch: a fixed part, and a part for each sample of a micro-batch."""

    fixed: float = 0.0
    per_sample: float = 0.0

    def at(self, samples: float) -> float:
        """The size at so many samples; an array of them gives an array.

        >>> Line(fixed=2.0, per_sample=3.0).at(4)
        14.0
        """
        return self.fixed + self.per_sample * samples


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedOp:
    """`count` equal operations of a traced module: a product of `groups` times M × K with K × N, or bytes that move.

    `flop` are those of products, two a multiply-add, and of attention every score, masked or not; an elementwise
    operation or a look-up has none, and `m` is then its number of elements. What is not known of a product is 0.
    `moved_bytes` are read and written as if nothing were fused or cached. Each of `count` has these sizes.
    """

    name: str  # "layers.*.mlp.fc1 addmm": where in the module, equal layers under one name; and PyTorch's operation
    kind: Literal["matmul", "conv", "attention", "elementwise", "lookup"]
    phase: Literal["forward", "backward"]
    dtype: str = ""  # of the numbers it works on, as PyTorch calls it
    causal: bool = False  # attention under a causal mask: a fused kernel skips about half of `flop`
    count: Line = Line(fixed=1.0)
    flop: Line = Line()
    moved_bytes: Line = Line()
    m: Line = Line()
    n: Line = Line()
    k: Line = Line()
    groups: Line = Line(fixed=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedShape:
    """Any module, as a trace of it saw its operations: one micro-batch forward and backward, on one device."""

    parameters: int  # a shared one counts once
    trained_parameters: int
    parameter_bytes: float
    buffers: int = 0  # numbers that a module holds and does not train
    buffer_bytes: float = 0.0
    dtype: str = "float32"  # of most of its parameters, as it was traced
    batch: int  # samples it was traced at; and at twice and three times as many
    kept_bytes: Line = Line()  # activations that the backward pass needs; without inputs and parameters
    input_bytes: Line = Line()
    output_bytes: Line = Line()
    ops: tuple[TracedOp, ...] = ()  # in the order in which each is first met
    flagged: tuple[str, ...] = ()  # what is not counted exactly, in words

    def __post_init__(self) -> None:
        _above_zero(self, "batch")
        if not 0 <= self.trained_parameters <= self.parameters:
            raise ValueError(f"trained_parameters: {self.trained_parameters} of {self.parameters} cannot be")


Shape: TypeAlias = TransformerShape | ConvShape | DlrmShape | TracedShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model by name: its family and that family's shape."""

    name: str
    family: Literal["transformer", "convnet", "dlrm", "traced"]
    shape: Shape
    kind: str = "dense"  # dense | moe | encoder | encoder-decoder | vit | hybrid …, for people
    aliases: tuple[str, ...] = ()
    source: str = ""
    confidence: Literal["high", "medium", "low"] = "high"  # low: read by structure from an unknown config
    unread: tuple[str, ...] = field(default=())  # config keys that were not understood
    published_params: int | None = None  # what its maker says, to check our count against
    stored_as: str = ""  # the number format its weights are published in: bf16, fp8, mxfp4 … "" = not said


def _above_zero(noun: object, *names: str) -> None:
    """Refuse a size below 1 before a formula divides by it or multiplies with it."""
    for name in names:
        value = getattr(noun, name)
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value} cannot be; write 1 or more")
