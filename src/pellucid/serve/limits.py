"""What a server accepts: sizes, counts and seconds."""

from dataclasses import dataclass

from pellucid.config.checks import check_at_least
from pellucid.config.decoding import DecodingConfig
from pellucid.errors import ConfigError, UsageError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server. Whatever exceeds one is refused before memory is allocated for it."""

    queue: int = 64
    """Requests that wait for a model; more are refused with status 429."""
    running: int = 32
    """Requests for generated text that a model works on at a time."""
    cache_bytes: int = 128 << 20
    """Keys and values of the texts that a model generates at a time."""
    timeout: float = 60.0
    """Seconds until a request is given up with status 504; a request may set less."""
    patience: float = 30.0
    """Seconds that a client may take to send a request, or to read a part of the response."""
    connections: int = 512
    """Open connections; more are closed."""
    body_bytes: int = 1 << 20
    """Bytes of the largest request."""
    pending_bytes: int = 2 << 20
    """Bytes of all requests that are worked on; more are refused with status 429. Each needs up to
    30 times as much memory."""
    texts: int = 128
    """Texts per request."""
    characters: int = 20_000
    """Characters per text."""
    input_tokens: int = 1024
    """Tokens of a text that a model reads at once. Texts to translate are split, and have no such
    limit; a model with fewer positions cuts."""
    traced_characters: int = 400
    """Characters of a text to trace: its arrays grow quadratically."""
    beams: int = 16
    """Largest beam size, and number of texts generated for one input."""
    tokens: int = 512
    """Largest number of tokens that a request may ask for. Without a number, a text has at most
    twice the tokens of its source plus 20."""
    strings: int = 16
    """Stop strings or banned strings of a request, of at most 256 characters each."""

    def __post_init__(self) -> None:
        check_at_least(
            1,
            self,
            "queue",
            "running",
            "cache_bytes",
            "connections",
            "body_bytes",
            "pending_bytes",
            "texts",
            "characters",
        )
        check_at_least(1, self, "input_tokens", "traced_characters", "beams", "tokens", "strings")
        check_at_least(0.01, self, "timeout", "patience")
        if self.pending_bytes < self.body_bytes:
            raise ConfigError(
                f"pending_bytes={self.pending_bytes} is less than body_bytes={self.body_bytes}, so"
                " the largest requests would be refused always. Raise one or lower the other."
            )

    def check_search(self, config: DecodingConfig) -> None:
        """Raises: UsageError if a search would be larger than the server allows."""
        of_method = {"beam": ("beam",), "mbr": ("samples",)}.get(config.method, ())
        for flag, most, names in (
            ("beams", self.beams, (*of_method, "n_best")),
            ("tokens", self.tokens, ("min_length", "max_length")),
        ):
            for name in names:
                value = getattr(config, name)
                if value > most:
                    raise UsageError(
                        f"{name}={value} is above {most}, this server's limit (--{flag}). Ask for"
                        f" less: {name}={most}."
                    )
