"""The embedded world: small benchmarks and a pretraining corpus, generated offline from names in Unicode CLDR."""
