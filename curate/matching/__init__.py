"""Which records show the same: hashes propose pairs (`recall`), pixels decide (`confirm`); two stages of a run."""
