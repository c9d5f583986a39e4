"""Embeddings: unit vectors, the same for the same text, in OpenAI's and Google's shapes."""

import math
from base64 import b64decode
from struct import unpack

import openai
import pytest
from google.genai import errors as google_errors
from google.genai.types import EmbedContentResponse
from openai.types import CreateEmbeddingResponse

from hybridllm.simulators import Fault
from tests.simulators.wire import conforms

MODEL = "text-embedding-3-small"


def length(vector):
    return math.sqrt(sum(value * value for value in vector))


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


class TestOpenAI:
    def vectors(self, gpt, texts, **more):
        made = gpt.embeddings.create(model=MODEL, input=texts, **more)
        return [item.embedding for item in made.data]

    def test_a_reply(self, raw):
        reply = raw.post("openai", "/v1/embeddings", {"model": MODEL, "input": ["one", "two"]})
        made = conforms(CreateEmbeddingResponse, reply.json())
        assert [item.index for item in made.data] == [0, 1]
        assert made.usage.prompt_tokens == made.usage.total_tokens == 2

    def test_unit_vectors_of_the_usual_length(self, gpt):
        (vector,) = self.vectors(gpt, "The quick brown fox")
        assert len(vector) == 1536 and length(vector) == pytest.approx(1)

    def test_the_same_text_is_the_same_vector_and_a_like_one_is_near(self, gpt):
        texts = ["a cat on the mat", "a cat on the mat", "a cat on the sofa", "quarterly revenue"]
        one, same, near, far = self.vectors(gpt, texts)
        assert one == same
        assert cosine(one, near) > 0.6 > 0.3 > cosine(one, far)

    @pytest.mark.parametrize("dimensions", [1, 256, 1536])
    def test_fewer_dimensions_are_unit_vectors_too(self, gpt, dimensions):
        (vector,) = self.vectors(gpt, "The quick brown fox", dimensions=dimensions)
        assert len(vector) == dimensions and length(vector) == pytest.approx(1)

    def test_base64_holds_the_same_floats(self, raw):
        """The SDK asks for base64 unless told otherwise."""
        body = {"model": MODEL, "input": "hello"}
        as_floats, as_text = (
            raw.post("openai", "/v1/embeddings", {**body, "encoding_format": how}).json()
            for how in ("float", "base64")
        )
        raw_bytes = b64decode(as_text["data"][0]["embedding"])
        found = unpack(f"<{len(raw_bytes) // 4}f", raw_bytes)
        assert list(found) == pytest.approx(as_floats["data"][0]["embedding"])

    def test_tokens_will_do_for_text(self, gpt):
        made = gpt.embeddings.create(model=MODEL, input=[[15339, 1917], [9906]])
        assert len(made.data) == 2 and made.usage.prompt_tokens == 3

    @pytest.mark.parametrize(
        ("more", "param"),
        [
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": ["a", ""]}, "input"),
            ({"input": 5}, "input"),
            ({"dimensions": 5000}, "dimensions"),
            ({"input": ["a"] * 2049}, "input"),
        ],
    )
    def test_wrong_requests_are_refused(self, gpt, more, param):
        with pytest.raises(openai.BadRequestError) as refused:
            gpt.embeddings.create(**{"model": MODEL, "input": "a", **more})
        assert refused.value.param == param

    def test_too_long_a_text_is_refused(self, gpt):
        with pytest.raises(openai.BadRequestError, match="maximum context length is 8192"):
            gpt.embeddings.create(model=MODEL, input="word " * 9000)

    def test_a_chat_model_embeds_nothing(self, gpt):
        with pytest.raises(openai.NotFoundError):
            gpt.embeddings.create(model="gpt-4o", input="a")

    def test_the_call_is_counted_and_faults_befall_it(self, sims, gpt):
        gpt.embeddings.create(model=MODEL, input="hello world")
        (call,) = sims.calls()
        assert (call.endpoint, call.billed.input_tokens) == ("embeddings", 2)
        sims.faults(Fault(kind="error", status=503))
        with pytest.raises(openai.InternalServerError):
            gpt.embeddings.create(model=MODEL, input="hello world")


class TestGoogle:
    def test_one_text(self, raw):
        body = {"content": {"parts": [{"text": "hello world"}]}, "outputDimensionality": 768}
        reply = raw.generate(model="gemini-embedding-001", method="embedContent", **body).json()
        assert len(reply["embedding"]["values"]) == 768
        assert reply["usageMetadata"]["promptTokenCount"] == 2

    def test_a_batch_through_the_sdk(self, gemini):
        made = gemini.models.embed_content(
            model="gemini-embedding-001",
            contents=["hello world", "hello", "hello world"],
            config={"output_dimensionality": 256, "task_type": "RETRIEVAL_QUERY"},
        )
        one, two, three = [embedding.values for embedding in made.embeddings]
        assert len(one) == 256 and length(one) == pytest.approx(1)
        assert one == three != two
        assert made.usage_metadata.prompt_token_count == 5

    def test_a_reply_is_of_the_sdks_type(self, raw):
        one = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}
        reply = raw.generate(
            model="gemini-embedding-001", method="batchEmbedContents", requests=[one]
        )
        conforms(EmbedContentResponse, reply.json())

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"content": {"parts": []}},
            {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0},
            {"content": {"parts": [{"text": "a"}]}, "colour": "red"},
        ],
    )
    def test_wrong_requests_are_refused(self, raw, body):
        reply = raw.generate(model="gemini-embedding-001", method="embedContent", **body)
        assert (reply.status, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")

    def test_a_model_that_does_not_embed_is_404(self, gemini):
        with pytest.raises(google_errors.ClientError) as refused:
            gemini.models.embed_content(model="gemini-2.5-flash", contents="a")
        assert refused.value.code == 404
