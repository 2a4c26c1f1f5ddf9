"""The embedded world: small benchmarks, a corpus and a teacher, made offline from names that Unicode CLDR knows."""
