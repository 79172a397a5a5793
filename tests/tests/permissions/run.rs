//! Asks every case over connections that stay open, and collects what is not as it must be.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use packhouse_testkit::http::{Connection, Request, Response};
use packhouse_testkit::server::TestServer;

use crate::answers::{self, Refusal};
use crate::cases::Case;
use crate::oracle::{Column, Verdict};
use crate::routes::Gets;

/// More than one, so that a connection's turn to wait is another's to be served.
const CONNECTIONS: usize = 4;

/// Failures that are reported; the rest is counted.
const REPORTED: usize = 20;

/// What must be the same for all refusals of a kind.
type Kind = (String, Refusal);

#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    /// The first answer of each kind, whole but for what differs from request to request.
    shapes: HashMap<Kind, String>,
    requests: usize,
}

/// Asks all of them.
///
/// # Panics
///
/// When an answer is not what the tables say; the message lists the first ones.
pub(crate) fn ask_all(server: &TestServer, cases: &[Case<'_>]) -> usize {
    let next = AtomicUsize::new(0);
    let findings = Mutex::new(Findings::default());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut asking = Asking {
                    server,
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
    let failed = findings.failures.len();
    for failure in findings.failures.iter().take(REPORTED) {
        eprintln!("{failure}\n");
    }
    assert!(failed == 0, "{failed} of {} cases failed", cases.len());
    findings.requests
}

struct Asking<'a> {
    server: &'a TestServer,
    connection: Option<Connection>,
    findings: &'a Mutex<Findings>,
}

impl Asking<'_> {
    fn ask(&mut self, case: &Case<'_>) {
        let target = case.route.target(&case.subject, case.spelling);
        let answer = self.send(&case.route.request(case.route.method, &target, case.caller));
        self.check(case, &target, || check(case, &answer));
        self.note_shape(case, &target, &answer);
        if case.route.method == "GET" {
            let head = self.send(&case.route.request("HEAD", &target, case.caller));
            self.check(case, &target, || check_head(&answer, &head));
        }
    }

    fn send(&mut self, request: &Request) -> Response {
        let connection = match self.connection.take().filter(Connection::is_open) {
            Some(open) => self.connection.insert(open),
            None => {
                let open = Connection::open(self.server.base()).expect("a server that listens");
                self.connection.insert(open)
            }
        };
        self.findings.lock().unwrap().requests += 1;
        match connection.send(request) {
            Ok(response) => response,
            Err(error) => panic!("{request:?}: {error}\n{}", self.server.logs()),
        }
    }

    fn check(&self, case: &Case<'_>, target: &str, check: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("an assertion without a text");
            let failure = format!("{case}\n  {} {target}\n  {text}", case.route.method);
            self.findings.lock().unwrap().failures.push(failure);
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
            let failure = format!(
                "{case}\n  {} {target}\n  differs from others of its kind:\n{first}\n--- and\n{shape}",
                case.route.method
            );
            findings.failures.push(failure);
        }
    }
}

fn check(case: &Case<'_>, answer: &Response) {
    match answers::refusal(case) {
        Some(expected) => {
            let came = Refusal {
                status: answer.status,
                challenge: answer.header("www-authenticate").map(str::to_owned),
                body: answer.text(),
            };
            assert_eq!(came, expected);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        None => let_in(case, answer),
    }
}

fn let_in(case: &Case<'_>, answer: &Response) {
    assert_eq!(case.verdict, Verdict::Granted);
    let gets = match case.subject.column {
        Column::There(..) => &case.route.there,
        Column::Absent(_) => &case.route.absent,
    };
    match gets {
        Gets::Content(check) => check(&case.subject, case.caller, answer),
        Gets::Told(status, error) => {
            assert_eq!(answer.status, *status, "{answer}");
            assert_eq!(answer.json()["error"], *error, "{answer}");
        }
    }
}

/// HEAD decides as GET does, and says as much.
fn check_head(get: &Response, head: &Response) {
    assert_eq!(head.status, get.status, "HEAD: {head}");
    assert!(head.body.is_empty());
    for name in ["content-length", "content-type", "etag", "www-authenticate"] {
        assert_eq!(head.header(name), get.header(name), "HEAD's {name}");
    }
}
