//! Black-box tests against a started server; what they stand on is `packhouse-testkit`.
