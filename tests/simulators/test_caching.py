"""Prompt caching as each provider documents it, with a clock that the test advances."""

import pytest

from hybridllm.simulators import Profile, Simulators, prompt_of
from tests.simulators.speakers import GPT, Gemini

LONG = prompt_of(3000, seed=11)


def block(text, ttl=None):
    control = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
    return {"type": "text", "text": text, "cache_control": control}


class TestAnthropic:
    def usage(self, claude, system, question="And?", **more):
        """(read, written for 5 minutes, written for 1 hour, neither)"""
        messages = more.pop("messages", [{"role": "user", "content": question}])
        usage = claude.messages.create(
            model="claude-sonnet-4-6", max_tokens=10, system=system, messages=messages, **more
        ).usage
        written = usage.cache_creation
        assert usage.cache_creation_input_tokens == (
            written.ephemeral_5m_input_tokens + written.ephemeral_1h_input_tokens
        )
        return (
            usage.cache_read_input_tokens,
            written.ephemeral_5m_input_tokens,
            written.ephemeral_1h_input_tokens,
            usage.input_tokens,
        )

    def test_the_first_call_writes_and_the_second_reads(self, claude):
        assert self.usage(claude, [block(LONG)]) == (0, 3000, 0, 2)
        assert self.usage(claude, [block(LONG)]) == (3000, 0, 0, 2)

    def test_nothing_is_cached_without_a_breakpoint(self, claude):
        assert self.usage(claude, LONG) == (0, 0, 0, 3002)
        assert self.usage(claude, LONG) == (0, 0, 0, 3002)

    @pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
    def test_an_entry_lives_for_its_time(self, sims, claude, ttl, seconds):
        wrote = (0, 3000, 0, 2) if ttl == "5m" else (0, 0, 3000, 2)
        assert self.usage(claude, [block(LONG, ttl)]) == wrote
        sims.advance(seconds - 5)
        assert self.usage(claude, [block(LONG, ttl)]) == (3000, 0, 0, 2)
        sims.advance(seconds + 5)
        assert self.usage(claude, [block(LONG, ttl)]) == wrote

    def test_reading_renews_it(self, sims, claude):
        self.usage(claude, [block(LONG)])
        for _ in range(4):
            sims.advance(200)
            assert self.usage(claude, [block(LONG)])[0] == 3000

    def test_a_short_prefix_is_not_cached(self, claude):
        short = prompt_of(1000)
        assert self.usage(claude, [block(short)]) == (0, 0, 0, 1002)
        assert self.usage(claude, [block(short)]) == (0, 0, 0, 1002)

    def test_a_longer_conversation_reads_the_shorter_and_writes_the_rest(self, claude):
        more = prompt_of(1500, seed=5)
        assert self.usage(claude, [block(LONG)]) == (0, 3000, 0, 2)
        assert self.usage(claude, [block(LONG), block(more)]) == (3000, 1500, 0, 2)
        assert self.usage(claude, [block(LONG), block(more)]) == (4500, 0, 0, 2)

    def test_both_lifetimes_in_one_request(self, claude):
        more = prompt_of(1500, seed=5)
        assert self.usage(claude, [block(LONG, "1h"), block(more)]) == (0, 1500, 3000, 2)

    def test_one_mark_for_the_whole_request(self, claude):
        whole = {"type": "ephemeral"}
        assert self.usage(claude, LONG, cache_control=whole) == (0, 3002, 0, 0)
        assert self.usage(claude, LONG, cache_control=whole) == (3002, 0, 0, 0)

    def test_a_change_before_the_breakpoint_is_another_prefix(self, claude):
        self.usage(claude, [block(LONG)])
        assert self.usage(claude, [block("X" + LONG)])[0] == 0

    def test_another_model_or_key_has_a_cache_of_its_own(self, sims, claude):
        self.usage(claude, [block(LONG)])
        assert self.usage(claude.with_options(api_key="sim-other"), [block(LONG)])[0] == 0
        other = claude.messages.create(
            model="claude-opus-4-7",
            max_tokens=10,
            system=[block(LONG)],
            messages=[{"role": "user", "content": "And?"}],
        )
        assert other.usage.cache_read_input_tokens == 0

    @pytest.mark.parametrize(
        ("marks", "complaint"),
        [
            ([None] * 5, "A maximum of 4 blocks"),
            ([None, "1h"], "must not come after"),
            (["2d"], "Input should be '5m' or '1h'"),
        ],
    )
    def test_wrong_breakpoints_are_refused(self, raw, marks, complaint):
        system = [block("Some text.", ttl) for ttl in marks]
        reply = raw.messages(messages=[{"role": "user", "content": "And?"}], system=system)
        assert reply.status == 400 and complaint in reply.json()["error"]["message"]


@pytest.mark.parametrize("kind", [GPT, Gemini])
class TestImplicit:
    def test_the_second_call_reads_whole_steps_of_128(self, sims, kind):
        speaker = kind(sims, "sim-a")
        first, second = speaker.ask(LONG), speaker.ask(LONG)
        assert (first.cached, second.cached) == (0, 3000 // 128 * 128)
        assert first.input == second.input == 3000

    def test_below_1024_tokens_nothing_is_cached(self, sims, kind):
        speaker = kind(sims, "sim-a")
        for tokens, cached in ((1023, 0), (1024, 1024)):
            speaker.ask(prompt_of(tokens, seed=tokens))
            assert speaker.ask(prompt_of(tokens, seed=tokens)).cached == cached

    def test_a_shared_prefix_is_read_as_far_as_it_goes(self, sims, kind):
        speaker = kind(sims, "sim-a")
        start = prompt_of(2000, seed=11)
        speaker.ask(f"{start} And the first question.")
        assert speaker.ask(f"{start} Now another one.").cached == 2000 // 128 * 128

    def test_it_goes_cold(self, sims, kind):
        speaker = kind(sims, "sim-a")
        speaker.ask(LONG)
        sims.advance(601)
        assert speaker.ask(LONG).cached == 0

    def test_keys_do_not_share(self, sims, kind):
        kind(sims, "sim-a").ask(LONG)
        assert kind(sims, "sim-b").ask(LONG).cached == 0

    def test_a_profile_turns_it_off(self, kind):
        with Simulators(Profile(caching=False)) as sims:
            speaker = kind(sims, "sim-a")
            assert [speaker.ask(LONG).cached for _ in range(2)] == [0, 0]
