"""fit(): LookupFFN layers in place of a trained model's feed-forward layers."""

from .trainer import FitError, FitResult, fit

__all__ = ["FitError", "FitResult", "fit"]
