"""Floor 1: files to arrays. NumPy only; no models."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.demo.library_text import standard_library
    from seqnets.data.features.store import FeatureStore
    from seqnets.data.images.config import ImageConfig
    from seqnets.data.images.files import ImageError, find_images, open_image
    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.data.images.sets import ImageSet, read_images
    from seqnets.data.text.config import TextConfig
    from seqnets.data.text.corpus import Corpus, read_text
    from seqnets.data.text.streams import TextBatch, TokenStream, Windows
    from seqnets.data.text.vocabulary import Decoder, UnknownPolicy, Vocabulary, VocabularyKind, bytes_vocabulary
    from seqnets.data.words.vocabulary import CaptionVocabulary, LetterVocabulary, WordVocabulary, caption_vocabulary

__all__ = [
    "CaptionVocabulary",
    "Corpus",
    "Decoder",
    "FeatureStore",
    "ImageConfig",
    "ImageError",
    "ImageSet",
    "LetterVocabulary",
    "Preprocessing",
    "TextBatch",
    "TextConfig",
    "TokenStream",
    "UnknownPolicy",
    "Vocabulary",
    "VocabularyKind",
    "Windows",
    "WordVocabulary",
    "bytes_vocabulary",
    "caption_vocabulary",
    "find_images",
    "open_image",
    "read_images",
    "read_text",
    "standard_library",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "demo.library_text": ["standard_library"],
        "features.store": ["FeatureStore"],
        "images.config": ["ImageConfig"],
        "images.files": ["ImageError", "find_images", "open_image"],
        "images.preprocessing": ["Preprocessing"],
        "images.sets": ["ImageSet", "read_images"],
        "text.config": ["TextConfig"],
        "text.corpus": ["Corpus", "read_text"],
        "text.streams": ["TextBatch", "TokenStream", "Windows"],
        "text.vocabulary": ["Decoder", "UnknownPolicy", "Vocabulary", "VocabularyKind", "bytes_vocabulary"],
        "words.vocabulary": ["CaptionVocabulary", "LetterVocabulary", "WordVocabulary", "caption_vocabulary"],
    },
)
