//! The one TLS set-up of the program: ring as provider, built-in roots plus those of `EXTRA_CA_FILE`.
