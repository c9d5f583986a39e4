"""OpenAI's embeddings: what is read, what is written, and the packed numbers of its SDK."""

import json
from array import array
from base64 import b64decode, b64encode

import pytest
from openai.types import CreateEmbeddingResponse

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.wire.dialect import DropPolicy, Inexpressible, RequestShape
from hybridllm.wire.embedding import EmbeddingReply, EmbeddingRequest
from hybridllm.wire.openai.embeddings import EMBEDDINGS

SHAPE = RequestShape()


def body(**fields):
    return json.dumps({"model": "m", "input": "x", **fields}).encode()


def written(policy=None, **fields):
    request = EmbeddingRequest(model="asked", **{"inputs": ["x"], **fields})
    return json.loads(EMBEDDINGS.encode_request(request, "named", policy or DropPolicy()))


@pytest.mark.parametrize(
    ("sent", "inputs", "size"),
    [
        ("héllo", ["héllo"], 6),
        (["a", "bc"], ["a", "bc"], 3),
        ([1, 2, 3], [[1, 2, 3]], 12),
        ([[1, 2], [3]], [[1, 2], [3]], 12),
    ],
    ids=["a text", "texts", "token ids", "lists of token ids"],
)
def test_every_form_of_input_is_read(sent, inputs, size):
    request = EMBEDDINGS.decode_request(body(input=sent), SHAPE)
    assert request.inputs == inputs
    facts = EMBEDDINGS.facts(body(input=sent), SHAPE)
    assert (facts.model, facts.choices, facts.text_bytes) == ("m", len(inputs), size)
    assert written(inputs=inputs)["input"] == inputs


def test_all_fields_are_read_and_written():
    request = EMBEDDINGS.decode_request(
        body(dimensions=8, encoding_format="base64", user="u", new=1), SHAPE
    )
    assert (request.dimensions, request.encoding, request.end_user) == (8, "base64", "u")
    assert request.extras == ["new"]
    assert written(dimensions=8, end_user="u") == {
        "model": "named",
        "input": ["x"],
        "encoding_format": "float",
        "dimensions": 8,
        "user": "u",
    }


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (b'{"input":"x"}', "model"),
        (b'{"model":"","input":"x"}', "model"),
        (b'{"model":"m"}', "input"),
        (b'{"model":"m","input":[]}', "input"),
        (b'{"model":"m","input":""}', "input"),
        (b'{"model":"m","input":["a",1]}', "input"),
        (b'{"model":"m","input":[{}]}', "input[0]"),
        (b'{"model":"m","input":"x","dimensions":"8"}', "dimensions"),
        (b'{"model":"m","input":"x","encoding_format":"int8"}', "encoding_format"),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_a_mistake_is_named(sent, field):
    with pytest.raises(RequestError) as caught:
        EMBEDDINGS.decode_request(sent, SHAPE)
    assert caught.value.field == field


def test_what_openai_cannot_say_is_dropped_or_refused_by_name():
    policy = DropPolicy()
    assert "taskType" not in written(policy, task_type="RETRIEVAL_QUERY")
    assert policy.dropped == ["taskType"]
    for fields in ({"titles": ["T"]}, {"extras": ["autoTruncate"]}):
        with pytest.raises(Inexpressible):
            written(**fields)
    with pytest.raises(Inexpressible):
        written(DropPolicy(refuse=frozenset({"taskType"})), task_type="RETRIEVAL_QUERY")
    policy = DropPolicy(drop=frozenset({"title"}))
    written(policy, titles=["T"])
    assert policy.dropped == ["title"]


def test_a_body_passes_but_for_the_models_name():
    sent = b'{ "input" :["a"],\n"model": "openai/m", "x":1.50 }'
    facts = EMBEDDINGS.facts(sent, SHAPE)
    assert EMBEDDINGS.passthrough(sent, facts, "m") == sent.replace(b'"openai/m"', b'"m"')
    assert EMBEDDINGS.passthrough(sent, facts, "openai/m") is sent


def reply(*vectors, **more):
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in vectors]
    return json.dumps({"object": "list", "data": data, "model": "m", **more}).encode()


def test_a_reply_is_read_in_the_order_of_its_inputs_as_numbers_or_packed():
    packed = b64encode(array("f", [0.5, -1.0]).tobytes()).decode()
    raw = reply((1, packed), (0, [0.25, 1]), usage={"prompt_tokens": 7, "total_tokens": 7})
    found = EMBEDDINGS.decode_reply(raw)
    assert found.vectors == [[0.25, 1.0], [0.5, -1.0]]
    assert found.usage == Usage(input_tokens=7) == EMBEDDINGS.meter(raw)
    assert EMBEDDINGS.decode_reply(reply((0, [1.0]))).usage is None


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"{}",
        reply((0, "not base64!")),
        reply((0, b64encode(b"12345").decode())),
        b'{"data":[{"index":0,"embedding":[null]}]}',
    ],
)
def test_a_reply_that_cannot_be_read_is_the_providers_fault(raw):
    with pytest.raises(ProviderError) as caught:
        EMBEDDINGS.decode_reply(raw)
    assert caught.value.kind is ErrorKind.MALFORMED_REPLY


def test_metering_never_fails():
    assert EMBEDDINGS.meter(b"<html>") is None
    assert EMBEDDINGS.meter(b"{}") is None


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_reply_is_written_as_it_was_asked_for(encoding):
    request = EmbeddingRequest(model="m", inputs=["x", "y"], encoding=encoding)
    answer = EmbeddingReply(vectors=[[0.5, 0.1], [1.0, -2.0]], usage=Usage(input_tokens=3))
    raw = EMBEDDINGS.encode_reply(answer, request, "named")
    told = json.loads(raw)
    assert told["model"] == "named" and told["object"] == "list"
    assert told["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert [one["index"] for one in told["data"]] == [0, 1]
    shown = [one["embedding"] for one in told["data"]]
    if encoding == "base64":
        # Little-endian whatever the machine: 0.5 is 0x3f000000.
        assert b64decode(shown[0])[:4] == b"\x00\x00\x00\x3f"
        assert EMBEDDINGS.decode_reply(raw).vectors[1] == [1.0, -2.0]
    else:
        assert shown == answer.vectors
        CreateEmbeddingResponse.model_validate(told, strict=True)


def test_a_number_beyond_32_bits_is_not_packed_into_nonsense():
    request = EmbeddingRequest(model="m", inputs=["x"], encoding="base64")
    with pytest.raises(ProviderError):
        EMBEDDINGS.encode_reply(EmbeddingReply(vectors=[[1e300]]), request, "m")
