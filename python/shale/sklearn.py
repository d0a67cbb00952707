"""The names of :mod:`shale.integrations.sklearn`."""

from shale.integrations.sklearn import ShaleTransformer

__all__ = ["ShaleTransformer"]
