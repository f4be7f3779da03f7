"""Models on disk: our layout, published layouts, other tools."""
