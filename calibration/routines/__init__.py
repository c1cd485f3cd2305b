"""What the observations of each kind of instrument are worth: one routine a kind.

A routine has two rooms: ``*_sheet`` reads its part of the observation sheet, the other finds errors
and limits and says what the law still wants. None decides; `calibration.judgement` does.
"""
