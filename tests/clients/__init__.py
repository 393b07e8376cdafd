"""The clients that people generate from the document, at work."""
