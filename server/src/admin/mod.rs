//! `packhouse admin …`: an operator's command, from the command line to the house, directly or
//! through the socket of the server that runs on the same data folder.

mod command;
mod resolve;
mod run;
pub(crate) mod socket;

pub use command::{AdminCommand, PackageAddress, RepositoryAddress};
pub use resolve::resolve;
pub(crate) use run::obey;
pub use run::run;
pub(crate) use socket::Order;
