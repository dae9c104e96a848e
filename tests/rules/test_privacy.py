"""Privacy rules: sealing, keys, aliases, spoken references, national numbers."""

from __future__ import annotations

import base64
import random
import unicodedata
import uuid
from collections.abc import Collection, Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.be import bis, nn
from stdnum.iso7064 import mod_37_36

from jalons.privacy.aliases import alias
from jalons.privacy.keys import GONE, Key, Keys, KeysUnavailable
from jalons.privacy.national_number import free_strings, holds_control_character, holds_national_number, is_uuid
from jalons.privacy.references import new_reference, normalise
from jalons.privacy.sealing import Unsealable, derive, new_key, seal, unseal

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY = b"k" * 32


@given(st.binary(max_size=2000), st.text(max_size=50))
def test_what_is_sealed_is_read_again_with_the_key_for_the_event(clear: bytes, event: str) -> None:
    sealed = seal(KEY, clear, event)
    assert unseal(KEY, sealed, event) == clear
    assert seal(KEY, clear, event) != sealed, "two seals differ"
    with pytest.raises(Unsealable):
        unseal(KEY, sealed, event + "x")
    with pytest.raises(Unsealable):
        unseal(new_key(), sealed, event)


@given(st.data())
def test_any_damage_is_noticed(data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(seal(KEY, b"mobilite", "an event")))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unsealable):
        unseal(KEY, base64.b64encode(raw).decode(), "an event")


@pytest.mark.parametrize("text", ["", "AQ==", "not base64!", "é", base64.b64encode(b"\x02" + b"0" * 40).decode()])
def test_what_was_never_sealed_is_unsealable(text: str) -> None:
    with pytest.raises(Unsealable):
        unseal(KEY, text, "an event")


def test_one_secret_gives_a_key_for_each_purpose() -> None:
    assert derive("secret", "aliases") == derive("secret", "aliases")
    assert len({derive("secret", "aliases"), derive("secret", "person keys"), derive("other", "aliases")}) == 3


class Keeper:
    """The service that holds the keys; it records each request."""

    def __init__(self, **kept: Key) -> None:
        self.kept = kept
        self.asked: list[set[str]] = []

    def __call__(self, subjects: Collection[str]) -> Mapping[str, Key]:
        self.asked.append(set(subjects))
        return {subject: self.kept[subject] for subject in subjects if subject in self.kept}


def test_keys_are_asked_for_in_one_batch_and_once() -> None:
    keeper = Keeper(anna=b"a", bela=b"b", cleo=GONE)
    keys = Keys(keeper)
    assert keys.of({"anna", "bela", "cleo"}) == {"anna": b"a", "bela": b"b", "cleo": GONE}
    assert keys.of(["anna", "cleo"]) == {"anna": b"a", "cleo": GONE}
    assert keys.of([]) == {}
    assert keeper.asked == [{"anna", "bela", "cleo"}]


def test_a_key_that_is_gone_is_said_and_one_that_is_missing_is_an_error() -> None:
    keeper = Keeper(anna=b"a", bela=GONE)
    keys = Keys(keeper)
    with pytest.raises(KeysUnavailable):
        keys.of(["anna", "bela", "dora"])
    assert keys.of(["bela"]) == {"bela": GONE}
    keeper.kept["dora"] = b"d"
    assert keys.of(["dora"]) == {"dora": b"d"}, "an error is not cached"


def test_a_destroyed_key_is_forgotten_in_time() -> None:
    keeper = Keeper(anna=b"a")
    brief, long = Keys(keeper, seconds=0), Keys(keeper, seconds=300)
    assert brief.of(["anna"]) == long.of(["anna"])
    keeper.kept["anna"] = GONE
    assert brief.of(["anna"]) == {"anna": GONE}
    assert long.of(["anna"]) == {"anna": b"a"}
    long.forget("anna")
    assert long.of(["anna"]) == {"anna": GONE}


def test_the_cache_is_bounded_and_answers_all_the_same() -> None:
    keeper = Keeper(**{f"p{n}": bytes([n]) for n in range(30)})
    keys = Keys(keeper, most=10)
    for n in range(30):
        assert keys.of([f"p{n}"]) == {f"p{n}": bytes([n])}
    assert keys.of(keeper.kept) == keeper.kept


def test_two_partners_cannot_join_their_files() -> None:
    refs = [str(uuid.uuid4()) for _ in range(200)]
    names = {(ref, partner): alias(b"s" * 32, ref, partner) for ref in refs for partner in ("forem", "trusquin")}
    assert len(set(names.values())) == len(names)
    assert not {str(name) for name in names.values()} & set(refs)
    assert all(name.version == 4 and name.variant == uuid.RFC_4122 for name in names.values()), "formatted as a ref"
    assert names == {key: alias(b"s" * 32, *key) for key in names}, "stable"
    assert alias(b"t" * 32, refs[0], "forem") != names[refs[0], "forem"], "another hub's secret, another name"


references = st.builds(
    lambda kind, drawn, check: f"{kind}-{drawn[:4]}-{drawn[4:]}{check(drawn, ALPHABET)}",
    st.sampled_from("RTP"),
    st.text(ALPHABET, min_size=6, max_size=6),
    st.just(mod_37_36.calc_check_digit),
)


@given(references, st.data())
def test_a_spoken_reference_survives_how_people_type_it(reference: str, data: st.DataObject) -> None:
    code = reference[2:]
    misread = {"0": "Oo0", "1": "IiLl1"}
    typed = "".join(data.draw(st.sampled_from(misread.get(c, c + c.lower()))) for c in code)
    noise = data.draw(st.sampled_from(["", " ", "-", ".", " - "]))
    assert normalise(noise.join(reference[0].lower() + typed)) == reference
    assert normalise(reference) == reference


@pytest.mark.parametrize("kind", ["R", "T", "P"])
def test_a_new_reference_is_one_and_another_each_time(kind: str) -> None:
    drawn = [new_reference(kind) for _ in range(500)]
    assert [normalise(each) for each in drawn] == drawn
    assert len(set(drawn)) == len(drawn)


@given(references, st.integers(0, 6), st.sampled_from(ALPHABET))
def test_any_one_wrong_character_is_caught(reference: str, at: int, wrong: str) -> None:
    code = reference[2:].replace("-", "")
    if code[at] != wrong:
        assert normalise("R" + code[:at] + wrong + code[at + 1 :]) is None


@pytest.mark.parametrize(
    "said", ["", "R", "R-7K4M", "X-7K4M-2QX", "R-7K4M-2QXX", "R-UUUU-UUU", "R-7K4M-2Qß", "7K4M2QX"]
)
def test_what_is_no_reference_is_none(said: str) -> None:
    assert normalise(said) is None


def national_number(year: int, month: int, day: int, counter: int, *, century: int = 1900, months: int = 0) -> str:
    """A number as the register issues it. months: 20 or 40 for a bis number."""
    nine = f"{year:02}{month + months:02}{day:02}{counter:03}"
    return f"{nine}{97 - int(('2' if century == 2000 else '') + nine) % 97:02}"


numbers = st.builds(
    lambda born, counter, months: national_number(
        born[1] % 100, born[2], born[3], counter, century=born[0], months=months
    ),
    st.one_of(
        st.tuples(st.just(1900), st.integers(27, 99), st.integers(1, 12), st.integers(1, 28)),
        st.tuples(st.just(2000), st.integers(0, 25), st.integers(1, 12), st.integers(1, 28)),
    ),
    st.integers(1, 997),
    st.sampled_from([0, 20, 40]),
)


def ways(number: str) -> list[str]:
    """The forms in which people write a number."""
    a, b, c, d, e = number[:2], number[2:4], number[4:6], number[6:9], number[9:]
    return [
        *(number, f"{a}.{b}.{c}-{d}.{e}", f"{a} {b} {c} {d} {e}", f"{a}.{b}.{c} {d} {e}", f"{a}{b}{c}-{d}{e}"),
        *(f"{a}{b}{c}-{d}-{e}", f"{a}/{b}/{c}-{d}.{e}", f"{a}\u00a0{b}\u202f{c}\u2011{d}\u2009{e}"),
        *(f"{a}. {b}. {c} -{d} /{e}", f"{a}:{b}:{c}:{d}:{e}", f"{a}_{b}_{c}__{d}_{e}", f"{a}·{b}·{c}–{d}—{e}"),
        *(f"{number[:2]}.{number[2:5]}.{number[5:8]}.{number[8:]}", " ".join(number), "\u200b".join(number)),
        *(number.translate(FULL_WIDTH), f"{a}.{b}.{c}-{d}.{e}".translate(FULL_WIDTH), number.translate(ARABIC)),
        *(f"{a}\u00ad{b}\u200b{c}\u2060{d}\ufeff{e}", f"{a}\u200b \u200b{b}{c}-{d}{e}", f"({a}){b}/{c}*{d}+{e}"),
    ]


FULL_WIDTH = str.maketrans("0123456789.-", "０１２３４５６７８９．－")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


before = st.text(max_size=20).filter(lambda text: not ends_open(unicodedata.normalize("NFKC", text)[-1:]))
after = st.text(max_size=20).filter(lambda text: not ends_open(unicodedata.normalize("NFKC", text)[:1]))


def ends_open(character: str) -> bool:
    """Whether a character beside a number makes it another one: a digit, or the sign of a telephone number."""
    return character.isdecimal() or character == "+"


@given(numbers, before, after)
def test_a_national_number_is_found_however_it_is_written(number: str, left: str, right: str) -> None:
    assert nn.is_valid(number) or bis.is_valid(number), "the builder makes valid numbers"
    assert all(holds_national_number(left + way + right) for way in ways(number))


@given(numbers, st.integers(0, 10), st.integers(1, 9))
def test_one_digit_off_is_no_national_number(number: str, at: int, by: int) -> None:
    digits = [*number]
    digits[at] = str((int(digits[at]) + by) % 10)
    off = "".join(digits)
    assert holds_national_number(off) == (nn.is_valid(off) or bis.is_valid(off))
    assert not holds_national_number(f"1{number}") and not holds_national_number(f"{number}0"), "twelve digits are none"


@pytest.mark.parametrize("hidden", ["12 85073003328", "le 85.07.30-033.28.", "00 85 07 30 033 28", "D85073003328/2"])
def test_what_stands_before_it_does_not_hide_it(hidden: str) -> None:
    assert holds_national_number(hidden)


@pytest.mark.parametrize(
    "prefix", ["+31 6", "+324", "+3247", "+3249", "+33 6", "+3361", "0032", "+352", "+32 84", "084/"]
)
def test_telephone_numbers_pass(prefix: str) -> None:
    length = 11 if prefix.startswith("+") else 13
    for tail in range(0, 10**5, 7):
        digits = sum(c.isdigit() for c in prefix)
        assert not holds_national_number(prefix + f"{tail * 7919:0{length - digits}d}"[: length - digits])


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-24", "2026-11-24T09:30:00+01:00", "24.11.2026 09:30", "6990 Hotton", "BE 0123.456.749"),
        *("R-7K4M-2QX", "2026-09-01/2027-06-30", "83012, 83013, 83028", "6940, 6941, 6997", "BE68 5390 0754 7034"),
        *(
            "BE68-5390-0754-7034",
            "8:30-12:00 / 13:00-16:30",
            "FR76 3000 6000 0112 3456 7890 189",
            "12, 6990",
            "1-12/2026",
        ),
    ],
)
def test_dates_and_other_numbers_pass(text: str) -> None:
    assert not holds_national_number(text)


def test_what_offices_write_is_hardly_ever_taken_for_one() -> None:
    """Telephone numbers, hours, accounts and identifiers, drawn at random: fewer than one in 2 000 is refused."""
    drawn = random.Random(13)

    def digits(count: int) -> str:
        return "".join(str(drawn.randrange(10)) for _ in range(count))

    def hours() -> str:
        times = [f"{drawn.randrange(7, 20)}:{drawn.choice(['00', '15', '30', '45'])}" for _ in range(4)]
        return f"{times[0]}-{times[1]}, {times[2]}-{times[3]}"

    kinds = {
        "fixed": lambda: f"084/{digits(2)}.{digits(2)}.{digits(2)}",
        "mobile": lambda: f"04{digits(2)}/{digits(2)}.{digits(2)}.{digits(2)}",
        "abroad": lambda: f"+32 4{digits(2)} {digits(2)} {digits(2)} {digits(2)}",
        "two": lambda: f"084/{digits(2)}.{digits(2)}.{digits(2)} ou 04{digits(2)}/{digits(6)}",
        "hours": hours,
        "account": lambda: f"BE{digits(2)} {digits(4)} {digits(4)} {digits(4)}",
        "enterprise": lambda: f"0{digits(3)}.{digits(3)}.{digits(3)}",
        "ids": lambda: f"import-{uuid.UUID(int=drawn.getrandbits(128), version=4)}-{digits(2)}",
    }
    for kind, make in kinds.items():
        taken = sum(holds_national_number(make()) for _ in range(20_000))
        assert taken <= 10, kind


def test_a_uuid_field_is_never_taken_for_one() -> None:
    ids = [uuid.uuid4() for _ in range(50_000)]
    assert not any(map(holds_national_number, free_strings({"ids": ids, "n": 85073003328})))
    assert all(is_uuid(str(each)) for each in ids[:100])
    assert not any(map(is_uuid, ["85073003328".ljust(36, "-"), "85073003328" + "a" * 21, "{" + str(ids[0]) + "}"]))
    number = UUID("85073003-3280-4000-8000-000000000000")
    assert is_uuid(str(number)) and not list(free_strings(number))


def test_every_string_of_a_body_is_looked_at() -> None:
    body = {"a": ["b", {"c": ("d", {"e"})}], "f": {"g": b"h"}, "i": 1, "j": None}
    assert set(free_strings(body)) == set("abcdefghij")
    deep: object = "at the bottom"
    for _ in range(100_000):
        deep = [deep]
    assert list(free_strings(deep)) == ["at the bottom"]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_what_a_keyboard_types_is_let_through(text: str) -> None:
    assert not holds_control_character(text)


@given(st.text(), st.characters(categories=["Cc", "Cs", "Zl", "Zp"]), st.text())
def test_a_control_character_is_seen_anywhere(left: str, control: str, right: str) -> None:
    assert holds_control_character(left + control + right)
