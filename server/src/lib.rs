#![doc = include_str!("../README.md")]

pub mod admin;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod door;
pub mod folder;
pub mod house;
pub mod observe;
pub mod serve;
pub mod upkeep;
