"""Families that are no decoder-only transformers: BERT and its kin, ViT, T5."""

from __future__ import annotations

from assay.catalog.hf_keys import Keys
from assay.catalog.hf_layers import heads_of
from assay.model import Attention, Block, FeedForward, TransformerShape


def bert(c: Keys) -> TransformerShape:
    """BERT, RoBERTa and their kin, with the pooler and without the language head: what their papers count.

    The masked-language head is left out: it is tied to the embedding and runs on the few masked tokens alone
    (arXiv 1810.04805).
    """
    hidden = c.number("hidden")
    return _encoder(c, hidden, pooler=True, token_types=c.number("type_vocab_size", 2, least=0))


def distilbert(c: Keys) -> TransformerShape:
    """DistilBERT: BERT without pooler and token types (arXiv 1910.01108)."""
    return _encoder(c, c.number("hidden"), pooler=False, token_types=0)


def _encoder(c: Keys, hidden: int, *, pooler: bool, token_types: int) -> TransformerShape:
    return TransformerShape(
        hidden=hidden,
        vocab=c.number("vocab"),
        blocks=(Block(count=c.number("layers"), attention=_biased(c, hidden), ffn=_plain_mlp(c)),),
        causal=False,
        head=False,
        positions=c.number("positions", 512),
        token_types=token_types,
        norm_bias=True,
        final_norms=1,  # after the embedding; none at the end
        extra_params=hidden * hidden + hidden if pooler else 0,
        max_seq_len=c.maybe("positions"),
    )


def vit(c: Keys) -> TransformerShape:
    """ViT: an image cut in patches, one class token before them (arXiv 2010.11929)."""
    hidden, image, patch = c.number("hidden"), c.number("image_size", 224), c.number("patch_size", 16)
    if image % patch:
        raise c.refuse("patch_size", f"patches of {patch} do not divide an image of {image}", "a divisor is wanted")
    patches, pixels = (image // patch) ** 2, c.number("num_channels", 3) * patch * patch
    classes = _classes(c)
    return TransformerShape(
        hidden=hidden,
        vocab=classes or 1,
        blocks=(
            Block(count=c.number("layers"), attention=_biased(c, hidden, c.flag("qkv_bias", True)), ffn=_plain_mlp(c)),
        ),
        causal=False,
        head=classes > 0,
        head_bias=classes > 0,
        positions=patches + 1,
        norm_bias=True,
        embedding_params=0,
        extra_params=pixels * hidden + hidden + hidden + (0 if classes else hidden * hidden + hidden),
        max_seq_len=patches + 1,
    )


def _classes(c: Keys) -> int:
    """How many classes the classifier tells apart; 0: there is none, a pooler stands in its place."""
    if not any("Classification" in name for name in c.words("architectures") or ()):
        return 0
    labels = c.table("id2label")
    return len(labels) if labels else c.number("num_labels", 2)


def _biased(c: Keys, hidden: int, qkv_bias: bool = True) -> Attention:
    heads, width = heads_of(c, hidden)
    return Attention(heads=heads, kv_heads=heads, head_dim=width, qkv_bias=qkv_bias, out_bias=True)


def _plain_mlp(c: Keys) -> FeedForward:
    return FeedForward(hidden=c.number("ffn"), gated=False, bias=True)


def t5(c: Keys) -> TransformerShape:
    """T5, v1.1 and Flan: no biases, relative positions shared by all layers of a side (arXiv 1910.10683)."""
    hidden, layers, heads = c.number("hidden"), c.number("layers"), c.number("heads")
    attention = Attention(heads=heads, kv_heads=heads, head_dim=c.number("head_dim", 64))
    gated = c.flag("is_gated_act", c.text("feed_forward_proj", "relu").startswith("gated"))
    ffn = FeedForward(hidden=c.number("ffn"), gated=gated)
    decoders = c.number("num_decoder_layers", layers)
    return TransformerShape(
        hidden=hidden,
        vocab=c.number("vocab"),
        encoder=(Block(count=layers, attention=attention, ffn=ffn),),
        blocks=(Block(count=decoders, attention=attention, ffn=ffn, cross_attention=attention, norms=3),),
        tied=c.flag("tie_word_embeddings", True),
        final_norms=2,
        extra_params=2 * c.number("relative_attention_num_buckets", 32) * heads,
        max_seq_len=c.maybe("positions"),
    )
