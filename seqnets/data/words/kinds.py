"""The saved vocabularies of all models, distinguished by their kind."""

from collections.abc import Callable, Mapping
from typing import Any

from seqnets.data.text.pieces import TextSubwords, TextWords, VocabularyOfPieces
from seqnets.data.text.vocabulary import Vocabulary
from seqnets.data.words.token_table import TokenTable
from seqnets.data.words.vocabulary import CharacterVocabulary, TokenVocabulary, words_from_json

AnyVocabulary = Vocabulary | VocabularyOfPieces | TokenVocabulary | TokenTable


def vocabulary_from_json(fields: Any) -> AnyVocabulary:
    """Return the vocabulary, of text or of captions, whose `to_json` wrote these fields.

    Raises:
        UserError: the fields do not describe a vocabulary.

    Example:
        >>> vocabulary_from_json({"kind": "words", "words": ["a", "dog"], "punctuation": True}).decode([4, 5])
        'a dog'
        >>> vocabulary_from_json({"kind": "chars", "characters": "ab"}).decode([1, 0])
        'ba'
    """
    kind = fields.get("kind") if isinstance(fields, Mapping) else None
    return _READERS.get(str(kind), Vocabulary.from_json)(fields)  # its error names what it expects


def _letters(fields: Mapping[str, Any]) -> CharacterVocabulary:
    text = {**fields, "kind": fields["kind"].removeprefix("caption-")}
    return CharacterVocabulary(Vocabulary.from_json(text))


_READERS: dict[str, Callable[[Any], AnyVocabulary]] = {
    "text-words": TextWords.from_json,
    "bpe": TextSubwords.from_json,
    "tokens": TokenTable.from_json,
    "words": words_from_json,
    "caption-chars": _letters,
    "caption-bytes": _letters,
}
