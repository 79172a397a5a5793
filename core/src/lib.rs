#![doc = include_str!("../README.md")]

pub mod access;
pub mod accounts;
pub mod admin;
pub mod bearer;
pub mod blobs;
pub mod clock;
pub mod cx;
pub mod fault;
pub mod gc;
pub mod kept;
pub mod logins;
pub mod model;
pub mod organizations;
pub mod policy;
pub mod protection;
pub mod publish;
pub mod registry;
pub mod revise;
pub mod search;
pub mod settings;
pub mod signing;
pub mod source;
pub mod stage;
pub mod storage;
pub mod tokens;
pub mod uploads;

mod admission;
mod chores;
mod creation;
mod documents;
mod downloads;
mod events;
mod files;
mod freshness;
mod heads;
mod hits;
mod house;
mod news;
mod readable;
mod retract;
mod stars;
mod uses;
mod workers;

pub use clock::Clock;
pub use fault::Fault;
pub use house::{House, HouseParts};
pub use registry::{Call, ReadCall, Registry, WriteCall};
pub use settings::Settings;

/// What a format needs of the crates that core hides.
pub use packhouse_blob::{Digests, ReadSeek, Sums};
