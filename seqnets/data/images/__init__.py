"""Pictures: files, folders and labeled sets; decoding, cropping, augmentation and reading ahead."""
