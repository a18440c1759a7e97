"""Models that read whole sequences: text classifier, labeller, translator, visual question answering."""
