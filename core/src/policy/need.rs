use packhouse_names::Login;

use crate::model::{Namespace, PackageRef};

/// What the permission model must grant before a call may run.
///
/// Independent of the call's kind: the state of an upload is a read that needs `Publish`, a
/// sign-in a write that needs `SignIn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Anybody who may talk to us at all: ping, keys, service indexes. Credentials that came
    /// must hold.
    Greet,
    /// Sign-in: the credentials are in the body. A header's are not looked at, so that a client
    /// with an expired token can replace it.
    SignIn,
    /// Anybody with credentials that hold: whoami.
    Oneself,
    /// The caller's own tokens: a person's token that holds; workflow tokens may not.
    Tokens,
    /// Lists and searches, `None` for the whole house: the context filters to what the principal
    /// may read.
    Browse(Option<Namespace>),
    /// Download, install, metadata. Role read, scope `read:packages`.
    Read(PackageRef),
    /// Upload, move a tag, deprecate; creates the package when it is absent and the principal may
    /// create it. Role write, scope `write:packages`.
    Publish(PackageRef),
    /// Delete. Role admin, scopes `delete:packages` and `read:packages`.
    Curate(PackageRef),
    /// Bring back what was deleted. Role admin, scope `write:packages`.
    Restore(PackageRef),
    /// Visibility, access lists, owners, link. Role admin, scope `write:packages`.
    Manage(PackageRef),
    /// Who belongs to an organization and to its teams: a member, with a scope that reads
    /// packages or organizations. Everybody else learns nothing, not even whether it exists.
    SeeOrganization(Login),
    /// Members and teams of an organization: its owners, with scope `write:org` or `admin:org`.
    ManageOrganization(Login),
}

impl Need {
    /// The package that the need is about, where it is about one.
    #[must_use]
    pub fn package(&self) -> Option<&PackageRef> {
        match self {
            Self::Greet
            | Self::SignIn
            | Self::Oneself
            | Self::Tokens
            | Self::Browse(_)
            | Self::SeeOrganization(_)
            | Self::ManageOrganization(_) => None,
            Self::Read(package)
            | Self::Publish(package)
            | Self::Curate(package)
            | Self::Restore(package)
            | Self::Manage(package) => Some(package),
        }
    }
}
