"""Write models of this version as pickles and documents, which later versions have to read.

Usage: ``python tools/store_models.py``. It writes ``tests/tables/stored_models/VERSION.json``: for
each kind of model its pickle, its document, new data and what it predicts of them. A file of a
version that was released is never written again.
"""

import json
import pickle
from base64 import b64encode
from pathlib import Path

import numpy as np

import interlace as il

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "tables" / "stored_models"


def models():
    """A small model of each kind, and rows that it predicts."""
    sleep = il.load_dataset("sleepstudy").iloc[:60]
    cbpp = il.load_dataset("cbpp")
    wine = il.load_dataset("wine")
    epil = il.load_dataset("epil2").iloc[60:160]
    rows = {"Days": [0.5, 3.0], "Subject": ["308", "309"]}
    herds = {"period": ["1", "3"], "herd": ["2", "5"], "size": [5, 9]}
    yield "linear", il.fit("Reaction ~ poly(Days, 2) + (Days | Subject)", sleep), rows
    yield (
        "series",
        il.fit("Reaction ~ Days + ar1(0 + Days | Subject)", sleep),
        {
            **rows,
            "Days": [1.0, 3.0],
        },
    )
    yield "residuals", il.gls("Reaction ~ Days", sleep, "ar1(Days | Subject)"), rows
    yield (
        "generalised",
        il.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, "binomial"),
        herds,
    )
    yield (
        "several",
        il.glmer("y ~ Age + (1 | subject)", epil, "nbinom2", dispformula="~ trt"),
        {
            "Age": [0.1, 0.2],
            "subject": ["20", "33"],
            "trt": ["placebo", "progabide"],
        },
    )
    yield "plain", il.glm("y ~ Age", epil, "poisson"), {"Age": [0.1, 0.2]}
    tastes = {"temp": ["cold", "warm"], "contact": ["no", "yes"], "judge": ["1", "2"]}
    yield "ordered", il.clm("rating ~ temp + contact", wine), tastes
    yield "ordered, mixed", il.clmm("rating ~ temp + (1 | judge)", wine), tastes


if __name__ == "__main__":
    stored = {
        name: {
            "pickle": b64encode(pickle.dumps(m, protocol=4)).decode("ascii"),
            "document": m.to_json(),
            "new": new,
            "predictions": np.asarray(m.predict(new), dtype=float).ravel().tolist(),
            "llf": m.llf,
        }
        for name, m, new in models()
    }
    FOLDER.mkdir(exist_ok=True)
    place = FOLDER / f"{il.__version__}.json"
    place.write_text(json.dumps(stored, indent=0), encoding="utf-8")
    print(f"{place}: {place.stat().st_size / 1024:.0f} kB")
