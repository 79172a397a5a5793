//! What several suites of black-box tests share.

pub mod npm_body;
