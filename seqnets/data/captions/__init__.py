"""Images and what people wrote of them: files of every usual form, splits, and the public sets."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.data.captions.caption_set import CaptionSet, image_id
    from seqnets.data.captions.pictures import Absent, with_pictures
    from seqnets.data.captions.public_sets import PUBLIC_SETS, download
    from seqnets.data.captions.reading import read_captions

__all__ = ["PUBLIC_SETS", "Absent", "CaptionSet", "download", "image_id", "read_captions", "with_pictures"]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "caption_set": ["CaptionSet", "image_id"],
        "pictures": ["Absent", "with_pictures"],
        "public_sets": ["PUBLIC_SETS", "download"],
        "reading": ["read_captions"],
    },
)
