"""Register maps of flow meters and transmitters, one TOML file per instrument family."""
