"""Floor 3: one loop trains every task."""
