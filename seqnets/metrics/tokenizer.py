"""Penn Treebank tokens of a caption, as the COCO caption evaluation counts them: lower case, without punctuation."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain, starmap

from seqnets.data.words.scripts import characters_apart, is_unspaced
from seqnets.metrics.treebank import AFTER_WORDS, BOUND, CHARACTERS, CLITIC, COMPOUND, ENTITIES, SPELLING, STARTERS, TOKEN

PUNCTUATION = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
"""Tokens that are not counted. Brackets count, spelled -lrb- and so on, and so do runs such as `!!`."""

_CHUNK = re.compile(r"</?[A-Za-z][^<>]*>|[^\s<]+|<")
_ENTITY = re.compile("|".join(ENTITIES))
_MIXED_NUMBER = re.compile(r"(?<![\w.,:+/-])(\d{1,4})[ \u00a0](\d{1,4}/\d{1,4})(?!\d)")  # 22 3/4
_RUNS = {"---": "--", "----": "--"}
_BEYOND = re.compile("[\U00010000-\U0010ffff\ud800-\udfff]")  # the basic plane; lone surrogates are not characters


def treebank_tokens(text: str) -> list[str]:
    """Return the Penn Treebank tokens of a caption, in lower case.

    They are those of Stanford's PTBTokenizer, except for the period after a single letter at the end of a caption: there,
    that tokenizer also reads the next line of its file, which belongs to another caption.

    Words are separated from punctuation and from the clitics n't 's 'm 'd 're 've 'll; brackets become -lrb- -rrb- and so
    on, double quotes `` and ''; abbreviations and acronyms keep their period; characters beyond Unicode's basic plane
    (emoji) are dropped.

    Args:
        text: a caption; line breaks in it count as spaces.

    Returns:
        The tokens in order.

    Example:
        >>> treebank_tokens("Dr. Lee's dog isn't (very) tall.")
        ['dr.', 'lee', "'s", 'dog', 'is', "n't", '-lrb-', 'very', '-rrb-', 'tall', '.']

    References:
        Marcus, Santorini and Marcinkiewicz, Building a large annotated corpus of English: the Penn Treebank (1993).
    """
    return list(chain.from_iterable(starmap(_tokens, _chunks(text))))


def caption_words(text: str) -> list[str]:
    """Return the tokens of a caption that the metrics count: those of `treebank_tokens` except punctuation.

    A mixed number such as 22 3/4 is one token with a no-break space in it; `Scorer` counts its parts, as COCO's evaluation does.

    Args:
        text: a caption.

    Returns:
        The words in order; an empty list for a caption without a word.

    Example:
        >>> caption_words("A man, wearing a T-shirt, can't stop.")
        ['a', 'man', 'wearing', 'a', 't-shirt', 'ca', "n't", 'stop']

    References:
        Chen et al., Microsoft COCO Captions: data collection and evaluation server (2015).
    """
    return list(chain.from_iterable(starmap(_words, _chunks(text))))


def caption_characters(text: str) -> list[str]:
    """Return the words of a caption, with each character of Chinese, Japanese, Thai and similar scripts as a word.

    Args:
        text: a caption.

    Example:
        >>> caption_characters("一只狗，2 dogs。")
        ['一', '只', '狗', '2', 'dogs']
    """
    pieces = chain.from_iterable(map(characters_apart, caption_words(text)))
    return [piece for piece in pieces if any(map(str.isalnum, piece))]


def words_for(captions: Iterable[str]) -> Callable[[str], list[str]]:
    """Return the tokenizer for captions like these: by characters where their script has no spaces.

    Example:
        >>> words_for(["一只狗在草地上"]) is caption_characters, words_for(["a dog"]) is caption_words
        (True, True)
    """
    return caption_characters if is_unspaced(captions) else caption_words


def _chunks(text: str) -> Iterable[tuple[str] | tuple[str, str]]:
    """Split a text at spaces; a chunk that ends with a period keeps what follows, which decides what the period means."""
    if "/" in text:
        text = _MIXED_NUMBER.sub(rf"\1{BOUND}\2", text)
    if not text.isascii():
        text = _BEYOND.sub(" ", text.translate(CHARACTERS))
    if "&" in text:
        text = _ENTITY.sub(lambda entity: ENTITIES[entity[0]], text)
    chunks = _CHUNK.findall(text) if "<" in text else text.split()
    if ". " not in text:
        return zip(chunks)
    return zip(chunks, map(_follower, chunks, [*chunks[1:], ""]))


def _follower(chunk: str, after: str) -> str:
    if not chunk.endswith("."):
        return ""
    return "0" if after[:1].isdigit() else "STARTER" if after in STARTERS else ""


@lru_cache(maxsize=1 << 16)
def _words(chunk: str, follower: str = "") -> tuple[str, ...]:
    return tuple(token for token in _tokens(chunk, follower) if token not in PUNCTUATION)


@lru_cache(maxsize=1 << 16)
def _tokens(chunk: str, follower: str = "") -> tuple[str, ...]:
    apart = COMPOUND.sub(_spaced, CLITIC.sub(_spaced, chunk))
    tokens = TOKEN.findall(f"{apart} {follower}")
    spelled = map(_spelled, tokens[: -1 if follower else None], [True] + [False] * len(tokens))
    return tuple(token.replace(BOUND, "\u00a0") for token in " ".join(spelled).split())  # a tag may hold spaces


def _spaced(match: re.Match[str]) -> str:
    parts = [part for part in match.groups() if part]
    return " ".join(parts) if len(parts) > 1 else f" {match[0]}"


def _spelled(token: str, first: bool) -> str:
    if "’" in token and (token == "’" or AFTER_WORDS.fullmatch(token)):
        token = token.replace("’", "'")
    if token in "\"'" or token == "''":
        return ("``" if first else "''") if token == '"' else "`" if first and token == "'" else token
    if token in _RUNS:
        return _RUNS[token]
    if not token.strip("."):
        return token[:3]
    for bracket, name in SPELLING.items():
        token = token.replace(bracket, name)
    return token.lower()
