"""One upstream per file: its layout, its quirks, one pure row function."""
