#![doc = include_str!("../README.md")]

pub mod admin;
pub mod bearer;
pub mod blobs;
pub mod clock;
pub mod cx;
pub mod fault;
pub mod kept;
pub mod model;
pub mod policy;
pub mod publish;
pub mod registry;
pub mod revise;
pub mod settings;
pub mod source;
pub mod stage;
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
mod retract;
mod uses;
mod workers;

pub use clock::Clock;
pub use fault::Fault;
pub use house::{House, HouseParts};
pub use registry::{Call, ReadCall, Registry, WriteCall};
pub use settings::Settings;

/// What a format needs of the crates that core hides.
pub use packhouse_blob::{Digests, ReadSeek, Sums};
