"""Models of pictures as data: convolutions, and tokens at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass

from assay.model.sizes import above_zero, within
from assay.model.tokens import Attention, FeedForward


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
    trained: bool = True  # False: frozen; only the gradient of its input is computed, if anything before it learns
    reads_data: bool = False  # its input needs no gradient, though something before it learns
    transposed: bool = False  # up-sampling by its kernel's edge: each place of the output sees one of the input

    def __post_init__(self) -> None:
        above_zero(self, "count", "channels_in", "channels_out", "kernel", "out_px", "groups", "dims", "out_positions")
        if self.channels_in % self.groups or self.channels_out % self.groups:
            raise ValueError(
                f"groups: {self.groups} does not divide {self.channels_in} and {self.channels_out} channels"
            )

    @property
    def positions(self) -> int:
        """Places of the output."""
        return self.out_positions or self.out_px**self.dims

    @property
    def taps(self) -> int:
        """Places that one of the output sees."""
        return 1 if self.transposed else int(self.kernel**self.dims)

    @property
    def weights(self) -> int:
        """Weights of one of the convolutions."""
        return int(self.kernel**self.dims) * (self.channels_in // self.groups) * self.channels_out


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvShape:
    """A convolutional network as the list of its convolutions (ResNet, EfficientNet, detectors, U-Nets).

    They stand in order of execution: below the first that is trained nothing has a gradient. A matrix over the regions
    of a detector is a convolution with a kernel of 1 and a place a region; one that several feature maps share has the
    places of all.
    """

    image_px: int  # of the longer edge
    layers: tuple[ConvLayer, ...]
    classes: int = 0
    features: int = 0  # width before the classifier; 0: there is none, as in U-Nets and detectors
    norm_params: int = 0  # weights and biases of batch norms, and biases of convolutions that have one
    frozen_norms: bool = False  # they scale and shift by what was learnt before, and make no statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStage:
    """`count` equal transformer blocks over one grid of tokens: a resolution of a UNet, a DiT, a stage of a Swin."""

    count: int
    tokens: int
    hidden: int
    heads: int
    head_dim: int
    ffn_hidden: int
    gated: bool = False  # GEGLU
    qkv_bias: bool = False
    norms: int = 2  # LayerNorms with parameters; what a condition scales instead (adaLN) has none
    window: int | None = None  # tokens that see each other, where not all do
    context_tokens: int = 0  # of a text that cross-attention reads; 0: there is none
    context_dim: int = 0
    modulation: int = 0  # vectors that the condition gives each block: 6 with adaLN-Zero
    extra_params: int = 0  # of one block: what the fields above do not say

    def __post_init__(self) -> None:
        above_zero(self, "count", "tokens", "hidden", "heads", "head_dim", "ffn_hidden", "window")
        within(self, 100, "norms", "modulation")
        within(self, 10**12, "context_tokens", "context_dim", "extra_params")
        if (self.context_tokens > 0) != (self.context_dim > 0):
            raise ValueError("context_dim: cross-attention needs context_tokens and context_dim, or neither")
        if self.window is not None and self.tokens % self.window:
            raise ValueError(f"window: {self.window} tokens do not divide {self.tokens}")

    @property
    def attention(self) -> Attention:
        """How its tokens look at each other."""
        return Attention(
            heads=self.heads, kv_heads=self.heads, head_dim=self.head_dim, qkv_bias=self.qkv_bias, out_bias=True
        )

    @property
    def ffn(self) -> FeedForward:
        """Its MLP."""
        return FeedForward(hidden=self.ffn_hidden, gated=self.gated, bias=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionShape:
    """A picture model of convolutions and of tokens at several resolutions: latent-diffusion UNets, DiT, Swin.

    `convs` holds every convolution, and as one with a kernel of 1 each matrix: over the grid or, with one place, over
    a condition.
    """

    latent_px: int  # of the picture's or the latent's edge
    convs: tuple[ConvLayer, ...] = ()
    stages: tuple[TokenStage, ...] = ()
    frozen: tuple[TokenStage, ...] = ()  # forward only: the text encoder
    frozen_params: int = 0  # of the text encoder, all that is stored; not among the model's own
    extra_params: int = 0  # norms and biases of convolutions, embeddings: what the fields above do not say

    def __post_init__(self) -> None:
        above_zero(self, "latent_px")
        within(self, 10**13, "frozen_params", "extra_params")
        if not self.convs and not self.stages:
            raise ValueError("stages: a diffusion model has convolutions or blocks; write them")
