"""Pictures with matplotlib: functions of a fit that draw into an Axes and return it."""
