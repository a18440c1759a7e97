"""Images and what people wrote of them: files of every usual form, splits, and the public sets."""

from seqnets.data.captions.caption_set import CaptionSet, image_id
from seqnets.data.captions.pictures import Absent, with_pictures
from seqnets.data.captions.public_sets import PUBLIC_SETS, download
from seqnets.data.captions.reading import read_captions

__all__ = ["PUBLIC_SETS", "Absent", "CaptionSet", "download", "image_id", "read_captions", "with_pictures"]
