"""The slices of x: every parameter in one of them, whatever the number of predictors."""

import numpy as np

from interlace.objective.layout import Layout, Predictor


def test_slices_cover_x_once_predictor_by_predictor() -> None:
    predictors = [
        Predictor("mean", 3, 2, 1),
        Predictor("zero", 0, 4, 0),
        Predictor("disp", 1, 1, 2),
    ]
    layout = Layout(predictors)
    x = np.arange(layout.size)
    assert np.concatenate([x[at] for p in predictors for at in layout.of[p.name]]).tolist() == [
        *range(14)
    ]
    for p in predictors:
        assert tuple(x[at].size for at in layout.of[p.name]) == p[1:]
