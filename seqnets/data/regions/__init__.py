"""Pictures with boxes, masks, joints, phrases and label maps: readers, checks, moves and batches."""
