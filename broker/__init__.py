"""The way of a verdict: durable, published, received. Knows no instrument and no law."""
