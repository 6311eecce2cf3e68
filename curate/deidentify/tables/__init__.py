"""Facts of standards as data files with a version, and the small programs that regenerate and load them."""
