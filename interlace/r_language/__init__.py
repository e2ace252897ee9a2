"""R's syntax: text → tokens → tree → text. Nothing is evaluated, no model is known."""
