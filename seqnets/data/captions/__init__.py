"""Images and what people wrote about them: files of every usual form, and splits."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.captions.caption_set import CaptionSet as CaptionSet
    from seqnets.data.captions.caption_set import image_id as image_id
    from seqnets.data.captions.caption_set import image_ids as image_ids
    from seqnets.data.captions.forms import FORMS as FORMS
    from seqnets.data.captions.forms import form_names as form_names
    from seqnets.data.captions.pictures import Absent as Absent
    from seqnets.data.captions.pictures import with_pictures as with_pictures
    from seqnets.data.captions.reading import read_captions as read_captions
    from seqnets.data.captions.reading import read_references as read_references

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "caption_set": ["CaptionSet", "image_id", "image_ids"],
            "forms": ["FORMS", "form_names"],
            "pictures": ["Absent", "with_pictures"],
            "reading": ["read_captions", "read_references"],
        },
    )
