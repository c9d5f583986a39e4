"""Tokens of images, by hand from each provider's published rules; sizes from files' heads."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.tokens.images import image_rule
from hybridllm.tokens.pages import page_count, page_tokens
from hybridllm.tokens.sizes import image_size, media_type


def png(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\6\0\0\0"


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\0\0"


def jpeg(width, height):
    """With a JFIF segment, an EXIF one that holds a thumbnail's frame, a fill byte, a table."""
    thumbnail = b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 1, 1)
    return (
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
        + b"\xff\xe1"
        + struct.pack(">H", len(thumbnail) + 2)
        + thumbnail
        + b"\xff\xff\xc4\0\x04\0\0"
        + b"\xff\xc2\0\x11\x08"
        + struct.pack(">HH", height, width)
        + b"\3\1\x22\0"
    )


def webp(chunk, payload):
    return b"RIFF\0\0\0\0WEBP" + chunk + b"\0\0\0\0" + payload.ljust(20, b"\0")


def lossy(width, height):
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height))


def lossless(width, height):
    return webp(b"VP8L", b"\x2f" + ((height - 1) << 14 | (width - 1)).to_bytes(4, "little"))


def extended(width, height):
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\0\0\0\0" + sizes)


@pytest.mark.parametrize("make", [png, gif, jpeg, lossy, lossless, extended])
@given(width=st.integers(1, 16_000), height=st.integers(1, 16_000))
def test_the_size_is_read_from_the_head_of_each_format(make, width, height):
    assert image_size(make(width, height)) == (width, height)


@pytest.mark.parametrize("make", [png, gif, jpeg, lossy, lossless, extended])
def test_a_head_that_is_cut_has_no_size(make):
    whole = make(640, 480)
    least = min(n for n in range(len(whole) + 1) if image_size(whole[:n]) is not None)
    assert all(image_size(whole[:n]) is None for n in range(least))


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"RIFF0000WEBPVP8X"]))
def test_any_bytes_at_all_have_a_size_or_none(data, head):
    size = image_size(head + data)
    assert size is None or min(size) > 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [(png(1, 1), "image/png"), (b"%PDF-1.7\n", "application/pdf"), (b"hello", ""), (b"", "")],
)
def test_a_file_is_known_by_its_first_bytes(data, kind):
    assert media_type(data) == kind


CASES = [
    # OpenAI's own examples: 1024 x 1024 makes 4 tiles, 2048 x 4096 becomes 768 x 1536, 6 tiles.
    ("gpt-4o", (1024, 1024), "high", 765),
    ("gpt-4o", (2048, 4096), "high", 1105),
    ("gpt-4o", (4096, 8192), "low", 85),
    ("openai/gpt-4.1", (512, 512), None, 255),
    ("gpt-4o-mini", (1024, 1024), "auto", 2833 + 4 * 5667),
    ("gpt-4o-mini", (1024, 1024), "low", 2833),
    ("o3", (1024, 1024), "high", 75 + 4 * 150),
    ("gpt-5", (1024, 1024), "high", 70 + 4 * 140),
    # Patches, its examples: 1024 x 1024 are 1,024; 1800 x 2400 are scaled to 33 x 44 = 1,452.
    ("o4-mini", (1024, 1024), "high", 1762),  # x 1.72
    ("gpt-4.1-mini", (1024, 1024), None, 1659),  # x 1.62
    ("gpt-4.1-mini", (1800, 2400), None, 2353),  # 1,452 x 1.62
    ("gpt-5-nano", (1024, 1024), None, 2520),  # x 2.46
    # Anthropic's own table, and its limits: 1568 pixels, some 1,600 tokens.
    ("claude-sonnet-4-6", (200, 200), None, 54),
    ("claude-sonnet-4-6", (1000, 1000), None, 1334),
    ("anthropic/claude-sonnet-4-6", (1092, 1092), None, 1590),
    ("claude-sonnet-4-6", (3136, 784), None, 820),  # 1568 x 392
    ("claude-sonnet-4-6", (8000, 8000), None, 1600),
    ("claude-opus-4-7", (2000, 1500), None, 4000),
    ("claude-opus-4-7", (5152, 2576), None, 4424),  # 2576 x 1288
    # Google: both sides to 384; its own example 960 x 540, tiles of 360, 3 x 2.
    ("gemini-2.5-flash", (384, 384), None, 258),
    ("gemini-2.5-flash", (960, 540), None, 6 * 258),
    ("google/gemini-2.5-pro", (385, 100), None, 2 * 258),  # tiles of 256
    ("gemini-2.5-flash", (3000, 3000), None, 16 * 258),  # tiles of 768
    ("gemini-3.1-pro-preview", (3000, 3000), None, 1120),
]


@pytest.mark.parametrize(("model", "size", "detail", "tokens"), CASES)
def test_an_image_takes_what_its_providers_rule_says(model, size, detail, tokens):
    assert image_rule(model).tokens(size, detail) == tokens
    assert image_rule(model).sure


@pytest.mark.parametrize("model", ["gpt-6-sol", "claude-sonnet-5-5", "gemini-4-argon", "llama-4"])
def test_a_model_whose_rule_is_not_published_is_said_to_be_one(model):
    assert not image_rule(model).sure


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([c[0] for c in CASES]))
def test_every_image_takes_some_tokens_and_not_too_many(width, height, model):
    assert 0 < image_rule(model).tokens((width, height), "high") < 100_000 * max(width, height)


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_patches_never_exceed_their_limit(width, height):
    assert image_rule("o4-mini").tokens((width, height), None) <= -(-1536 * 172 // 100)


def pdf(pages):
    from io import BytesIO

    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(595, 842)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pages_of_a_pdf():
    assert page_count(pdf(3)) == 3
    assert page_count(b"%PDF-1.7\nbroken") is None


@pytest.mark.parametrize(
    ("model", "page"),
    [
        ("gemini-2.5-flash", (258, 258)),
        ("google/gemini-3.8-flash", (560, 560)),
        ("claude-sonnet-4-6", (1500, 3000)),
        ("gpt-4o", None),
    ],
)
def test_a_page_takes_what_its_provider_says(model, page):
    assert page_tokens(model) == page
