#![doc = include_str!("../README.md")]

mod error;
mod extension;
mod gunzip;
mod header;
mod limits;
mod path;
mod targz;

pub use error::{ArchiveError, Kind};
pub use gunzip::Gunzip;
pub use limits::Limits;
pub use path::MemberPath;
pub use targz::{Member, TarGz};
