"""Floor 1: how many tokens is this for that model. Exact where a tokenizer is known.

OpenAI publishes its encodings, so its counts are exact where the optional package `bpe-openai` is
installed (its ranks are inside the wheel: no network). Anthropic and Google publish no tokenizer:
their counts are estimates from the text's UTF-8 bytes, in integers.
"""

from __future__ import annotations

from hybridllm.tokens.encodings import (
    cut_to_tokens as cut_to_tokens,
)
from hybridllm.tokens.encodings import (
    encoding_of as encoding_of,
)
from hybridllm.tokens.encodings import (
    exact_available as exact_available,
)
from hybridllm.tokens.encodings import (
    token_ids as token_ids,
)
from hybridllm.tokens.estimates import (
    count_text as count_text,
)
from hybridllm.tokens.estimates import (
    estimate_bytes as estimate_bytes,
)
from hybridllm.tokens.estimates import (
    tokens_per_kbyte as tokens_per_kbyte,
)
