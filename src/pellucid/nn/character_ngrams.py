"""Vectors of words from the character n-grams that they contain.

Source: Bojanowski et al. 2017 (fastText), with vectors learned for the task at hand.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pellucid.config.model import ModelConfig

MAX_CHARACTERS = 32
"""Characters of a piece that are read."""
BOUNDARY = 1
"""Code of the boundary between words; 0 is the absence of a character."""
MULTIPLIER = 1_000_003


class CharacterNgrams(nn.Module):
    """The mean of the vectors of the n-grams of the word that a token belongs to.

    n-grams have 1 to `longest` characters and never cross words; a boundary before and after each
    word counts as a character. Their hashes choose rows, so some n-grams share a vector.
    Characters and word boundaries are those of the vocabulary, saved with the weights.
    """

    characters: Tensor
    begins: Tensor
    ends: Tensor

    def __init__(self, c: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.longest = c.character_ngrams
        self.weight = nn.Parameter(torch.empty(c.ngram_rows, c.embedding_width))
        pieces = torch.empty(vocab_size, MAX_CHARACTERS, dtype=torch.int32)
        self.register_buffer("characters", pieces)
        self.register_buffer("begins", torch.empty(vocab_size, dtype=torch.bool))
        self.register_buffer("ends", torch.empty(vocab_size, dtype=torch.bool))

    def initialize(self, rng: torch.Generator) -> None:
        """Initialise vectors as those of tokens, and pieces as without characters."""
        nn.init.normal_(self.weight, std=self.weight.shape[1] ** -0.5, generator=rng)
        for table in (self.characters, self.begins, self.ends):
            table.zero_()

    def set_vocabulary(self, characters: Tensor, begins: Tensor, ends: Tensor) -> None:
        """Set the characters and word boundaries of the vocabulary's pieces.

        characters: (V, MAX_CHARACTERS), code points, then 0. begins, ends: (V,), True where a
        piece begins a word, whatever precedes it, or ends one, whatever follows it.
        """
        self.characters.copy_(characters + BOUNDARY * (characters > 0))
        self.begins.copy_(begins)
        self.ends.copy_(ends)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> (B, T, E); zeros for words without characters, such as special tokens."""
        starts = self.begins[ids]  # (B, T)
        starts[:, 1:] |= self.ends[ids[:, :-1]]
        starts[:, 0] = True
        word_of = starts.flatten().cumsum(0) - 1  # (B T,), number in the batch
        # Each word follows a boundary, which is also the end of the word before it.
        spelled = torch.cat((starts[..., None] * BOUNDARY, self.characters[ids]), -1)
        is_code = spelled.flatten(0, 1) > 0  # (B T, 1 + MAX_CHARACTERS)
        rows, is_ngram = self._list_ngrams(spelled[spelled > 0].long())  # (N, longest)
        words = word_of[:, None].expand_as(is_code)[is_code]  # (N,)
        words = words[:, None].expand_as(rows)[is_ngram]
        counts = torch.bincount(words, minlength=int(word_of[-1]) + 1)  # (W,)
        first = counts.cumsum(0) - counts
        vectors = F.embedding_bag(rows[is_ngram], self.weight, first, mode="mean")  # (W, E)
        return F.embedding(word_of.view_as(ids), vectors)

    def _list_ngrams(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the row of each sequence of 1, 2, ... codes from each code, and which are n-grams.

        codes: (N,). Returns two tensors (N, longest). An n-gram has a letter, and boundaries at its
        ends alone.
        """
        n_codes = len(codes)
        codes = F.pad(codes, (0, self.longest), value=BOUNDARY)
        before = F.pad((codes == BOUNDARY).cumsum(0), (1, 0))  # boundaries before each code
        hashes, rows, is_ngram = torch.zeros_like(codes[:n_codes]), [], []
        for n in range(1, self.longest + 1):
            hashes = hashes * MULTIPLIER + codes[n - 1 :][:n_codes]
            n_inside = before[n - 1 :][:n_codes] - before[1:][:n_codes]
            n_all = before[n:][:n_codes] - before[:n_codes]
            rows.append((hashes ^ hashes >> 32) % len(self.weight))
            is_ngram.append((n_inside <= 0) & (n_all < n))
        return torch.stack(rows, 1), torch.stack(is_ngram, 1)
