//! .

pub mod archives;
