"""Formulas of parameters against families: which predictors there are, and what is refused."""

import pytest

from interlace.errors import ArgumentError
from interlace.families import (
    Gamma,
    Gaussian,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
    ZeroInflated,
)
from interlace.models.predictors import predictors_of


@pytest.mark.parametrize("arguments", [{}, {"ziformula": None}, {"ziformula": "~ 0"}])
def test_without_formulas_nothing_changes(arguments):
    family = Poisson()
    assert predictors_of(family, {"formula": "y ~ x", **arguments}) == (family, None)
    assert predictors_of(family, {"ziformula": "~-1", "dispformula": "~1"}) == (family, None)


def test_zeros_are_added_to_a_family_that_has_none_of_its_own():
    made, formulas = predictors_of(Poisson(), {"ziformula": "~ x"})
    assert made == ZeroInflated(Poisson()) and formulas == {"zi": "~ x"}
    made, formulas = predictors_of(Poisson(), {"ziformula": "~ 1"})
    assert made == ZeroInflated(Poisson()) and formulas is None
    hurdle, _ = predictors_of(Gamma(link="log"), {"ziformula": "~ x"})
    assert hurdle.name == "hurdle gamma"
    own = ZeroInflated(NegativeBinomial())
    assert predictors_of(own, {"ziformula": "~ x"})[0] is own


def test_formulas_come_in_the_order_of_the_family_with_none_for_one_number():
    made, formulas = predictors_of(NegativeBinomial1(), {"ziformula": "~ z", "dispformula": "~ x"})
    assert list(formulas.items()) == [("dispersion", "~ x"), ("zi", "~ z")]
    assert made.predictor_names == ("mean", *formulas)
    _, formulas = predictors_of(NegativeBinomial(), {"ziformula": "~ z"})
    assert formulas == {"dispersion": None, "zi": "~ z"}
    assert predictors_of(Gaussian(), {"dispformula": "~ x"})[1] == {"dispersion": "~ x"}


@pytest.mark.parametrize(
    ("family", "arguments", "words"),
    [
        (Poisson(), {"dispformula": "~ x"}, "dispformula= models the dispersion.*'poisson'.*none"),
        (NegativeBinomial(theta=2.0), {"dispformula": "~ x"}, "does not estimate"),
        (NegativeBinomial(), {"shapeformula": "~ 1"}, "shapeformula= models a shape.*theta"),
        (NegativeBinomial(), {"zoiformula": "~ 1"}, "zoiformula= .*zero or one"),
        (Gaussian(), {"ziformula": "~ x"}, "ziformula='~ x': .*not negative"),
        (ZeroInflated(Poisson()), {"ziformula": "~0"}, "no structural zeros, which the family"),
        (ZeroInflated(Poisson(), zi=0.2), {"ziformula": "~ x"}, "does not estimate"),
    ],
)
def test_what_a_family_does_not_have_is_refused(family, arguments, words):
    with pytest.raises(ArgumentError, match=words):
        predictors_of(family, arguments)
