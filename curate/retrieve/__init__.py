"""Passages found for a question: an exact lexical retriever over the kept training texts of a run (`stages`)."""
