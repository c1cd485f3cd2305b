"""One module per group of ``tera`` commands; each has main(arguments) -> exit code."""
