"""The texts that visitors of the page read, a file a language."""
