"""What can go wrong with transforms and models.

TransformError
├── UnknownTransform    no file of that name in the library
├── BrokenTransform     its module cannot be imported, or holds no transform
├── InvalidSettings     the settings do not fit its schema
└── NotPrepared         it could not load or warm what it needs
ModelError
├── UnknownModel        not in the catalogue
├── ModelUnavailable    no store, carrier package or publisher had it
└── ModelRefused        its hash, format or content is not what the catalogue says
"""


class TransformError(Exception):
    """A transform cannot be had; the message says which, and what to do."""


class UnknownTransform(TransformError):
    """No file of that name in the library."""


class BrokenTransform(TransformError):
    """Its module cannot be imported, or holds no transform."""


class InvalidSettings(TransformError):
    """The settings do not fit its schema."""


class NotPrepared(TransformError):
    """It could not load or warm what it needs."""


class ModelError(Exception):
    """A model cannot be had; the message says which, and what to do."""


class UnknownModel(ModelError):
    """Not in the catalogue."""


class ModelUnavailable(ModelError):
    """No store, carrier package or publisher had it."""


class ModelRefused(ModelError):
    """Its hash, format or content is not what the catalogue says."""
