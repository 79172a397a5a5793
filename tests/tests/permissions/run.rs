//! Asks every case over connections that stay open, and collects what is not as it must be.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use packhouse_testkit::http::{Connection, Request, Response};
use serde_json::Value;

use crate::answers::{self, Refusal};
use crate::cases::Case;
use crate::gets::same;
use crate::oracle::Column;
use crate::routes::{Checked, Gets};

/// More than one, so that a connection's turn to wait is another's to be served.
const CONNECTIONS: usize = 4;

/// Failures of one route that are reported in full; the rest is counted.
const REPORTED: usize = 2;

/// What must be the same for all refusals of a kind.
type Kind = (String, Refusal);

#[derive(Default)]
struct Findings {
    /// By the route's pattern and what was asked of it.
    failures: BTreeMap<String, Vec<String>>,
    /// The first answer of each kind, whole but for what differs from request to request.
    shapes: HashMap<Kind, String>,
    requests: usize,
}

impl Findings {
    fn fail(&mut self, case: &Case<'_>, target: &str, text: &str) {
        let expected = match case.refused {
            Some(refused) => format!("{refused:?}"),
            None => "let in".to_owned(),
        };
        let kind = format!("{}, {expected}", case.route.pattern);
        let failure = format!("{case}\n  {} {target}\n  {text}", case.route.method);
        self.failures.entry(kind).or_default().push(failure);
    }
}

/// Asks all of them.
///
/// # Panics
///
/// When an answer is not what the tables say; the message lists the first ones.
pub(crate) fn ask_all(base: &str, cases: &[Case<'_>]) -> usize {
    let next = AtomicUsize::new(0);
    let findings = Mutex::new(Findings::default());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut asking = Asking {
                    base,
                    connection: None,
                    findings: &findings,
                };
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    asking.ask(case);
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    let mut failed = 0;
    for (kind, failures) in &findings.failures {
        failed += failures.len();
        eprintln!("{} failures: {kind}", failures.len());
        for failure in failures.iter().take(REPORTED) {
            eprintln!("  {failure}\n");
        }
    }
    assert!(failed == 0, "{failed} of {} cases failed", cases.len());
    findings.requests
}

struct Asking<'a> {
    base: &'a str,
    connection: Option<Connection>,
    findings: &'a Mutex<Findings>,
}

impl Asking<'_> {
    fn ask(&mut self, case: &Case<'_>) {
        let target = case.route.target(&case.subject, case.spelling);
        let answer = self.send(&case.route.request(case.route.method, &target, case.caller));
        self.check(case, &target, &answer, check(case, &answer));
        self.note_shape(case, &target, &answer);
        if case.route.method == "GET" {
            let head = self.send(&case.route.request("HEAD", &target, case.caller));
            self.check(case, &target, &head, check_head(case, &answer, &head));
        }
    }

    fn send(&mut self, request: &Request) -> Response {
        let connection = match self.connection.take().filter(Connection::is_open) {
            Some(open) => self.connection.insert(open),
            None => {
                let open = Connection::open(self.base).expect("a server that listens");
                self.connection.insert(open)
            }
        };
        self.findings.lock().unwrap().requests += 1;
        match connection.send(request) {
            Ok(response) => response,
            Err(error) => panic!("{request:?}: {error}"),
        }
    }

    fn check(&self, case: &Case<'_>, target: &str, answer: &Response, checked: Checked) {
        if let Err(text) = checked {
            let text = format!("{text}\n{answer}");
            self.findings.lock().unwrap().fail(case, target, &text);
        }
    }

    /// Refusals of a kind are the same to the last header, whatever they are about: hidden and
    /// absent cannot be told apart.
    fn note_shape(&self, case: &Case<'_>, target: &str, answer: &Response) {
        let subject = &case.subject;
        let Some(refusal) = answers::refusal(case) else {
            return;
        };
        let kind = (
            case.route.pattern.to_owned(),
            Refusal {
                body: refusal.body.replace(&subject.shown, "NAME"),
                ..refusal
            },
        );
        let shape = answers::shape(answer, &subject.shown);
        let mut findings = self.findings.lock().unwrap();
        let first = findings
            .shapes
            .entry(kind)
            .or_insert_with(|| shape.clone())
            .clone();
        if first != shape {
            let text = format!("differs from others of its kind:\n{first}\n--- and\n{shape}");
            findings.fail(case, target, &text);
        }
    }
}

fn check(case: &Case<'_>, answer: &Response) -> Checked {
    match answers::refusal(case) {
        Some(expected) => {
            let came = Refusal {
                status: answer.status,
                challenge: answer.header("www-authenticate").map(str::to_owned),
                body: answer.text(),
            };
            same("refusal", &came, &expected)?;
            let media_type = answer.header("content-type");
            same("content-type", &media_type, &Some("application/json"))
        }
        None => let_in(case, answer),
    }
}

fn let_in(case: &Case<'_>, answer: &Response) -> Checked {
    let gets = match case.subject.column {
        Column::There(..) => &case.route.there,
        Column::Absent(_) => &case.route.absent,
    };
    match gets {
        Gets::Content(check) => check(&case.subject, case.caller, answer),
        Gets::Told(status, error) => {
            same("status", &answer.status, status)?;
            let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
            same("error", &body["error"], &Value::from(*error))
        }
        Gets::Unasked => Err("this must not have been asked".to_owned()),
    }
}

/// HEAD decides as GET does, and says as much.
fn check_head(case: &Case<'_>, get: &Response, head: &Response) -> Checked {
    // taking a login's token changes something: its head is not to be had
    if case.route.pattern == "GET /-/v1/done" {
        same("HEAD's status", &head.status, &405)?;
        return same("allowed", &head.header("allow"), &Some("GET"));
    }
    same("HEAD's status", &head.status, &get.status)?;
    for name in ["content-length", "content-type", "etag", "www-authenticate"] {
        same(
            &format!("HEAD's {name}"),
            &head.header(name),
            &get.header(name),
        )?;
    }
    same("HEAD's body", &head.body.len(), &0)
}
