//! The permission model as tables: GitHub's decision tables for packages and npm's words for a
//! refusal, written down once more by hand.

/// A caller's role on each package of the estate: `-` none, `r` read, `w` write, `a` admin; and
/// at the end whether it may create a package under `@acme`, `@una`, `@ghost`, an account that does
/// not exist, and without a scope: `c` or `-`; then its place in `acme`: `o` owner, `m` member, `-`.
///
/// Each group of three is a package that is private, internal, public:
/// `plain`: an organization's, with an access list of its own, linked to nothing.
/// `site`: linked to the repository `acme/site`, whose access it inherits.
/// `loose`: linked to the same repository, with an access list of its own.
/// `made`: published first by `maker`, a member of the organization.
/// `own`: a user's.
/// `bare`: without a scope, of another organization with the same people, to which the server gave
/// these names; its packages are public at first.
const ROLES: &str = "
    caller          plain  site  loose  made  own  bare  create  org
    stranger        --r    --r   --r    --r   --r  --r   ----    -
    owner-of-org    aaa    aaa   aaa    aaa   --r  aaa   c--c    o
    site-admin      aaa    aaa   aaa    aaa   aaa  aaa   cc-c    -
    una             --r    --r   --r    --r   aaa  --r   -c--    -
    member          -rr    rrr   -rr    -rr   --r  -rr   c--c    m
    maker           -rr    rrr   -rr    aaa   --r  -rr   c--c    m
    user-read       rrr    rrr   -rr    -rr   rrr  -rr   c--c    m
    user-write      www    rrr   -rr    -rr   www  -rr   c--c    m
    user-admin      aaa    rrr   -rr    -rr   aaa  -rr   c--c    m
    team-read       rrr    rrr   -rr    -rr   --r  -rr   c--c    m
    team-write      www    rrr   -rr    -rr   --r  -rr   c--c    m
    team-admin      aaa    rrr   -rr    -rr   --r  -rr   c--c    m
    subteam-read    rrr    rrr   -rr    -rr   --r  -rr   c--c    m
    subteam-write   www    rrr   -rr    -rr   --r  -rr   c--c    m
    subteam-admin   aaa    rrr   -rr    -rr   --r  -rr   c--c    m
    repo-read       --r    rrr   --r    --r   --r  --r   ----    -
    repo-triage     --r    rrr   --r    --r   --r  --r   ----    -
    repo-write      --r    www   --r    --r   --r  --r   ----    -
    repo-maintain   --r    www   --r    --r   --r  --r   ----    -
    repo-admin      --r    aaa   --r    --r   --r  --r   ----    -
    workflow-site   -rr    aaa   aaa    -rr   --r  --r   c---    -
    workflow-other  -rr    -rr   -rr    -rr   --r  --r   c---    -
    workflow-tools  --r    --r   --r    --r   -rr  --r   -c--    -
";

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Need {
    /// Nothing; credentials that come must hold.
    Greet,
    /// Credentials in the body; a header's are not looked at.
    SignIn,
    /// To be somebody.
    Oneself,
    /// To be a person: workflows have no tokens of their own.
    Tokens,
    Read,
    Publish,
    Delete,
    Manage,
    /// To ask for a list, which is filtered to what the caller may read.
    Browse,
    /// To be one of the people of `acme`.
    SeeOrganization,
    /// To be an owner of `acme`, with a scope for it.
    ManageOrganization,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Read,
    Write,
    Admin,
}

/// The package scopes of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scopes {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) delete: bool,
    pub(crate) org: bool,
}

/// What the caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Nothing,
    /// A token that does not hold.
    Broken,
    /// A person's token.
    Person(Scopes),
    /// A workflow's; its scopes declare what it may do at most.
    Workflow(Scopes),
}

/// Where a case's package lies: its column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// One that exists: the group, and its place in it.
    There(usize, usize),
    /// One that does not.
    Absent(usize),
}

/// Group names of [`ROLES`], in its order.
pub(crate) const GROUPS: [&str; 6] = ["plain", "site", "loose", "made", "own", "bare"];
pub(crate) const VISIBILITIES: [&str; 3] = ["private", "internal", "public"];
/// Namespaces of packages that do not exist, in the order of the last column.
pub(crate) const NAMESPACES: [&str; 4] = ["@acme/", "@una/", "@ghost/", ""];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    Granted,
    /// Nobody asked for what only somebody may have.
    Unauthenticated,
    /// The same, where packages are public at first: what nobody can read is as good as absent.
    NotPublic,
    /// Credentials came that do not hold.
    BadCredentials,
    /// The caller may not know whether it is there.
    Hidden,
    LacksRole,
    LacksScope,
}

/// The callers of the table.
pub(crate) fn callers() -> impl Iterator<Item = &'static str> {
    lines().skip(1).map(|cells| cells[0])
}

pub(crate) fn decide(
    caller: &str,
    proof: Proof,
    need: Need,
    column: Column,
    anonymous_read: bool,
) -> Verdict {
    if need == Need::SignIn {
        return Verdict::Granted;
    }
    let (scopes, is_workflow) = match proof {
        Proof::Broken => return Verdict::BadCredentials,
        Proof::Nothing => {
            return match need {
                Need::Greet => Verdict::Granted,
                Need::Browse if anonymous_read => Verdict::Granted,
                Need::Read if anonymous_read && is_public(column) => Verdict::Granted,
                Need::Read if anonymous_read && is_public_at_first(column) => Verdict::NotPublic,
                _ => Verdict::Unauthenticated,
            };
        }
        Proof::Person(scopes) => (scopes, false),
        Proof::Workflow(scopes) => (scopes, true),
    };
    let wanted = match need {
        Need::Greet | Need::SignIn | Need::Oneself => return Verdict::Granted,
        Need::Tokens if is_workflow => return Verdict::LacksScope,
        Need::Tokens => return Verdict::Granted,
        Need::SeeOrganization | Need::ManageOrganization if is_workflow => return Verdict::Hidden,
        Need::SeeOrganization | Need::ManageOrganization => {
            return of_organization(caller, scopes, need);
        }
        Need::Browse | Need::Read => Role::Read,
        Need::Publish => Role::Write,
        Need::Delete | Need::Manage => Role::Admin,
    };
    // without a scope that reads, a token learns nothing at all
    if !(scopes.read || scopes.write) {
        return Verdict::LacksScope;
    }
    if need == Need::Browse {
        return Verdict::Granted;
    }
    let in_scope = match need {
        Need::Publish | Need::Manage => scopes.write,
        // a workflow deletes where its repository is admin, if it declared write
        Need::Delete if is_workflow => scopes.write,
        Need::Delete => scopes.delete,
        _ => true,
    };
    match column {
        Column::There(group, place) => match role(caller, group, place) {
            None => Verdict::Hidden,
            Some(role) if role < wanted => Verdict::LacksRole,
            Some(_) if !in_scope => Verdict::LacksScope,
            Some(_) => Verdict::Granted,
        },
        // to publish is to create; nothing else can be done to what is not there
        Column::Absent(namespace) if need == Need::Publish && may_create(caller, namespace) => {
            if in_scope {
                Verdict::Granted
            } else {
                Verdict::LacksScope
            }
        }
        Column::Absent(_) => Verdict::Hidden,
    }
}

/// The role that the table gives a caller on a package that exists.
pub(crate) fn role(caller: &str, group: usize, place: usize) -> Option<Role> {
    match cell(caller, 1 + group).as_bytes()[place] {
        b'-' => None,
        b'r' => Some(Role::Read),
        b'w' => Some(Role::Write),
        b'a' => Some(Role::Admin),
        other => panic!("no role is written {other}"),
    }
}

/// Its people see it, its owners change it if their token is for that.
fn of_organization(caller: &str, scopes: Scopes, need: Need) -> Verdict {
    if !(scopes.read || scopes.write || scopes.org) {
        return Verdict::LacksScope;
    }
    match (place(caller), need) {
        ("-", _) => Verdict::Hidden,
        (_, Need::SeeOrganization) => Verdict::Granted,
        ("m", _) => Verdict::LacksRole,
        _ if scopes.org => Verdict::Granted,
        _ => Verdict::LacksScope,
    }
}

/// A caller's place in `acme`; the site admin has every owner's.
pub(crate) fn place(caller: &str) -> &'static str {
    match caller {
        "site-admin" => "o",
        _ => cell(caller, 2 + GROUPS.len()),
    }
}

fn may_create(caller: &str, namespace: usize) -> bool {
    cell(caller, 1 + GROUPS.len()).as_bytes()[namespace] == b'c'
}

fn is_public(column: Column) -> bool {
    matches!(column, Column::There(_, place) if VISIBILITIES[place] == "public")
}

/// Whether the packages of the namespace are public unless somebody says otherwise.
fn is_public_at_first(column: Column) -> bool {
    match column {
        Column::There(group, _) => GROUPS[group] == "bare",
        Column::Absent(namespace) => NAMESPACES[namespace].is_empty(),
    }
}

fn cell(caller: &str, column: usize) -> &'static str {
    lines()
        .find(|cells| cells[0] == caller)
        .unwrap_or_else(|| panic!("{caller} has no line in the table"))[column]
}

fn lines() -> impl Iterator<Item = Vec<&'static str>> {
    ROLES
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|cells| !cells.is_empty())
}
