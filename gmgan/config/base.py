"""What all entries of params.yaml share: strict fields, bounds, errors, names, unions by kind."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import (
    no_info_wrap_validator_function,
    with_info_plain_validator_function,
)

from gmgan.errors import shortened, unknown_name
from gmgan.plugins import is_plugin

_LONGEST_VALUE = 100  # characters of a wrong value that an error shows

Location = tuple[int | str, ...]  # keys and positions, from an entry downwards
UNKNOWN = "unknown_key"  # the type of errors about keys that do not exist; others are a "mistake"


def _text(error: ErrorDetails, known_keys: list[str]) -> str:
    """What one of pydantic's errors says: what is wrong, then the value that was given."""
    if error["type"] == "extra_forbidden":
        return unknown_name("key", str(error["loc"][-1]), known_keys)
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    value = error["input"]
    if error["type"] in ("mistake", UNKNOWN, "missing") or isinstance(value, (dict, BaseModel)):
        return error["msg"]
    more = "..." if len(repr(value)) > _LONGEST_VALUE else ""
    return f"{error['msg']} (got {repr(value)[:_LONGEST_VALUE]}{more})"


def mistakes(lines: Iterable[tuple[Location, str] | tuple[Location, str, str]]) -> ValidationError:
    """An error with several lines: where each mistake is, seen from the entry, and its text.

    A third part is the type of the error: UNKNOWN for an unknown key.
    """

    def details(place: Location, text: str, kind: str = "mistake") -> InitErrorDetails:
        kind = UNKNOWN if kind in (UNKNOWN, "extra_forbidden") else "mistake"
        error = PydanticCustomError(kind, "{text}", {"text": text})
        return InitErrorDetails(type=error, loc=place, input=None)

    return ValidationError.from_exception_data("params.yaml", [details(*line) for line in lines])


class Strict(BaseModel):
    """Unknown keys are errors, numbers are finite, and values never change.

    A single value is a list of one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def known_keys(cls) -> list[str]:
        """The keys that an entry may have."""
        return list(cls.model_fields)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, entry: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(entry, dict):
            lists = [k for k, f in cls.model_fields.items() if get_origin(f.annotation) is list]
            single = [k for k in lists if not isinstance(entry.get(k), (list, tuple, NoneType))]
            entry = {**entry, **{key: [entry[key]] for key in single}}
        try:
            return handler(entry)
        except ValidationError as error:
            known = cls.known_keys()
            raise mistakes((e["loc"], _text(e, known), e["type"]) for e in error.errors()) from None


@dataclass(frozen=True)
class AtMost:
    """Annotation of a number: not above `most`, and no boolean; errors give the reason."""

    most: int
    reason: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def check(given: Any, validate: Callable[[Any], Any]) -> Any:
            if isinstance(given, bool):
                raise ValueError(f"Input should be a number (got {given})")
            value = validate(given)
            if value > self.most:
                shown = shortened(str(given), _LONGEST_VALUE)
                raise ValueError(f"at most {self.most:,}: {self.reason} (got {shown})")
            return value

        return no_info_wrap_validator_function(check, handler(source))


def _distinct(values: list[Any]) -> list[Any]:
    seen: set[str] = set()
    for text in map(repr, values):
        if text in seen:
            raise ValueError(f"{shortened(text, _LONGEST_VALUE)} is given twice; keep one")
        seen.add(text)
    return values


def _title(title: str) -> str:
    if not title.strip() or not title.isprintable():
        raise ValueError("a title is one line of text")
    return title


Distinct = AfterValidator(_distinct)  # annotation of a list
Title = Annotated[str, Field(max_length=200), AfterValidator(_title)]
Whole = Annotated[PositiveInt, Field(strict=True)]  # '7' is a text
# Numbers of params.yaml. The bounds are ours: far above common values, below what would fill the
# memory or take years.
Samples = Annotated[Whole, AtMost(10_000_000, "so many samples do not fit into memory")]
Width = Annotated[Whole, AtMost(16_384, "a layer of this width does not fit into memory")]
Groups = Annotated[Whole, AtMost(10_000, "every component or class needs samples of its own")]
Pixels = Annotated[Whole, AtMost(1024, "the networks are made for small images")]
Times = Annotated[Whole, AtMost(100_000, "more takes too long and changes little")]
Batch = Annotated[Whole, AtMost(65_536, "a batch must fit into memory")]
Kimg = Annotated[PositiveFloat, AtMost(10_000_000, "that takes years")]
Rate = Annotated[PositiveFloat, AtMost(10, "Adam moves each weight by about the rate in a step")]
Scale = Annotated[PositiveFloat, AtMost(1_000_000, "float32 has seven digits")]


@dataclass(frozen=True)
class Neutral:
    """Annotation of an option, `x: Annotated[int, Neutral(1)] = 1`: at this value, as in JSON, it
    does what was done before it existed, and is left out of fingerprints.

    So a new option trains nothing again. A neutral value never changes (tests/test_neutral.py).
    """

    value: Any


@cache
def neutral_values(entry: type) -> dict[str, Any]:
    """{field: neutral value} of the options of a class of settings that have one."""
    hints = get_type_hints(entry, include_extras=True)
    marks = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: mark.value for name in marks for mark in marks[name] if isinstance(mark, Neutral)}


def hashed(settings: Any) -> Any:
    """What fingerprints cover of settings, as JSON: all but the options at their neutral value."""
    entry: Any = type(settings)
    if isinstance(settings, BaseModel) or is_dataclass(settings):
        neutral = neutral_values(entry)
        fields = entry.model_fields if issubclass(entry, BaseModel) else entry.__dataclass_fields__
        content = {name: hashed(getattr(settings, name)) for name in fields}
        kept = (name for name in content if name not in neutral or content[name] != neutral[name])
        return {name: content[name] for name in kept}
    if isinstance(settings, dict):
        return {name: hashed(value) for name, value in settings.items()}
    return [hashed(each) for each in settings] if isinstance(settings, (list, tuple)) else settings


def derived(settings: Any) -> list[Any]:
    """The values of all properties and constants of settings, of those in their fields too.

    Code of this package computes them that is in no fingerprint; so their values are.
    """
    if isinstance(settings, Strict):
        names = _derived_names(type(settings))
        own = [{name: getattr(settings, name) for name in names}] if names else []
        fields = {name: getattr(settings, name) for name in type(settings).model_fields}
        for name, neutral in neutral_values(type(settings)).items():
            if hashed(fields[name]) == neutral:
                del fields[name]
        return own + derived(list(fields.values()))
    if isinstance(settings, dict):
        settings = list(settings.values())
    return [e for each in settings for e in derived(each)] if isinstance(settings, list) else []


@cache
def _derived_names(entry: type[Strict]) -> list[str]:
    own = [each for each in entry.__mro__ if issubclass(each, Strict) and each is not Strict]
    values = {name: value for each in own for name, value in vars(each).items()}
    constants = entry.__class_vars__
    return sorted(n for n, value in values.items() if isinstance(value, property) or n in constants)


def check_kind(kind: str, known: Iterable[str], plugins: bool = True) -> str:
    """Give back a kind that is known or a plug-in's name; raises ValueError for any other."""
    if kind in known or (plugins and is_plugin(kind)):
        return kind
    own = ", or module:attribute for one of your own" if plugins else ""
    raise ValueError(unknown_name("kind", kind, known) + own)


PluginName = Annotated[str, AfterValidator(lambda kind: check_kind(kind, ()))]


class ByKind:
    """Annotation of a union of entries: `kind` chooses the class that lists it.

    module:attribute chooses the class whose `kind` is no Literal, if there is one. A string is an
    entry that has a kind and nothing else.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        built_in: dict[str, type[BaseModel]] = {}
        plugin: type[BaseModel] | None = None
        for entry in get_args(source):
            kinds = get_args(entry.model_fields["kind"].annotation)
            built_in |= dict.fromkeys(kinds, entry)
            plugin = plugin if kinds else entry

        def read(entry: Any, info: ValidationInfo) -> BaseModel:
            if isinstance(entry, get_args(source)):
                return entry
            if isinstance(entry, str):
                entry = {"kind": entry}
            if not isinstance(entry, dict) or "kind" not in entry:
                known = ", ".join(sorted(built_in))
                raise ValueError(f"expected an entry with kind, one of {known}")
            try:
                kind = check_kind(str(entry["kind"]), built_in, plugins=plugin is not None)
            except ValueError as error:
                raise mistakes([(("kind",), str(error))]) from None
            chosen = built_in.get(kind) or plugin
            assert chosen is not None  # check_kind refuses a kind that has no class
            return chosen.model_validate(entry, context=info.context)

        return with_info_plain_validator_function(read)


def one_of(section: str) -> AfterValidator:
    """Annotation of a name that must be an entry of a section, if the section's entries are known.

    They are known from the context of the validation: the content of the file.
    """

    def check(name: str, info: ValidationInfo) -> str:
        known = section_of(info.context, section)
        if known and name not in known:
            raise ValueError(unknown_name(section.removesuffix("s"), name, map(str, known)))
        return name

    return AfterValidator(check)


def section_of(raw: Any, section: str | None) -> Mapping[str, Any]:
    """The entries of a section in the file's content; empty if it has none."""
    entries = raw.get(section) if isinstance(raw, dict) else None
    return entries if isinstance(entries, dict) else {}
