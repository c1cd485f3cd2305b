"""Legal tables as text: one TOML file per document and edition, each with its source."""
