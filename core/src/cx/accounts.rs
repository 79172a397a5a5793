//! Questions and deeds about people: logins, stars, access lists, organizations.

use packhouse_names::{
    AccountId, Ecosystem, Login, OrgRole, PackageName, Role, TeamSlug, Visibility,
};

use super::{ReadCx, WriteCx};
use crate::access::AccessChange;
use crate::accounts::UserView;
use crate::admission::Granted;
use crate::fault::Fault;
use crate::logins::{Approval, BegunLogin, Claim, PageKey, TerminalKey};
use crate::model::PackageRef;
use crate::organizations::OrganizationChange;
use crate::policy::{Need, Principal};
use crate::readable::Whose;
use crate::revise::Revised;

impl ReadCx {
    /// A user; the e-mail address only of the caller themselves. Needs [`Need::Oneself`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a login that no user has.
    pub async fn user(&self, login: &Login) -> Result<UserView, Fault> {
        let caller = self.credential_for(&Need::Oneself)?;
        self.house.user(caller, login.clone()).await
    }

    /// The code of a login by browser that waits for an answer; needs [`Need::SignIn`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] for one that is over.
    pub async fn waiting_login(&self, page: PageKey) -> Result<String, Fault> {
        self.is_for(&Need::SignIn)?;
        self.house.waiting_login(page).await
    }

    /// Who may see the package of the need without being named.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that has no live version.
    pub fn visibility(&self) -> Result<Visibility, Fault> {
        Ok(self.head()?.facts.visibility)
    }

    /// Everybody who has a role on the package by something else than its visibility, by login;
    /// needs [`Need::Publish`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that has no live version; [`Fault::Internal`] when the
    /// need was another.
    pub async fn collaborators(&self) -> Result<Vec<(Login, Role)>, Fault> {
        if !matches!(self.need, Need::Publish(_)) {
            return Err(Fault::internal("a question beyond its need"));
        }
        let head = self.head()?;
        self.house.collaborators(head.id, head.facts.inherits).await
    }

    /// The packages of an organization that the caller may read, by name, with the caller's role
    /// on each; needs [`Need::Browse`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] where there is no such organization, or nothing of it for the caller.
    pub async fn packages_of_organization(
        &self,
        login: &Login,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        self.packages_of(Whose::Organization(login.clone()), ecosystem)
            .await
    }

    /// The same of a user. The callers themselves also get the packages of their organizations
    /// and those that they were given a role on.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where there is no such user, or nothing of it for the caller.
    pub async fn packages_of_user(
        &self,
        login: &Login,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        self.packages_of(Whose::User(login.clone()), ecosystem)
            .await
    }

    async fn packages_of(
        &self,
        whose: Whose,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        self.browses()?;
        self.house
            .packages_of(self.principal.clone(), whose, ecosystem)
            .await
    }

    /// What a user starred, of what the caller may read, by name; needs [`Need::Browse`].
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn starred_by(
        &self,
        user: &Login,
        ecosystem: Ecosystem,
    ) -> Result<Vec<PackageName>, Fault> {
        self.browses()?;
        self.house
            .starred_by(self.principal.clone(), user.clone(), ecosystem)
            .await
    }

    /// The members of the organization of the need, by login.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was about none.
    pub async fn members(&self) -> Result<Vec<(Login, OrgRole)>, Fault> {
        self.house.members(self.organization()?).await
    }

    /// The teams of the organization of the need, by slug.
    ///
    /// # Errors
    /// As [`members`](Self::members).
    pub async fn teams(&self) -> Result<Vec<TeamSlug>, Fault> {
        self.house.teams(self.organization()?).await
    }

    /// The members of a team of the organization of the need, by login.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for the team.
    pub async fn team_members(&self, team: &TeamSlug) -> Result<Vec<Login>, Fault> {
        self.house
            .team_members(self.organization()?, team.clone())
            .await
    }

    /// The packages that a team of the organization of the need was given, itself or by its
    /// parents, by name.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for the team.
    pub async fn team_packages(
        &self,
        team: &TeamSlug,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        self.house
            .team_packages(self.organization()?, team.clone(), ecosystem)
            .await
    }

    fn organization(&self) -> Result<AccountId, Fault> {
        match self.granted {
            Granted::Organization(id) => Ok(id),
            _ => Err(Fault::internal(
                "a question about an organization without a need",
            )),
        }
    }

    fn browses(&self) -> Result<(), Fault> {
        match self.need {
            Need::Browse(_) => Ok(()),
            _ => Err(Fault::internal("a list beyond its need")),
        }
    }

    fn is_for(&self, expected: &Need) -> Result<(), Fault> {
        if self.need == *expected {
            Ok(())
        } else {
            Err(Fault::internal("a deed beyond its need"))
        }
    }
}

impl WriteCx {
    /// Begins a login by browser; `None` while too many wait. Needs [`Need::SignIn`], as do the
    /// other two steps.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn begin_login(&self) -> Result<Option<BegunLogin>, Fault> {
        self.is_for(&Need::SignIn)?;
        self.house.begin_login().await
    }

    /// Says yes to a login, in the name of whoever showed a token of theirs ([`Self::sign_in`]).
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn approve_login(&self, page: PageKey, by: &Principal) -> Result<Approval, Fault> {
        self.is_for(&Need::SignIn)?;
        self.house.approve_login(page, by).await
    }

    /// Asks for the token that a login ends in; it is given once.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a login that is over.
    pub async fn claim_login(&self, key: TerminalKey) -> Result<Claim, Fault> {
        self.is_for(&Need::SignIn)?;
        self.house.claim_login(key).await
    }

    /// Signs out: a token that a login by browser made is revoked, at once and in every process,
    /// any other of the caller's stays. Needs [`Need::Oneself`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a token that is not the caller's, or no longer holds.
    pub async fn end_login(&self, token: &str) -> Result<(), Fault> {
        let credential = self.credential_for(&Need::Oneself)?;
        self.house.end_login(credential.account, token).await
    }

    /// Gives the package the caller's star, or takes it away; needs [`Need::Publish`].
    ///
    /// # Errors
    /// [`Fault::Denied`] for a workflow; [`Fault::Internal`] when the need was another.
    pub async fn star(&self, is_starred: bool) -> Result<(), Fault> {
        if !matches!(self.need, Need::Publish(_)) {
            return Err(Fault::internal("a star beyond its need"));
        }
        let head = self.head()?;
        self.house
            .star(head.id, &self.principal, &self.need, is_starred)
            .await
    }

    /// Makes the package public, for good; needs [`Need::Manage`].
    ///
    /// # Errors
    /// [`Fault::Denied`] where the owner does not allow it.
    pub async fn make_public(&self) -> Result<(), Fault> {
        self.manages()?;
        let head = self.head()?;
        self.house
            .make_public(head.id, self.principal.clone(), self.need.clone())
            .await
    }

    /// Changes the package's access list; needs [`Need::Manage`].
    ///
    /// # Errors
    /// [`Fault::Stale`] when `change.expect` is no longer current; [`Fault::Fixed`] for a role
    /// that comes from elsewhere; [`Fault::Invalid`] for somebody who cannot be given one.
    pub async fn change_access(&self, change: AccessChange) -> Result<Revised, Fault> {
        self.manages()?;
        let head = self.head()?;
        self.house
            .change_access(head.id, self.principal.clone(), change)
            .await
    }

    /// Asks to manage a package of the organization of the need, where only the body names it:
    /// decided as a route to that package would be.
    ///
    /// # Errors
    /// What a route that returned [`Need::Manage`] would have been refused with;
    /// [`Fault::Invalid`] for a package of another account.
    pub async fn managing(&self, package: PackageRef) -> Result<Self, Fault> {
        let Need::SeeOrganization(owner) = &self.need else {
            return Err(Fault::internal("a package managed beyond its need"));
        };
        if package.namespace.owner.key() != owner.key() {
            return Err(Fault::invalid(
                "package",
                "the team and the package belong to different accounts",
            ));
        }
        self.house
            .admit_write(self.principal.clone(), Need::Manage(package))
            .await
    }

    /// Changes who belongs to the organization of the need, which is
    /// [`Need::ManageOrganization`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a team or a member that is not there; [`Fault::Invalid`] for
    /// somebody who cannot be one; [`Fault::Conflict`] for a team that is there already.
    pub async fn change_organization(&self, change: OrganizationChange) -> Result<(), Fault> {
        match (&self.need, &self.granted) {
            (Need::ManageOrganization(_), Granted::Organization(id)) => {
                self.house
                    .change_organization(*id, self.principal.clone(), change)
                    .await
            }
            _ => Err(Fault::internal("an organization changed beyond its need")),
        }
    }

    fn manages(&self) -> Result<(), Fault> {
        match self.need {
            Need::Manage(_) => Ok(()),
            _ => Err(Fault::internal("a package managed beyond its need")),
        }
    }
}
