"""fit(): LookupFFN layers in place of a trained model's feed-forward layers."""

from .choice import is_feed_forward
from .trainer import FitError, FitResult, fit

__all__ = ["FitError", "FitResult", "fit", "is_feed_forward"]
