"""Models that read whole sequences: text classifier, tagger, translator, visual question answering."""
