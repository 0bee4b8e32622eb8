"""Value classes: the standard library's frozen dataclasses, made in a fraction of the time.

`dataclasses` writes and compiles six methods for every frozen class. A worker has sixty such
classes, and that was a quarter of its cold start; here all of them share the six.
"""

from __future__ import annotations

import dataclasses
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - to type checkers it is no other
else:

    def dataclass(cls: Any = None, /, *, frozen: bool = False, **options: bool) -> Any:
        """Make `cls` a dataclass; one that is frozen shares its methods with the others."""

        def make(cls: Any) -> Any:
            if not frozen or any(hasattr(base, "__dataclass_params__") for base in cls.__bases__):
                return dataclasses.dataclass(frozen=frozen, **options)(cls)
            own = {name: method for name, method in _SHARED.items() if name not in vars(cls)}
            dataclasses.dataclass(init=False, repr=False, eq=False, **options)(cls)
            cls.__dataclass_params__.frozen = True
            cls.__dataclass_params__.eq = True
            for name, method in own.items():
                setattr(cls, name, method)
            cls._shape = _Shape(cls)
            return cls

        return make if cls is None else make(cls)


class _Shape:
    """What the shared methods know of a class."""

    def __init__(self, cls: Any) -> None:
        fields = dataclasses.fields(cls)
        self.names = [field.name for field in fields]
        self.positional = [field.name for field in fields if not field.kw_only]
        self.defaults = {
            field.name: field.default
            for field in fields
            if field.default is not dataclasses.MISSING
        }
        self.factories = {
            field.name: field.default_factory
            for field in fields
            if field.default_factory is not dataclasses.MISSING
        }
        self.shown = [field.name for field in fields if field.repr]
        compared = [field.name for field in fields if field.compare]
        self.compared: Any = itemgetter(*compared) if compared else lambda _: ()
        self.prepares = hasattr(cls, "__post_init__")


def _init(self: Any, /, *args: Any, **given: Any) -> None:
    cls = type(self)
    shape = cls._shape
    if args:
        if len(args) > len(shape.positional):
            allowed = len(shape.positional)
            message = f"{cls.__name__}() takes {allowed} positional arguments, not {len(args)}"
            raise TypeError(message)
        for name, value in zip(shape.positional, args, strict=False):
            if given.setdefault(name, value) is not value:
                message = f"{cls.__name__}() got multiple values for {name!r}"
                raise TypeError(message)
    values = vars(self)
    values.update(shape.defaults)
    values.update(given)
    if len(values) != len(shape.names) or not values.keys() <= cls.__dataclass_fields__.keys():
        for name, factory in shape.factories.items():
            if name not in values:
                values[name] = factory()
        if (wrong := values.keys() - set(shape.names)) or (
            wrong := set(shape.names) - values.keys()
        ):
            how = "got unexpected" if wrong & given.keys() else "is missing"
            message = f"{cls.__name__}() {how} arguments: {', '.join(sorted(wrong))}"
            raise TypeError(message)
    if shape.prepares:
        self.__post_init__()


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shape.shown)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = self._shape.compared
    return compared(vars(self)) == compared(vars(other))


def _hash(self: Any) -> int:
    return hash(self._shape.compared(vars(self)))


def _setattr(self: Any, name: str, value: object) -> None:  # noqa: ARG001 - the protocol
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:  # noqa: ARG001 - the protocol
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
}
