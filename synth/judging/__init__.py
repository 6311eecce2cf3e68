"""Whether a draft is worth training on: what one question is sampled for, and the checks that every draft meets.

`config` has every threshold, `routing` samples one question and routes it, `chain` is what `curate.synthesize` asks:
`judged` for the drafts of one record, `planned` for what of it a recipe can run.
"""
