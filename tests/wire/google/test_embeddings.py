"""Google's embedContent and batchEmbedContents: what is read, what is written, what passes."""

import json

import pytest

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.wire.dialect import DropPolicy, Inexpressible, RequestShape
from hybridllm.wire.embedding import EmbeddingReply, EmbeddingRequest
from hybridllm.wire.google.embeddings import BATCH_EMBED, EMBED

SHAPE = RequestShape(model="models/google/m")


def one(text="x", **fields):
    return {"model": "models/google/m", "content": {"parts": [{"text": text}]}, **fields}


def batch(*requests):
    return json.dumps({"requests": requests}).encode()


def written(codec, policy=None, **fields):
    request = EmbeddingRequest(model="asked", **{"inputs": ["x"], **fields})
    return json.loads(codec.encode_request(request, "named", policy or DropPolicy()))


def test_one_content_is_read():
    sent = json.dumps(
        {
            "content": {"parts": [{"text": "é"}, {"text": "b"}]},
            "task_type": "RETRIEVAL_DOCUMENT",
            "title": "T",
            "outputDimensionality": 8,
            "autoTruncate": True,
        }
    ).encode()
    request = EMBED.decode_request(sent, SHAPE)
    assert request == EmbeddingRequest(
        model="google/m",
        inputs=["é\nb"],
        dimensions=8,
        task_type="RETRIEVAL_DOCUMENT",
        titles=["T"],
        extras=["autoTruncate"],
    )
    facts = EMBED.facts(sent, SHAPE)
    assert (facts.model, facts.text_bytes, facts.choices, facts.media) == ("google/m", 3, 1, 0)


def test_a_batch_is_read():
    sent = batch(one("a", taskType="CLUSTERING"), one("bc", taskType="CLUSTERING"))
    request = BATCH_EMBED.decode_request(sent, SHAPE)
    assert (request.inputs, request.task_type) == (["a", "bc"], "CLUSTERING")
    assert request.titles is None and request.extras == []
    facts = BATCH_EMBED.facts(sent, SHAPE)
    assert (facts.text_bytes, facts.choices) == (3, 2)


def test_requests_that_ask_for_different_things_are_no_single_call_elsewhere():
    with pytest.raises(Inexpressible) as caught:
        BATCH_EMBED.decode_request(batch(one(taskType="CLUSTERING"), one()), SHAPE)
    assert caught.value.field == "requests"


@pytest.mark.parametrize(
    ("codec", "sent", "field"),
    [
        (EMBED, b"{}", "content"),
        (EMBED, b'{"content":{"parts":[{"inlineData":{}}]}}', "content.parts[0]"),
        (EMBED, b'{"content":{"parts":[{"text":1}]}}', "content.parts[0].text"),
        (BATCH_EMBED, b"{}", "requests"),
        (BATCH_EMBED, b'{"requests":[]}', "requests"),
        (BATCH_EMBED, b'{"requests":[{"content":{"parts":[{"text":"a"}]}},{}]}', "requests[1]"),
        (EMBED, b"[]", None),
    ],
)
def test_a_mistake_is_named(codec, sent, field):
    with pytest.raises(RequestError) as caught:
        codec.decode_request(sent, SHAPE)
    found = caught.value.field
    assert found == field or (found or "").startswith(f"{field}.")


@pytest.mark.parametrize(
    ("codec", "sent", "field"),
    [
        (BATCH_EMBED, b'{"requests":[]}', "requests"),
        (BATCH_EMBED, b'{"requests":[{"content":{"parts":[{"text":1}]}}]}', "requests"),
        (EMBED, b"{", None),
    ],
)
def test_a_mistake_is_named_before_anything_is_sent(codec, sent, field):
    with pytest.raises(RequestError) as caught:
        codec.facts(sent, SHAPE)
    assert (caught.value.field or "").startswith(field or "")


def test_pictures_are_counted_and_pass():
    sent = json.dumps({"content": {"parts": [{"inlineData": {"data": "AA=="}}, {"text": "a"}]}})
    facts = EMBED.facts(sent.encode(), SHAPE)
    assert (facts.media, facts.text_bytes) == (1, 1)


def test_a_request_is_written_for_each_input():
    told = written(
        BATCH_EMBED, inputs=["a", "b"], dimensions=8, task_type="CLUSTERING", titles=[None, "T"]
    )
    common = {"taskType": "CLUSTERING", "outputDimensionality": 8, "model": "models/named"}
    assert told == {
        "requests": [
            {"content": {"parts": [{"text": "a"}]}, **common},
            {"content": {"parts": [{"text": "b"}]}, **common, "title": "T"},
        ]
    }
    assert written(EMBED) == {"model": "models/named", "content": {"parts": [{"text": "x"}]}}


def test_what_google_cannot_say_is_dropped_or_refused_by_name():
    policy = DropPolicy()
    written(BATCH_EMBED, policy, end_user="u")
    assert policy.dropped == ["user"]
    with pytest.raises(Inexpressible) as caught:
        written(BATCH_EMBED, inputs=["a", [1, 2]])
    assert caught.value.field == "input"
    with pytest.raises(Inexpressible):
        written(BATCH_EMBED, extras=["new"])


def test_a_body_passes_but_for_the_models_name_in_each_request():
    sent = (
        b'{"x":{"model":"models/google/m"}, "requests" : [ {"model" : "models/google/m","content":'
        b'{"parts":[{"text":"\\u00e9"}]} } ,\n {"content":{"parts":[]},"model":"google/m"},'
        b'{"model":"models/other","x":1.50} ] }'
    )
    facts = BATCH_EMBED.facts(sent, SHAPE)
    expected = sent.replace(b' "models/google/m","content"', b' "models/m","content"')
    expected = expected.replace(b'"google/m"}', b'"models/m"}')
    assert BATCH_EMBED.passthrough(sent, facts, "m") == expected
    assert BATCH_EMBED.passthrough(sent, facts, "google/m") is sent
    single = b'{"content" : {"parts":[]} }'
    assert EMBED.passthrough(single, facts, "m") is single


def test_replies_are_read_and_written():
    usage = b',"usageMetadata":{"promptTokenCount":3}}'
    raw = b'{"embeddings":[{"values":[1,0.5]},{"values":[]}]' + usage
    found = BATCH_EMBED.decode_reply(raw)
    assert found == EmbeddingReply(vectors=[[1.0, 0.5], []], usage=Usage(input_tokens=3))
    assert BATCH_EMBED.meter(raw) == Usage(input_tokens=3)
    raw = b'{"embedding":{"values":[1]}' + usage
    assert EMBED.decode_reply(raw).vectors == [[1.0]]
    assert EMBED.decode_reply(b'{"embedding":{"values":[1]}}').usage is None
    request = EmbeddingRequest(model="m", inputs=["x"])
    told = {"promptTokenCount": 3, "totalTokenCount": 3}
    answer = EmbeddingReply(vectors=[[0.5]], usage=Usage(input_tokens=3))
    assert json.loads(EMBED.encode_reply(answer, request, "m")) == {
        "embedding": {"values": [0.5]},
        "usageMetadata": told,
    }
    assert json.loads(BATCH_EMBED.encode_reply(answer, request, "m")) == {
        "embeddings": [{"values": [0.5]}],
        "usageMetadata": told,
    }


@pytest.mark.parametrize("codec", [EMBED, BATCH_EMBED])
@pytest.mark.parametrize("raw", [b"<html>", b"{}", b'{"embedding":1,"embeddings":1}'])
def test_a_reply_that_cannot_be_read_is_the_providers_fault(codec, raw):
    with pytest.raises(ProviderError) as caught:
        codec.decode_reply(raw)
    assert caught.value.kind is ErrorKind.MALFORMED_REPLY
    assert codec.meter(raw) is None
