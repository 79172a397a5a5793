#![doc = include_str!("../README.md")]

mod body;
mod conditional;
mod document;
mod head;
mod path;
mod range;
mod reply;

pub use body::{Body, BodyError};
pub use conditional::{Coding, ETag, is_not_modified, prefers_gzip};
pub use document::Document;
pub use head::{BaseUrl, BaseUrlError, Head, form_values};
pub use path::{Path, PathError, Segments};
pub use range::{RangeRequest, requested_range};
pub use reply::{BlobContent, Content, Reply};
