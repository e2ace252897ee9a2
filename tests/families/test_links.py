"""Links: round trips, derivatives, and the two ways to the mean."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from helpers.dense_lmm import differences

from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.families import (
    Cauchit,
    Cloglog,
    Identity,
    Inverse,
    InverseSquare,
    Link,
    Log,
    Logit,
    Loglog,
    NegativeBinomialCanonical,
    Power,
    Probit,
    Sqrt,
    resolve_link,
)

RANGES = {
    Identity(): (0.3, 0.7),
    Log(): (-3.0, -0.5),
    Logit(): (-4.0, 4.0),
    Probit(): (-4.0, 3.0),
    Cloglog(): (-4.0, 1.2),
    Loglog(): (-1.2, 4.0),
    Cauchit(): (-4.0, 4.0),
    Sqrt(): (0.5, 3.0),
    Inverse(): (0.5, 3.0),
    InverseSquare(): (0.5, 3.0),
    Power(0.3): (0.5, 3.0),
    Power(-1.5): (0.5, 3.0),
    NegativeBinomialCanonical(2.5): (-3.0, -0.5),
}
each = pytest.mark.parametrize("link", RANGES, ids=repr)


def grid(link: Link) -> np.ndarray:
    return np.linspace(*RANGES[link], 17)


def along(function, eta):
    return differences(lambda shift: function(eta + shift[0]), [0.0], 1e-3)[0]


# Truncation of the differences, (h / 0.3)^4 f^(5) / 30: at most 4e-9 of the largest value where f
# is 1 / eta^3 and eta >= 0.3, and less for the others.
BAR = 1e-8


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=BAR * max(1, np.abs(expected).max()))


@each
def test_there_and_back(link):
    eta = grid(link)
    mu = link.inverse(eta)
    assert link.valid(eta).all()
    np.testing.assert_allclose(link(mu), eta, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(link.inverse(link(mu)), mu, rtol=1e-12)


@each
def test_derivatives(link):
    eta = grid(link)
    mu, *slopes = link.inverse_derivatives(eta)
    np.testing.assert_allclose(mu, link.inverse(eta), rtol=1e-14)
    np.testing.assert_allclose(link.derivative(mu) * slopes[0], 1.0, rtol=1e-11)
    for order, slope in enumerate(slopes):
        close(slope, along(lambda x, order=order: link.inverse_derivatives(x)[order], eta))


@each
def test_logarithms_of_the_mean(link):
    eta = grid(link)
    mu = link.inverse(eta)
    if link.positive:
        nu = link.log_mean(eta)
        np.testing.assert_allclose(nu[0], np.log(mu), rtol=1e-13, atol=1e-15)
        for order in range(3):
            close(nu[order + 1], along(lambda x, order=order: link.log_mean(x)[order], eta))
    else:
        with pytest.raises(ArgumentError, match="not one for positive means"):
            link.log_mean(eta)
    if link.probability:
        logs = link.log_probabilities(eta)
        np.testing.assert_allclose(logs[0], np.log(mu), rtol=1e-12)
        np.testing.assert_allclose(logs[4], np.log1p(-mu), rtol=1e-12, atol=1e-15)
        for start in (0, 4):
            for order in range(start, start + 3):
                close(
                    logs[order + 1],
                    along(lambda x, order=order: link.log_probabilities(x)[order], eta),
                )
    else:
        with pytest.raises(ArgumentError, match="not one for probabilities"):
            link.log_probabilities(eta)


@each
def test_means_from_minus_700_to_700(link):
    eta = np.linspace(-700.0, 700.0, 1401)
    eta = eta[link.valid(eta)]
    for part in link.inverse_derivatives(eta):
        assert np.isfinite(part).all()
    assert (link.inverse_derivatives(eta)[1] * np.sign(link.derivative(0.5)) >= 0.0).all()


@pytest.mark.parametrize(
    ("link", "eta", "mu"),
    [
        # exp(-700), Phi(-37), the series of atan(1/700), and 1 - exp(-exp(-700))
        (Logit(), -700.0, 9.859676543759770e-305),
        (Probit(), -37.0, 5.725571222524577e-300),
        (Cauchit(), -700.0, (1 / 700 - 1 / 700**3 / 3) / np.pi),
        (Cloglog(), -700.0, 9.859676543759770e-305),
        (Loglog(), 700.0, 1.0),
        (Log(), -700.0, 9.859676543759770e-305),
    ],
    ids=lambda value: value.name if isinstance(value, Link) else "",
)
def test_small_probabilities_keep_their_digits(link, eta, mu):
    assert float(link.inverse(np.array(eta))) == pytest.approx(mu, rel=1e-12)


def test_ends_of_the_range():
    ends = np.array([0.0, 1.0])
    for link in (Logit(), Probit(), Cloglog(), Loglog(), Cauchit()):
        np.testing.assert_array_equal(link(ends), [-np.inf, np.inf])
        np.testing.assert_array_equal(link.derivative(ends), [np.inf, np.inf])
    assert Log()(0.0) == -np.inf
    assert Inverse()(0.0) == np.inf


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("logit", Logit()),
        (" Probit ", Probit()),
        ("1/mu^2", InverseSquare()),
        ("inverse-square", InverseSquare()),
        ("power(1/3)", Power(1 / 3)),
        ("power( 0.5 )", Power(0.5)),
        ("mu^0.25", Power(0.25)),
        ("power(0)", Log()),
        ("nbcanonical", NegativeBinomialCanonical()),
        (Cloglog, Cloglog()),
    ],
)
def test_names(text, link):
    assert resolve_link(text) == link
    assert hash(resolve_link(text)) == hash(link)
    if isinstance(link, Power):
        assert resolve_link(link.name) == link


def test_what_is_not_a_link():
    with pytest.raises(ArgumentError, match=r"there is no link='logti'.*Did you mean 'logit'"):
        resolve_link("logti")
    with pytest.raises(ArgumentError, match="must be a number or a fraction"):
        resolve_link("power(x)")
    with pytest.raises(ArgumentError, match="must be a number or a fraction"):
        resolve_link("power(1/0)")
    with pytest.raises(ArgumentTypeError, match="must be a name or a Link, got 3"):
        resolve_link(3)
    with pytest.raises(ArgumentError, match="p must be finite and not 0"):
        Power(0.0)
    with pytest.raises(ArgumentTypeError, match="p must be a number"):
        Power("2")
    with pytest.raises(ArgumentError, match="depends on theta"):
        NegativeBinomialCanonical().inverse(np.array([-1.0]))


@each
def test_copies_are_equal(link):
    assert pickle.loads(pickle.dumps(link)) == link
    assert eval(repr(link)) == link
    assert Power(0.5) != Sqrt()
