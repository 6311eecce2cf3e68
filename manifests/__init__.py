"""The datum, the recipe parts and the manifest: what is asked and what was made. Imports nothing of ours."""
