"""English text of an exact number of tokens, always the same for the same seed.

Every word below is one token with the space before it, and each sentence's first word also
without, in o200k and in cl100k; both encodings split text before such a word and before a full
stop. So tokens can be counted by counting words, and text can be cut or extended by one at will.
"""

from __future__ import annotations

from functools import lru_cache

from hybridllm.tokens import token_ids
from hybridllm.tokens.encodings import O200K

SENTENCES = """\
The customer asked for a clear summary of the report before the meeting.
Our team reviewed the budget and found three costs that had changed since last year.
Please check each number in the table and note any value that looks wrong.
The service was slow in the morning but it recovered after the second update.
We should compare the two plans and explain which one is safer for the company.
Most users open the page from a phone and they expect a quick answer.
The contract says that payment is due thirty days after the goods arrive.
A new member of staff wrote the first draft and the manager approved it.
The data shows a small rise in sales and a larger fall in returns.
Keep the tone friendly and avoid any promise about a delivery date.
The system sends a message when the order leaves the building.
Last week the group tested four ideas and kept the best two.
The final section lists the open questions and the people who will answer them.
If the total is higher than the limit then the request must wait for review.
The team will share the results on Monday and plan the next step together.
Some records have no address so the process marks them for a person to check.""".splitlines()

_PIECES = [
    [word if at == 0 else " " + word for at, word in enumerate(line[:-1].split(" "))] + ["."]
    for line in SENTENCES
]


@lru_cache(maxsize=2048)
def pieces_of(tokens: int, seed: int) -> tuple[str, ...]:
    """`tokens` pieces of one token each; joined, they read as sentences and end in a full stop."""
    pieces: list[str] = []
    state = seed * 2654435761 + 1013904223
    while len(pieces) < tokens:
        # The first sentence goes by the seed alone, so that neighbouring seeds begin differently.
        sentence = _PIECES[((state >> 33) if pieces else seed) % len(_PIECES)]
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        pieces.append(" " + sentence[0] if pieces else sentence[0])
        pieces.extend(sentence[1:])
    del pieces[tokens:]
    if tokens > 1:
        pieces[-1] = "."
        if pieces[-2] == ".":
            pieces[-2] = " indeed"
    return tuple(pieces)


def prose(tokens: int, seed: int) -> str:
    """Plain English of exactly `tokens` tokens."""
    return "".join(pieces_of(tokens, seed))


def pad_to_tokens(text: str, tokens: int, *, seed: int = 0, encoding: str = O200K) -> str:
    """The text, followed by plain sentences so that the whole has exactly `tokens` tokens.

    Trailing white space of the text is dropped. Raises ValueError where the text alone has more
    than `tokens` tokens.
    """
    text = text.rstrip()
    have = len(token_ids(text, encoding))
    if have > tokens:
        raise ValueError(f"the text has {have} tokens already, more than {tokens}")
    if not text or have == tokens:
        return text or prose(tokens, seed)
    padded = text + " " + prose(tokens - have, seed)
    if tokens - have == 1:
        padded = text + " indeed"
    if len(token_ids(padded, encoding)) != tokens:
        raise ValueError("the text ends in the middle of what the tokenizer takes as one piece")
    return padded


def prompt_of(
    tokens: int, seed: int = 0, *, directive: str = "", start: str = "", encoding: str = O200K
) -> str:
    """A prompt that the simulators count as exactly `tokens` input tokens, sent as the only
    message. Other seeds begin differently, so that none finds another's prefix in a cache.

    `directive` steers the answer (`output_tokens=50`, see `hybridllm.simulators.directives`);
    `start` is text to begin with.
    """
    opening = f"{start} [[sim {directive}]]" if directive else start
    return pad_to_tokens(opening.strip(), tokens, seed=seed, encoding=encoding)
