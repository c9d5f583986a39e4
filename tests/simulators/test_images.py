"""Images: taken in each dialect's own form, counted by the documented rules, refused if broken."""

import struct
import zlib
from base64 import b64encode

import anthropic
import openai
import pytest
from google.genai import errors as google_errors
from google.genai import types


def png(width, height):
    """A real picture: one colour, by the PNG specification."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = (b"\0" + b"\0" * -(-width // 8)) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def in_base64(data):
    return b64encode(data).decode()


def openai_part(data, **more):
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", **more}}


# Worked out by hand from the pages that hybridllm.simulators.media names.
OPENAI = [
    ((512, 512), "high", 85 + 170),
    ((1024, 1024), "high", 85 + 170 * 4),
    ((4096, 1024), "auto", 85 + 170 * 4),
    ((4096, 4096), "low", 85),
]
ANTHROPIC = [((750, 10), 10), ((1092, 1092), 1590), ((3136, 1568), 1640)]
GOOGLE = [((384, 384), 258), ((385, 10), 258), ((1536, 800), 258 * 4)]


@pytest.mark.parametrize(("size", "detail", "tokens"), OPENAI)
def test_openai_counts_tiles(gpt, size, detail, tokens):
    content = [
        {"type": "text", "text": "What is it?"},
        openai_part(in_base64(png(*size)), detail=detail),
    ]
    reply = gpt.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": content}]
    )
    assert reply.usage.prompt_tokens == 4 + tokens


@pytest.mark.parametrize(("size", "tokens"), ANTHROPIC)
def test_anthropic_counts_pixels(claude, size, tokens):
    source = {"type": "base64", "media_type": "image/png", "data": in_base64(png(*size))}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    message = claude.messages.create(
        model="claude-sonnet-4-6", max_tokens=50, messages=[{"role": "user", "content": content}]
    )
    assert message.usage.input_tokens == 4 + tokens


@pytest.mark.parametrize(("size", "tokens"), GOOGLE)
def test_google_counts_tiles(gemini, size, tokens):
    image = types.Part.from_bytes(data=png(*size), mime_type="image/png")
    response = gemini.models.generate_content(
        model="gemini-2.5-flash", contents=[image, "What is it?"]
    )
    assert response.usage_metadata.prompt_token_count == 4 + tokens


def test_images_by_address_are_taken(gpt, claude):
    url = "https://example.com/cat.png"
    part = {"type": "image_url", "image_url": {"url": url}}
    assert gpt.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": [part]}]
    ).choices
    source = {"type": "url", "url": url}
    assert claude.messages.create(
        model="claude-sonnet-4-6",
        max_tokens=50,
        messages=[{"role": "user", "content": [{"type": "image", "source": source}]}],
    ).content


def test_documents_are_taken(gpt, claude, gemini):
    pdf = b"%PDF-1.4 nothing in it"
    data = in_base64(pdf)
    file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    content = [{"type": "file", "file": file}]
    assert gpt.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": content}]
    ).choices
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    assert claude.messages.create(
        model="claude-sonnet-4-6",
        max_tokens=50,
        messages=[{"role": "user", "content": [{"type": "document", "source": source}]}],
    ).content
    part = types.Part.from_bytes(data=pdf, mime_type="application/pdf")
    assert gemini.models.generate_content(model="gemini-2.5-flash", contents=[part]).text


def test_what_is_no_image_is_refused(gpt, claude, raw):
    with pytest.raises(openai.BadRequestError, match="unsupported image") as refused:
        gpt.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": [openai_part("%%%")]}]
        )
    assert refused.value.code == "invalid_image_format"
    source = {"type": "base64", "media_type": "image/tiff", "data": "aaaa"}
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.0.*media_type"):
        claude.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=50,
            messages=[{"role": "user", "content": [{"type": "image", "source": source}]}],
        )
    blob = {"inlineData": {"mimeType": "image/png", "data": "%%%"}}
    reply = raw.generate(contents=[{"role": "user", "parts": [blob]}])
    assert reply.status == 400
    assert "Base64 decoding failed" in reply.json()["error"]["message"]
    assert google_errors.ClientError(400, reply.json()).status == "INVALID_ARGUMENT"
