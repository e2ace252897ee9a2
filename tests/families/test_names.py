"""What may be passed as family=, and what is said of the rest."""

from __future__ import annotations

import pickle

import pytest

from interlace import families
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import (
    Binomial,
    Gamma,
    GammaFamily,
    Gaussian,
    InverseGaussian,
    Logit,
    NegativeBinomial,
    NegativeBinomial2Family,
    NegativeBinomialCanonical,
    Poisson,
    Power,
    resolve,
)
from interlace.families.names import FAMILIES

# What the representations of families are written in.
NAMES = {
    kind.__name__: kind
    for kind in (Binomial, Gamma, Gaussian, InverseGaussian, NegativeBinomial, Poisson)
}
NAMES |= {kind.__name__: kind for kind in (Power, NegativeBinomialCanonical)}


@pytest.mark.parametrize(
    ("given", "family"),
    [
        ("binomial", Binomial()),
        ("Bernoulli", Binomial()),
        ("poisson", Poisson()),
        ("gaussian", Gaussian()),
        ("normal", Gaussian()),
        ("Gamma", Gamma("inverse")),
        ("inverse.gaussian", InverseGaussian("1/mu^2")),
        ("inverse_gaussian", InverseGaussian()),
        ("nbinom2", NegativeBinomial()),
        ("negative_binomial", NegativeBinomial()),
        ("Negative Binomial", NegativeBinomial()),
        ("negativebinomial", NegativeBinomial()),
        ("binomial(probit)", Binomial("probit")),
        ('Gamma(link = "log")', Gamma("log")),
        ("Gamma(link='1/mu^2')", Gamma("inverse_square")),
        (Poisson, Poisson()),
        (Binomial("cauchit"), Binomial("cauchit")),
    ],
)
def test_names(given, family):
    assert resolve(given) == family
    assert resolve(family) is family


@pytest.mark.parametrize(
    ("given", "family"),
    [
        ("nbinom1", families.NegativeBinomial1()),
        ("negativebinomial1", families.NegativeBinomial1()),
        ("beta_family", families.Beta()),
        ("beta(probit)", families.Beta(link="probit")),
        ("betabinomial", families.BetaBinomial()),
        ("genpois", families.GeneralisedPoisson()),
        ("compois", families.ConwayMaxwellPoisson()),
        ("tweedie", families.Tweedie()),
        ("t_family", families.StudentT()),
        ("student_t", families.StudentT()),
        ("skewnormal", families.SkewNormal()),
        ("lognormal", families.LogNormal()),
        ("ordbeta", families.OrderedBeta()),
        ("zerooneinflated_beta", families.ZeroOneInflatedBeta()),
        ("bell", families.Bell()),
        ("ziGamma", Gamma("log")),
        ("truncated_poisson", families.TruncatedPoisson()),
        ("truncated_nbinom2", families.TruncatedNegativeBinomial()),
        ("truncated_nbinom1", families.TruncatedNegativeBinomial1()),
        ("hurdle_poisson", families.HurdlePoissonFamily()),
        ("hurdle gamma", families.Hurdle(Gamma())),
        ("zero-inflated poisson", families.ZeroInflatedPoissonFamily()),
        ("zeroinflated_negativebinomial", families.ZeroInflatedNB2Family()),
        ("zero_inflated_nbinom1", families.ZeroInflated(families.NegativeBinomial1())),
        ("zeroinflated_poisson(sqrt)", families.ZeroInflated(Poisson("sqrt"))),
        (families.HurdlePoissonFamily, families.Hurdle(Poisson())),
        (families.Beta, families.Beta()),
    ],
)
def test_names_of_families_with_parameters(given, family):
    assert resolve(given) == family
    assert pickle.loads(pickle.dumps(family)) == family
    assert eval(repr(family), vars(families)) == family


def test_every_family_is_found_by_its_name():
    for kind in (*FAMILIES.values(),):
        assert resolve(kind.name) == kind()


def test_link_beside_the_family():
    assert resolve("gamma", link="log") == Gamma("log")
    assert resolve(Gamma, link="log") == Gamma("log")
    assert resolve(Gamma(shape=2.0), link="log") == Gamma("log", shape=2.0)
    assert resolve("poisson", link=Power(0.4)).link == Power(0.4)
    assert resolve("binomial", link=Logit) == Binomial()


def test_names_from_elsewhere():
    assert NegativeBinomial2Family is NegativeBinomial
    assert GammaFamily() == Gamma("log") and hash(GammaFamily()) == hash(Gamma("log"))
    assert GammaFamily(shape=2.0) == Gamma("log", 2.0)
    assert resolve(GammaFamily) == Gamma("log")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("binomal", r"there is no family='binomal'; families are .*Did you mean 'binomial'"),
        ("quasibinomial", "no likelihood.*'binomial', with a random effect for each observation"),
        ("quasipoisson", "no likelihood.*'negativebinomial'"),
        ("binomial(prbit)", "Did you mean 'probit'"),
        ("poisson(logit)", r"'poisson' does not go with link='logit'; links that do: .*power\(p\)"),
    ],
)
def test_names_that_are_none(given, text):
    with pytest.raises(ArgumentError, match=text):
        resolve(given)


@pytest.mark.parametrize("given", [None, 3, object(), len])
def test_what_no_family_can_be_made_of(given):
    with pytest.raises(ArgumentTypeError, match=r"family must be one of the names gaussian, .*got"):
        resolve(given)


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (Binomial, "inverse"),
        (Binomial, "power(2)"),
        (Poisson, "probit"),
        (Poisson, "nbcanonical"),
        (Gamma, "cloglog"),
        (InverseGaussian, "logit"),
        (Gaussian, "cauchit"),
        (NegativeBinomial, "loglog"),
    ],
)
def test_links_that_make_no_sense(kind, link):
    with pytest.raises(ArgumentError, match="links that do: "):
        kind(link=link)


def test_copies_are_equal(family):
    copy = pickle.loads(pickle.dumps(family))
    assert copy == family and hash(copy) == hash(family)
    assert copy.parameters == family.parameters
    assert eval(repr(family), NAMES) == family


def test_different_families_differ():
    different = [Gamma(), Gamma("log"), Gamma(shape=1.0), Poisson(), NegativeBinomial(), "gamma"]
    for i, one in enumerate(different):
        for other in different[i + 1 :]:
            assert one != other
