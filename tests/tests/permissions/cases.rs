//! Which combinations are asked: each route by each caller on each package, each set of scopes
//! on packages of each kind of answer, and each spelling by callers of each role.

use crate::callers::Caller;
use crate::estate::{self, Revisions};
use crate::oracle::{self, Column, Need, Verdict};
use crate::routes::{Route, Subject};
use crate::spelling::{self, Spelling};

/// Why a request must be refused: what was needed, and the verdict on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) need: Need,
    pub(crate) verdict: Verdict,
}

/// One request, and what the tables say of it.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) route: &'a Route,
    pub(crate) caller: &'a Caller,
    pub(crate) spelling: &'static Spelling,
    pub(crate) subject: Subject,
    /// `None` where the caller must be let in.
    pub(crate) refused: Option<Refused>,
}

impl std::fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            route,
            caller,
            spelling,
            subject,
            refused,
        } = self;
        write!(
            f,
            "{} on {} by {caller}, spelt {}: ",
            route.pattern, subject.name, spelling.what
        )?;
        match refused {
            Some(refused) => write!(f, "{refused:?}"),
            None => f.write_str("let in"),
        }
    }
}

/// The columns on which every set of scopes is tried.
const EVERY_SCOPE: [Column; 5] = [
    Column::There(0, 0),
    Column::There(0, 1),
    Column::There(0, 2),
    Column::There(1, 0),
    Column::Absent(0),
];

/// The columns on which every spelling is tried, and by whom.
const EVERY_SPELLING: [Column; 4] = [
    Column::There(0, 0),
    Column::There(0, 1),
    Column::There(0, 2),
    Column::Absent(0),
];
const SPELLERS: [&str; 5] = ["anonymous", "revoked", "stranger", "member", "owner-of-org"];

/// All of them, for a server with or without anonymous reads.
pub(crate) fn generate<'a>(
    routes: &'a [Route],
    callers: &'a [Caller],
    by_basic: &'a [Caller],
    revisions: &Revisions,
    anonymous_read: bool,
) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for route in routes {
        let mut add = |caller: &'a Caller, column, spelling| {
            let subject = Subject::new(column, spelling, revisions);
            let case = case(route, caller, subject, spelling, anonymous_read);
            // a name with capitals may be read, and never published: nobody gets to the policy
            let is_spelt_to_be_refused = spelling.is_upper && route.pattern == "PUT /{package}";
            if (route.is_harmless() || case.refused.is_some()) && !is_spelt_to_be_refused {
                cases.push(case);
            }
        };
        if !route.is_about_a_package() {
            let nowhere = Column::Absent(0);
            for caller in callers.iter().chain(by_basic) {
                add(caller, nowhere, &spelling::USUAL);
            }
            for spelling in &spelling::OTHERS {
                for caller in spellers(callers) {
                    add(caller, nowhere, spelling);
                }
            }
            continue;
        }
        for caller in callers {
            for column in estate::columns() {
                if caller.is_unrestricted() || EVERY_SCOPE.contains(&column) {
                    add(caller, column, &spelling::USUAL);
                }
            }
        }
        for caller in by_basic {
            add(caller, EVERY_SCOPE[0], &spelling::USUAL);
        }
        for caller in spellers(callers) {
            for column in EVERY_SPELLING {
                for spelling in &spelling::OTHERS {
                    add(caller, column, spelling);
                }
            }
        }
    }
    cases
}

fn spellers(callers: &[Caller]) -> impl Iterator<Item = &Caller> {
    callers
        .iter()
        .filter(|caller| caller.is_unrestricted() && SPELLERS.contains(&caller.name.as_str()))
}

fn case<'a>(
    route: &'a Route,
    caller: &'a Caller,
    subject: Subject,
    spelling: &'static Spelling,
    anonymous_read: bool,
) -> Case<'a> {
    let column = subject.column;
    let verdict = |need| oracle::decide(&caller.name, caller.proof, need, column, anonymous_read);
    let refused = route.gates.iter().find_map(|needs| {
        let need = needs[0];
        let is_open = needs.iter().any(|need| verdict(*need) == Verdict::Granted);
        (!is_open).then(|| Refused {
            need,
            verdict: verdict(need),
        })
    });
    Case {
        route,
        caller,
        spelling,
        subject,
        refused,
    }
}
