"""Names that results do not have: the error says which there are, and what to write."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.lookups import ByGroup, VarianceTable


@pytest.fixture(scope="module")
def m():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


@pytest.mark.parametrize("key", ["308", 308])
@pytest.mark.parametrize(
    ("of", "source"),
    [
        (lambda m: m.random_effects, "m.random_effects"),
        (lambda m: m.ranef(), "m.random_effects"),
        (lambda m: m.random_effects_se, "m.random_effects_se"),
        (lambda m: m.random_effects_ci(), "m.random_effects_ci()"),
        (lambda m: m.coef(), "m.coef()"),
    ],
)
def test_a_level_in_place_of_its_factor(m, of, source, key):
    # the label that is there, whichever type the key has, and what is advised works
    with pytest.raises(KeyError) as caught:
        of(m)[key]
    text = str(caught.value)
    assert isinstance(caught.value, il.UnknownNameError)
    assert f"{source} has no {key!r}, only 'Subject'." in text
    written = text.split("It is a level: ")[1]
    assert written == f"{source}['Subject'].loc['308']"
    assert len(eval(written, {"m": m})) >= 2


def test_integer_labels_are_written_as_integers():
    frame = il.load_dataset("sleepstudy")
    frame = pd.DataFrame(frame).assign(Subject=frame["Subject"].astype(str).astype(int))
    m = il.fit("Reaction ~ Days + (1 | Subject)", frame)
    with pytest.raises(KeyError, match=r"m\.random_effects\['Subject'\]\.loc\[308\]"):
        m.random_effects["308"]


@pytest.mark.parametrize(
    ("of", "key", "words"),
    [
        (lambda m: m.random_effects, "subject", "Did you mean 'Subject'?"),
        (lambda m: m.random_effects, "Days", "It is a column: m.random_effects['Subject']['Days']"),
        (lambda m: m.variance_components, "Subjcet", "Did you mean 'Subject'?"),
        (lambda m: m.ngroups, "subject", "Did you mean 'Subject'?"),
        (lambda m: m.ngroups, None, "m.ngroups has no None, only 'Subject'."),
        (lambda m: m.VarCorr(), "Subject", "m.variance_components['Subject']"),
        (lambda m: m.VarCorr(), "Residual", """query("group == 'Residual'")"""),
        (lambda m: m.VarCorr(), "subject", "in the column 'group'. Did you mean 'Subject'?"),
        (lambda m: m.VarCorr(), "sd", "has no 'sd', only 'group', 'term1', 'term2', 'variance'"),
        (lambda m: m.VarCorr(), "varianse", "Did you mean 'variance'?"),
    ],
)
def test_what_is_said(m, of, key, words):
    with pytest.raises(KeyError) as caught:
        of(m)[key]
    assert words in str(caught.value)


def test_they_are_dicts_and_frames_otherwise(m):
    effects = m.random_effects
    assert isinstance(effects, dict) and list(effects) == ["Subject"]
    assert "308" not in effects and effects.get("308") is None
    for other in (pickle.loads(pickle.dumps(effects)), copy.deepcopy(effects), copy.copy(effects)):
        assert type(other) is ByGroup and other.source == effects.source
        pd.testing.assert_frame_equal(other["Subject"], effects["Subject"])
    assert m.ngroups == {"Subject": 18}
    table = m.VarCorr()
    assert type(table.query("group == 'Subject'")) is pd.DataFrame
    assert type(table[["group", "variance"]]) is pd.DataFrame
    assert type(pickle.loads(pickle.dumps(table))) is VarianceTable
    with pytest.raises(KeyError):
        table[["group", "sd"]]
    intercept = m.variance_components["Subject"].iloc[0, 0]
    np.testing.assert_allclose(table["variance"].iloc[0], intercept)


def test_other_linear_predictors_say_whose_they_are():
    data = il.load_dataset("Salamanders")
    z = il.glmer("count ~ mined + (1 | site)", data, "poisson", ziformula="~ 1 + (1 | site)")
    with pytest.raises(KeyError, match=r"m\.random_effects_of\('zi'\) has no 'sit', only 'site'"):
        z.random_effects_of("zi")["sit"]
