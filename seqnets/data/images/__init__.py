"""Pictures: files, folders and labeled sets; how they are decoded, cut, varied and read ahead."""
