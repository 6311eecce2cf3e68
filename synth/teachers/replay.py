"""No engine: a run from the request ledger alone."""

from __future__ import annotations

from manifests.errors import TeacherError
from synth.chat import Reply, Request
from synth.teacher_config import ReplayConfig


class ReplayTeacher:
    """Never answers: with it, a request that the ledger does not hold is an error, not a call."""

    def __init__(self, config: ReplayConfig) -> None:
        self.model = config.model
        self.revision = config.revision
        self.in_flight, self.sees, self.context = 1, config.sees, 0

    def count(self, request: Request) -> int:
        """Nothing is refused here for its length: what was refused stands in the ledger."""
        return 0

    def ask(self, request: Request) -> Reply:
        raise TeacherError("not_in_ledger", f"a request of {request.prompt_id} that was never answered")

    def close(self) -> None:
        """Nothing is open."""
