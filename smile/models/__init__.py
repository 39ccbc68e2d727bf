"""The black boxes that are run: editors, embedders, the segmenter, where their weights come from, and the cache of edits."""
