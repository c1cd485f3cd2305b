"""The hand: decides what to do and in what order; owns configuration, command line and console."""
