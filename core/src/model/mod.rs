//! The things of the house, as the use cases and the formats see them.

mod file;
mod package;
mod version;

pub use file::FileView;
pub use package::{Namespace, PackageRef, PackageView, RepositoryRef, TagView};
pub use version::{Standing, VersionView};
