"""Images and what people wrote of them: files of every usual form, splits, and the public sets."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.captions.caption_set import CaptionSet, image_id, image_ids
    from seqnets.data.captions.forms import FORMS, form_names
    from seqnets.data.captions.pictures import Absent, with_pictures
    from seqnets.data.captions.public_sets import PUBLIC_SETS, download
    from seqnets.data.captions.reading import read_captions, read_references

__all__ = [
    "FORMS",
    "PUBLIC_SETS",
    "Absent",
    "CaptionSet",
    "download",
    "form_names",
    "image_id",
    "image_ids",
    "read_captions",
    "read_references",
    "with_pictures",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "caption_set": ["CaptionSet", "image_id", "image_ids"],
        "forms": ["FORMS", "form_names"],
        "pictures": ["Absent", "with_pictures"],
        "public_sets": ["PUBLIC_SETS", "download"],
        "reading": ["read_captions", "read_references"],
    },
)
