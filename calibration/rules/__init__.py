"""The shapes a legal rule can have, one file each; `calibration.limit_rules` names them all.

No number of the law stands here: those are in the text files of the tables.
"""
