"""Records from records: grounded question answering, teachers, proofs and verifiers."""
