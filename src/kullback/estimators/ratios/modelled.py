"""What methods share that take the model of the ratio as an object: the model, and how many folds it is crossed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from kullback.errors import DTypeError
from kullback.estimators.ratios.crossfit import check_folds
from kullback.estimators.ratios.logistic import Logistic
from kullback.estimators.ratios.model import RatioModel


@dataclass(frozen=True)
class Modelled:
    """A model of the ratio, the logistic one unless given, and the number of folds."""

    model: RatioModel | None = None
    folds: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        check_folds(self.folds)
        if self.model is not None and not isinstance(self.model, RatioModel):
            raise DTypeError(
                f"model is {self.model!r}; expected a ratio such as ClassifierRatio() or ULSIF(), or None"
            )

    @property
    def used(self) -> RatioModel:
        """The model of the ratio."""
        return Logistic() if self.model is None else self.model
