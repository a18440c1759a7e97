"""Floor 1: files to arrays. NumPy only; no models."""

from seqnets.data.demo import standard_library
from seqnets.data.features import FeatureStore
from seqnets.data.image_config import ImageConfig
from seqnets.data.image_sets import ImageSet, read_images
from seqnets.data.images import ImageError, find_images, open_image
from seqnets.data.preprocessing import Preprocessing
from seqnets.data.streams import TextBatch, TokenStream, Windows
from seqnets.data.text import Corpus, read_text
from seqnets.data.text_config import TextConfig
from seqnets.data.vocabulary import Decoder, UnknownPolicy, Vocabulary, VocabularyKind, bytes_vocabulary
from seqnets.data.words import CaptionVocabulary, LetterVocabulary, WordVocabulary, caption_vocabulary

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
