"""What a key gives, and what it must never show."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from curate.keyring import KEY_VARIABLE, Keyring
from manifests.errors import RecipeError

ROOT = Path(__file__).resolve().parents[2]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def key_file(folder: Path, content: str = SECRET, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_without_a_key_the_recipe_gives_a_public_one_that_depends_on_name_and_seed() -> None:
    ring = Keyring.load("demo", 7)
    assert ring.public
    assert ring == Keyring.load("demo", 7)
    ids = {Keyring.load(name, seed).key_id for name, seed in [("demo", 7), ("demo", 8), ("demo2", 7), ("dem", 7)]}
    assert len(ids) == 4


def test_file_and_environment_give_the_same_private_key_and_the_file_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file = Keyring.load("demo", 7, key_file(tmp_path, SECRET + "\n"))
    monkeypatch.setenv(KEY_VARIABLE, SECRET)
    assert Keyring.load("other", 1) == from_file
    assert not from_file.public
    monkeypatch.setenv(KEY_VARIABLE, SECRET[::-1])
    assert Keyring.load("demo", 7, key_file(tmp_path)) == from_file


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o700])
def test_a_key_file_that_others_may_read_is_refused_and_named(tmp_path: Path, mode: int) -> None:
    with pytest.raises(RecipeError, match=f"mode {mode:04o}; run: chmod 600"):
        Keyring.load("demo", 7, key_file(tmp_path, mode=mode))


def test_stricter_modes_are_taken(tmp_path: Path) -> None:
    assert not Keyring.load("demo", 7, key_file(tmp_path, mode=0o400)).public


def test_what_is_not_a_regular_file_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "link").symlink_to(key_file(tmp_path))
    for name in ("fifo", "link", "absent", "."):
        with pytest.raises(RecipeError, match="key file"):
            Keyring.load("demo", 7, tmp_path / name)


def test_short_long_and_empty_keys_are_refused_without_showing_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("fifteen bytes.\n", "", "x" * 5000):
        with pytest.raises(RecipeError, match="bytes; give 16") as caught:
            Keyring.load("demo", 7, key_file(tmp_path, content))
        assert "fifteen bytes." not in str(caught.value)
    for value in ("", "short"):
        monkeypatch.setenv(KEY_VARIABLE, value)
        with pytest.raises(RecipeError, match=KEY_VARIABLE):
            Keyring.load("demo", 7)


def test_the_key_is_in_no_text_form_of_the_keyring(tmp_path: Path) -> None:
    ring = Keyring.load("demo", 7, key_file(tmp_path))
    shown = f"{ring!r} {ring} {[ring]} {ring.key_id} {ring.pseudonym('patient', 'a')}"
    assert SECRET not in shown
    assert SECRET.encode().hex() not in shown
    assert ring.key_id in repr(ring)


def test_a_pickled_keyring_maps_as_before(tmp_path: Path) -> None:
    ring = Keyring.load("demo", 7, key_file(tmp_path))
    again = pickle.loads(pickle.dumps(ring))
    assert again == ring
    assert again.pseudonym("patient", "P1") == ring.pseudonym("patient", "P1")


@pytest.mark.slow
def test_another_process_with_another_hash_seed_maps_the_same() -> None:
    ring = Keyring.load("demo", 7)
    code = (
        "from curate.keyring import Keyring; k = Keyring.load('demo', 7);"
        "print(k.key_id, k.pseudonym('patient', 'P1'), k.uid('1.2.3'), k.shift_days('P1'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "99"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    mine = [ring.key_id, ring.pseudonym("patient", "P1"), ring.uid("1.2.3"), str(ring.shift_days("P1"))]
    assert done.stdout.split() == mine


def test_pseudonyms_are_separated_by_kind_and_blind_to_surrounding_blanks() -> None:
    ring = Keyring.load("demo", 7)
    assert ring.pseudonym("patient", " P1 \0") == ring.pseudonym("patient", "P1")
    pairs = [("patient", "P1"), ("article", "P1"), ("patient", "P2"), ("patient", "p1"), ("patientP", "1")]
    made = {ring.pseudonym(kind, value) for kind, value in pairs}
    assert len(made) == len(pairs)
    assert all(len(p) == 24 and int(p, 16) >= 0 for p in made)


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_keys_never_agree_and_every_text_has_a_pseudonym(kind: str, value: str) -> None:
    one, two = Keyring.load("demo", 7), Keyring.load("demo", 8)
    assert one.pseudonym(kind, value) != two.pseudonym(kind, value)


@pytest.mark.slow
@given(st.from_regex(r"[0-2]\.[0-9]{1,9}(\.[0-9]{1,12}){0,3}", fullmatch=True))
def test_a_mapped_uid_is_valid_stable_and_not_the_original(uid: str) -> None:
    ring = Keyring.load("demo", 7)
    made = ring.uid(uid)
    assert made.startswith("2.25.")
    assert made != uid
    assert len(made) <= 42
    assert 0 <= int(made[5:]) < 2**122
    assert made == ring.uid(f"{uid}\0")


def test_registered_uids_stay_and_an_empty_one_stays_empty() -> None:
    ring = Keyring.load("demo", 7)
    for uid in (CTImageStorage, ExplicitVRLittleEndian, "1.2.840.10008.1.4.1.1", "1.2.840.10008.2.16.4"):
        assert ring.uid(uid) == uid
    assert ring.uid(" ") == ""


def test_date_shifts_lie_in_both_directions_are_never_zero_and_differ() -> None:
    ring = Keyring.load("demo", 7)
    shifts = [ring.shift_days(f"patient {n}") for n in range(20_000)]
    assert 0 not in shifts
    assert min(shifts) == -3650
    assert max(shifts) == 3650
    assert abs(sum(s > 0 for s in shifts) / len(shifts) - 0.5) < 0.02
    assert len(set(shifts[:1000])) >= 900
