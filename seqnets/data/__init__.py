"""Files to arrays. NumPy only; no models."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.captions.caption_set import CaptionSet as CaptionSet
    from seqnets.data.captions.captioned_images import CaptionedImages as CaptionedImages
    from seqnets.data.captions.config import CaptionDataConfig as CaptionDataConfig
    from seqnets.data.captions.pictures import with_pictures as with_pictures
    from seqnets.data.captions.reading import read_captions as read_captions
    from seqnets.data.captions.reading import read_references as read_references
    from seqnets.data.demo.dates import dates as dates
    from seqnets.data.demo.library_text import standard_library as standard_library
    from seqnets.data.demo.scenes import Scenes as Scenes
    from seqnets.data.demo.shapes import draw_shapes as draw_shapes
    from seqnets.data.examples.config import LabeledTextConfig as LabeledTextConfig
    from seqnets.data.examples.config import QuestionConfig as QuestionConfig
    from seqnets.data.examples.config import SequenceConfig as SequenceConfig
    from seqnets.data.examples.examples import Examples as Examples
    from seqnets.data.examples.examples import Ragged as Ragged
    from seqnets.data.examples.examples import ShuffledBatches as ShuffledBatches
    from seqnets.data.examples.examples import Table as Table
    from seqnets.data.examples.label_examples import frame_examples as frame_examples
    from seqnets.data.examples.label_examples import token_examples as token_examples
    from seqnets.data.examples.labeled_sequences import Frames as Frames
    from seqnets.data.examples.labeled_sequences import read_frames as read_frames
    from seqnets.data.examples.labeled_sequences import read_labeled_sequences as read_labeled_sequences
    from seqnets.data.examples.labeled_texts import read_labeled_texts as read_labeled_texts
    from seqnets.data.examples.pairs import pair_examples as pair_examples
    from seqnets.data.examples.pairs import read_pairs as read_pairs
    from seqnets.data.examples.question_examples import question_examples as question_examples
    from seqnets.data.examples.questions import Question as Question
    from seqnets.data.examples.questions import read_questions as read_questions
    from seqnets.data.examples.texts import text_examples as text_examples
    from seqnets.data.features.store import FeatureStore as FeatureStore
    from seqnets.data.features.writer import FeatureWriter as FeatureWriter
    from seqnets.data.images.config import ImageConfig as ImageConfig
    from seqnets.data.images.files import ImageError as ImageError
    from seqnets.data.images.files import find_images as find_images
    from seqnets.data.images.files import open_image as open_image
    from seqnets.data.images.labels import imagenet_classes as imagenet_classes
    from seqnets.data.images.labels import read_labels as read_labels
    from seqnets.data.images.preprocessing import Preprocessing as Preprocessing
    from seqnets.data.images.sets import ImageSet as ImageSet
    from seqnets.data.images.sets import LabeledImages as LabeledImages
    from seqnets.data.images.sets import read_images as read_images
    from seqnets.data.public_sets import PUBLIC_SETS as PUBLIC_SETS
    from seqnets.data.public_sets import download as download
    from seqnets.data.text.config import TextConfig as TextConfig
    from seqnets.data.text.corpus import Corpus as Corpus
    from seqnets.data.text.corpus import read_text as read_text
    from seqnets.data.text.pieces import TextSubwords as TextSubwords
    from seqnets.data.text.pieces import TextWords as TextWords
    from seqnets.data.text.streams import TextBatch as TextBatch
    from seqnets.data.text.streams import TokenStream as TokenStream
    from seqnets.data.text.streams import Windows as Windows
    from seqnets.data.text.text_vocabulary import Decoder as Decoder
    from seqnets.data.text.text_vocabulary import TextVocabulary as TextVocabulary
    from seqnets.data.text.vocabulary import UnknownPolicy as UnknownPolicy
    from seqnets.data.text.vocabulary import Vocabulary as Vocabulary
    from seqnets.data.text.vocabulary import VocabularyKind as VocabularyKind
    from seqnets.data.text.vocabulary import bytes_vocabulary as bytes_vocabulary
    from seqnets.data.words.token_table import TokenTable as TokenTable
    from seqnets.data.words.vectors import WordVectors as WordVectors
    from seqnets.data.words.vectors import read_vectors as read_vectors
    from seqnets.data.words.vocabulary import CharacterVocabulary as CharacterVocabulary
    from seqnets.data.words.vocabulary import TokenVocabulary as TokenVocabulary
    from seqnets.data.words.vocabulary import WordVocabulary as WordVocabulary
    from seqnets.data.words.vocabulary import token_vocabulary as token_vocabulary

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "captions.caption_set": ["CaptionSet"],
            "captions.captioned_images": ["CaptionedImages"],
            "captions.config": ["CaptionDataConfig"],
            "captions.pictures": ["with_pictures"],
            "captions.reading": ["read_captions", "read_references"],
            "demo.dates": ["dates"],
            "demo.library_text": ["standard_library"],
            "demo.scenes": ["Scenes"],
            "demo.shapes": ["draw_shapes"],
            "examples.config": ["LabeledTextConfig", "QuestionConfig", "SequenceConfig"],
            "examples.examples": ["Examples", "Ragged", "ShuffledBatches", "Table"],
            "examples.labeled_sequences": ["Frames", "read_frames", "read_labeled_sequences"],
            "examples.labeled_texts": ["read_labeled_texts"],
            "examples.label_examples": ["frame_examples", "token_examples"],
            "examples.pairs": ["pair_examples", "read_pairs"],
            "examples.question_examples": ["question_examples"],
            "examples.questions": ["Question", "read_questions"],
            "examples.texts": ["text_examples"],
            "features.store": ["FeatureStore"],
            "features.writer": ["FeatureWriter"],
            "images.config": ["ImageConfig"],
            "images.files": ["ImageError", "find_images", "open_image"],
            "images.labels": ["imagenet_classes", "read_labels"],
            "images.preprocessing": ["Preprocessing"],
            "images.sets": ["ImageSet", "LabeledImages", "read_images"],
            "public_sets": ["PUBLIC_SETS", "download"],
            "text.config": ["TextConfig"],
            "text.corpus": ["Corpus", "read_text"],
            "text.pieces": ["TextSubwords", "TextWords"],
            "text.streams": ["TextBatch", "TokenStream", "Windows"],
            "text.text_vocabulary": ["Decoder", "TextVocabulary"],
            "text.vocabulary": ["UnknownPolicy", "Vocabulary", "VocabularyKind", "bytes_vocabulary"],
            "words.vocabulary": ["TokenVocabulary", "CharacterVocabulary", "WordVocabulary", "token_vocabulary"],
            "words.token_table": ["TokenTable"],
            "words.vectors": ["WordVectors", "read_vectors"],
        },
    )
