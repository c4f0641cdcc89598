"""Texts that a database takes: JSON that it can parse, and text without NUL."""

from __future__ import annotations

import json
import math
import re

import msgspec
import polars as pl

# What a text has in the place of NUL, which PostgreSQL cannot store.
NUL_SYMBOL = "\N{SYMBOL FOR NULL}"
_RAW = msgspec.json.Decoder(msgspec.Raw)
# Valid JSON that jsonb refuses: NUL, half of a surrogate pair, and numbers beyond 131,072 digits, which only long texts have.
_REFUSED = r"\\u0000|\\u[dD][89a-fA-F]|[eE][+-]?[0-9]{5}"
_LONG = 4000
_SURROGATE = re.compile("[\ud800-\udfff]")


def without_nul(texts: pl.Expr) -> pl.Expr:
    """Replace NUL in texts by its symbol."""
    return texts.str.replace_all("\0", NUL_SYMBOL, literal=True)


def storable(texts: pl.Series) -> pl.Series:
    """Return JSON texts as texts that can be cast to jsonb.

    NaN and infinity become texts, NUL becomes its symbol, half of a surrogate pair becomes the replacement character. A text that is
    no JSON becomes a JSON text. Null stays null.
    """
    refused = texts.str.contains(_REFUSED) | (texts.str.len_bytes() >= _LONG)
    ready = [
        _repaired(text) if text is not None and (is_refused or not _is_json(text)) else text
        for text, is_refused in zip(texts.to_list(), refused.to_list(), strict=True)
    ]
    return pl.Series(texts.name, ready, pl.String)


def _is_json(text: str) -> bool:
    try:
        _RAW.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _repaired(text: str) -> str:
    try:
        return json.dumps(_clean(json.loads(text, strict=False)), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps(_clean_text(text), ensure_ascii=False)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean_text(name): _clean(item) for name, item in value.items()}
    return value


def _clean_text(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\0", NUL_SYMBOL))
