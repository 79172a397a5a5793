//! Who may do what: decided here, once, on the resolved object.

mod access;
mod decide;
mod need;
mod plain;
mod principal;
mod token;

pub use access::Access;
pub use decide::{
    AnyTies, Creation, HouseRules, Operation, PackageFacts, Refusal, Ties, WorkflowTies, decide,
    decide_creation, effective_role, role_of,
};
pub use need::Need;
pub use plain::{OrganizationOperation, decide_browsing, decide_organization};
pub use principal::{Credential, Identity, Principal, WorkflowIdentity};
pub(crate) use token::decode_basic;
pub use token::{Declared, Scope, Scopes, TokenHash};
