"""A prompt of exactly so many tokens, an answer of exactly so many: what every bill rests on."""

import pytest

from hybridllm.simulators import pad_to_tokens, prompt_of
from hybridllm.simulators.prose import SENTENCES, pieces_of
from hybridllm.tokens import token_ids
from hybridllm.tokens.encodings import CL100K, O200K

SIZES = [(500, 50), (5000, 1000), (3000, 2000), (10_000, 5000), (37, 1), (25, 3)]


@pytest.mark.parametrize(("input_tokens", "output_tokens"), SIZES)
def test_the_usage_says_exactly_what_the_prompt_was_made_for(speaker, input_tokens, output_tokens):
    prompt = prompt_of(input_tokens, seed=3, directive=f"output_tokens={output_tokens}")
    said = speaker.ask(prompt)
    assert (said.input, said.output) == (input_tokens, output_tokens)
    assert len(token_ids(said.text, O200K)) == output_tokens


@pytest.mark.parametrize(("input_tokens", "output_tokens"), SIZES[:3])
def test_a_stream_says_and_bills_the_same(speaker, input_tokens, output_tokens):
    prompt = prompt_of(input_tokens, seed=3, directive=f"output_tokens={output_tokens}")
    streamed, whole = speaker.stream(prompt), speaker.ask(prompt)
    assert (streamed.text, streamed.finish) == (whole.text, whole.finish)
    assert (streamed.input, streamed.output) == (input_tokens, output_tokens)


def test_max_tokens_alone_cuts_to_the_token(speaker):
    said = speaker.ask("Go on and on. [[sim output_tokens=80]]", max_tokens=30)
    assert (said.output, said.finish) == (30, speaker.length)
    assert speaker.stream("Go on. [[sim output_tokens=80]]", max_tokens=30).finish == speaker.length


def test_a_limit_that_is_just_enough_is_no_cut(speaker):
    said = speaker.ask("Answer. [[sim output_tokens=30]]", max_tokens=30)
    assert said.output == 30 and said.finish != speaker.length


def test_a_system_prompt_adds_its_own_tokens_and_no_frame(speaker):
    prompt, system = prompt_of(40), prompt_of(20, seed=7)
    assert speaker.ask(prompt).input == 40
    assert speaker.ask(prompt, system=system).input == 60


def test_prompts_of_other_seeds_share_no_prefix():
    first, second = prompt_of(2000, seed=1), prompt_of(2000, seed=2)
    assert token_ids(first, O200K)[:128] != token_ids(second, O200K)[:128]


@pytest.mark.parametrize("encoding", [O200K, CL100K])
def test_every_piece_is_one_token_wherever_it_stands(encoding):
    """What lets text be cut and extended by the token, in both of OpenAI's encodings."""
    for seed in range(40):
        pieces = pieces_of(200, seed)
        assert len(token_ids("".join(pieces), encoding)) == 200
    for sentence in SENTENCES:
        first, *others = sentence[:-1].split()
        assert len(token_ids(first, encoding)) == 1
        assert all(len(token_ids(" " + word, encoding)) == 1 for word in [first, *others])


@pytest.mark.parametrize("tokens", [1, 2, 3, 17, 500])
def test_padding_reaches_the_number_from_any_text(tokens):
    for text in ("", "Hello", "Zwölf Boxkämpfer", "x = {1: 2}", "日本語のテキスト", "a\n\n"):
        have = len(token_ids(text.rstrip(), O200K))
        if have <= tokens:
            padded = pad_to_tokens(text, tokens)
            assert len(token_ids(padded, O200K)) == tokens
            assert padded.startswith(text.rstrip())
        else:
            with pytest.raises(ValueError, match=f"has {have} tokens already"):
                pad_to_tokens(text, tokens)
