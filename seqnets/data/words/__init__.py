"""Words and other tokens: vocabularies, word vectors, tables of tokens."""
