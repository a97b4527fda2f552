"""A BERT so small that a test can train it."""

import shutil
from pathlib import Path

from dev.samples.packages import TOKENIZER_FILES, minilm_folder


def tiny_base_model(folder: Path, *, layers: int = 2, hidden: int = 64, heads: int = 2) -> Path:
    """Write a BERT with random weights (fixed seed) and the real WordPiece vocabulary; returns its folder."""
    import torch  # noqa: PLC0415 - only those who train need it
    from transformers import BertConfig, BertModel  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()
    config = BertConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=512,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2018)
        BertModel(config).save_pretrained(folder)
    for name in TOKENIZER_FILES:
        shutil.copyfile(minilm_folder() / name, folder / name)
    return folder
