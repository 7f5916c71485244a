"""What all entries of params.yaml share: strict fields, errors, names, unions by kind."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function, tagged_union_schema

from gmgan.errors import unknown_name
from gmgan.plugins import is_plugin

_LONGEST_VALUE = 100  # characters of a wrong value that an error shows

Location = tuple[int | str, ...]  # keys and positions, from an entry downwards


def describe(error: ErrorDetails) -> str:
    """What one of pydantic's errors says: what is wrong, then the value that was given."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    value = error["input"]
    if error["type"] in ("mistake", "missing") or isinstance(value, (dict, BaseModel)):
        return error["msg"]
    shown = repr(value)
    if len(shown) > _LONGEST_VALUE:
        shown = shown[:_LONGEST_VALUE] + "..."
    return f"{error['msg']} (got {shown})"


def mistakes(lines: Iterable[tuple[Location, str]]) -> ValidationError:
    """An error with several lines: where each mistake is, seen from the entry, and its text."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("mistake", "{text}", {"text": text}), loc=place, input=None
        )
        for place, text in lines
    ]
    return ValidationError.from_exception_data("params.yaml", details)


class Strict(BaseModel):
    """Unknown keys are errors and values never change. A single value is a list of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def known_keys(cls) -> list[str]:
        """The keys that an entry may have."""
        return list(cls.model_fields)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, entry: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(entry, dict):
            lists = {k for k, f in cls.model_fields.items() if get_origin(f.annotation) is list}
            single = {
                key: [entry[key]]
                for key in lists & entry.keys()
                if entry[key] is not None and not isinstance(entry[key], (list, tuple))
            }
            entry = {**entry, **single}
        try:
            return handler(entry)
        except ValidationError as error:
            raise mistakes((e["loc"], cls._describe(e)) for e in error.errors()) from None

    @classmethod
    def _describe(cls, error: ErrorDetails) -> str:
        if error["type"] == "extra_forbidden":
            return unknown_name("key", str(error["loc"][-1]), cls.known_keys())
        return describe(error)


def check_kind(kind: str, known: Iterable[str], plugins: bool = True) -> str:
    """Give back a kind that is known or a plug-in's name; raises ValueError for any other."""
    if kind in known or (plugins and is_plugin(kind)):
        return kind
    own = ", or module:attribute for one of your own" if plugins else ""
    raise ValueError(unknown_name("kind", kind, known) + own)


def _plugin_name(kind: str) -> str:
    return check_kind(kind, ())


PluginName = Annotated[str, AfterValidator(_plugin_name)]


class ByKind:
    """Annotation of a union of entries: `kind` chooses the class that lists it.

    module:attribute chooses the class whose `kind` is no Literal, if there is one. A string is an
    entry that has a kind and nothing else.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        tags: dict[str, str] = {}  # kind -> tag
        plugin = None
        for entry in get_args(source):
            kinds = entry.model_fields["kind"].annotation
            if get_origin(kinds) is Literal:
                tags |= dict.fromkeys(get_args(kinds), _tag(entry))
            else:
                plugin = _tag(entry)

        def check(entry: Any) -> Any:
            if isinstance(entry, BaseModel):
                return entry
            if isinstance(entry, str):
                entry = {"kind": entry}
            if not isinstance(entry, dict) or "kind" not in entry:
                raise ValueError(f"expected an entry with kind, one of {', '.join(sorted(tags))}")
            try:
                check_kind(str(entry["kind"]), tags, plugins=plugin is not None)
            except ValueError as error:
                raise mistakes([(("kind",), str(error))]) from None
            return entry

        def choose(entry: Any) -> str | None:
            kind = entry["kind"] if isinstance(entry, dict) else getattr(entry, "kind", None)
            return tags.get(str(kind), plugin)

        choices = {_tag(entry): handler.generate_schema(entry) for entry in get_args(source)}
        return no_info_before_validator_function(check, tagged_union_schema(choices, choose))


def _tag(entry: type) -> str:
    """The tag of a class in a union; no key of params.yaml looks like it."""
    return f"<{entry.__name__}>"


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


def section_of(raw: Any, section: str) -> Mapping[str, Any]:
    """The entries of a section in the file's content; empty if it has none."""
    entries = raw.get(section) if isinstance(raw, dict) else None
    return entries if isinstance(entries, dict) else {}
