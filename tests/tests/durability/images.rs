//! Images that are pushed to a server that is killed: whoever was told that one is there finds
//! it whole, and an upload that was cut off goes on where it was.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::http::{self, Connection, Request, Response};
use packhouse_testkit::images::{Manifest, image_of, sha256};
use packhouse_testkit::server::{TestServer, TestServerBuilder};

use crate::chance::{self, Chance};
use crate::client::News;
use crate::{MOMENT, PATIENCE, SEED_VARIABLE, listen, number};

const CLIENTS: usize = 4;
const REPOSITORY: &str = "ann/images";
const CONFIG: &[u8] = b"{}";

/// A server dies when so many images were acknowledged, at most, and a moment later.
const ACKNOWLEDGED_BEFORE: u32 = 5;

/// The longest layer, in bytes.
const LAYER: u32 = 400_000;

/// What became of a push.
enum Fate {
    Acknowledged,
    /// No answer came; with where the layer was being uploaded to, if it was.
    Unknown(Option<String>),
}

struct Pushed {
    tag: String,
    layer: Vec<u8>,
    manifest: Manifest,
    fate: Fate,
}

/// What all rounds came to.
#[derive(Default)]
struct Sums {
    acknowledged: u64,
    interrupted: u64,
    resumed: u64,
}

/// Kills a server again and again while images are pushed to it.
pub(crate) fn survive(server: TestServerBuilder, kills: u64, is_shared: bool, settled: impl Fn()) {
    let seed = number(SEED_VARIABLE).unwrap_or_else(chance::any_seed);
    eprintln!("{SEED_VARIABLE}={seed}");
    let mut chance = Chance::new(seed);
    let began = Instant::now();
    let mut server = server.start();
    server.admin(&["create-user", "ann"]);
    let token = server.token("ann", "read:packages,write:packages");
    let upload = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", sha256(CONFIG));
    let config = Request::post(upload).basic("ann", &token).body(CONFIG);
    drop(server.send(&config).expect_status(201));

    let mut sums = Sums::default();
    let mut acknowledged = Vec::new();
    for round in 0..kills {
        let death = (
            chance.below(ACKNOWLEDGED_BEFORE),
            MOMENT.mul_f64(chance.fraction()),
        );
        let branches: Vec<_> = (0..CLIENTS).map(|_| chance.branch()).collect();
        let pushed = push_until_killed(&mut server, round, &token, branches, death);
        settled();
        server.restart();
        for push in pushed {
            inspect(&server, &token, &push, is_shared, &mut sums);
            if matches!(push.fate, Fate::Acknowledged) {
                acknowledged.push((push.tag, push.manifest.digest()));
            }
        }
    }
    for (tag, digest) in acknowledged {
        let head = Request::head(format!("/v2/{REPOSITORY}/manifests/{tag}"));
        let answer = server.send(&head.basic("ann", &token)).expect_status(200);
        assert_eq!(answer.header("docker-content-digest"), Some(&*digest));
    }
    let Sums {
        acknowledged,
        interrupted,
        resumed,
    } = sums;
    eprintln!(
        "{kills} kills in {:?}: {acknowledged} images acknowledged, {interrupted} interrupted, \
         {resumed} of their uploads went on",
        began.elapsed()
    );
    assert!(acknowledged >= kills, "pushing did not go on");
    assert!(
        interrupted >= kills,
        "the kills came when nothing was under way"
    );
    assert!(resumed > 0 || is_shared, "no kill met an upload");
}

fn push_until_killed(
    server: &mut TestServer,
    round: u64,
    token: &str,
    branches: Vec<Chance>,
    (acknowledged, moment): (u32, Duration),
) -> Vec<Pushed> {
    let base = server.base().to_owned();
    let (news, heard) = mpsc::sync_channel(CLIENTS);
    thread::scope(|scope| {
        let at_work: Vec<_> = branches
            .into_iter()
            .enumerate()
            .map(|(client, mut chance)| {
                let (base, news) = (base.as_str(), news.clone());
                scope.spawn(move || {
                    let mut pushed = Vec::new();
                    for number in 0.. {
                        let tag = format!("r{round}-c{client}-{number}");
                        let push = push(base, token, tag, &mut chance);
                        let is_acknowledged = matches!(push.fate, Fate::Acknowledged);
                        pushed.push(push);
                        // nobody listens once the server was killed
                        let told = if is_acknowledged {
                            news.send(News::Acknowledged)
                        } else {
                            news.send(News::Failed("no answer".to_owned()))
                        };
                        if !is_acknowledged || told.is_err() {
                            break;
                        }
                    }
                    pushed
                })
            })
            .collect();
        for _ in 0..acknowledged {
            listen(&heard, Instant::now() + PATIENCE).expect("pushing goes on");
        }
        let moment = Instant::now() + moment;
        while listen(&heard, moment).is_some() {}
        server.kill();
        drop(heard);
        at_work
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

/// Pushes an image, its layer in two pieces.
fn push(base: &str, token: &str, tag: String, chance: &mut Chance) -> Pushed {
    let length = usize::try_from(1 + chance.below(LAYER)).unwrap();
    let layer = chance.bytes(length);
    let manifest = image_of(CONFIG, &layer);
    let mut location = None;
    let mut steps = || -> std::io::Result<()> {
        let mut connection = Connection::open(base)?;
        let mut ask = |request: Request, status: u16| -> std::io::Result<Response> {
            let answer = connection.send(&request.basic("ann", token))?;
            Ok(answer.expect_status(status))
        };
        let open = Request::post(format!("/v2/{REPOSITORY}/blobs/uploads/"));
        let opened = ask(open, 202)?;
        let upload = opened.header("location").unwrap().to_owned();
        location = Some(upload.clone());
        let (first, rest) = layer.split_at(length / 2);
        let patch = |piece: &[u8]| Request::new("PATCH", &upload).body(piece.to_vec());
        ask(patch(first), 202)?;
        let put = format!("{upload}?digest={}", sha256(&layer));
        ask(Request::put(put).body(rest.to_vec()), 201)?;
        ask(manifest.put(REPOSITORY, &tag), 201)?;
        Ok(())
    };
    let fate = match steps() {
        Ok(()) => Fate::Acknowledged,
        Err(_killed) => Fate::Unknown(location),
    };
    Pushed {
        tag,
        layer,
        manifest,
        fate,
    }
}

fn inspect(server: &TestServer, token: &str, push: &Pushed, is_shared: bool, sums: &mut Sums) {
    let ask = |request: Request| {
        http::send(server.base(), &request.basic("ann", token))
            .unwrap_or_else(|error| panic!("{error}\n{}", server.logs()))
    };
    let digest = sha256(&push.layer);
    let blob = format!("/v2/{REPOSITORY}/blobs/{digest}");
    let found = ask(Request::get(format!(
        "/v2/{REPOSITORY}/manifests/{}",
        push.tag
    )));
    match &push.fate {
        Fate::Acknowledged => {
            sums.acknowledged += 1;
            assert_eq!(found.status, 200, "{} was acknowledged: {found}", push.tag);
        }
        Fate::Unknown(location) => {
            sums.interrupted += 1;
            if let Some(location) = location {
                sums.resumed += u64::from(resume(&ask, location, &push.layer, is_shared));
            }
            if found.status != 200 {
                assert_eq!(found.status, 404, "{found}");
                return;
            }
        }
    }
    assert!(found.body == push.manifest.bytes, "{}", push.tag);
    let layer = ask(Request::get(blob)).expect_status(200);
    assert!(layer.body == push.layer, "{}", push.tag);
}

/// Goes on with an upload, if it is still one; says whether it was. One that was being finished
/// has ended: its client starts again.
fn resume(
    ask: &impl Fn(Request) -> Response,
    location: &str,
    layer: &[u8],
    is_shared: bool,
) -> bool {
    let status = ask(Request::get(location));
    if status.status == 404 {
        return false;
    }
    let status = status.expect_status(204);
    let range = status.header("range").unwrap();
    let last: usize = range.trim_start_matches("0-").parse().unwrap();
    let have = if last == 0 { 0 } else { last + 1 };
    assert!(have <= layer.len(), "{range} of {}", layer.len());
    let digest = sha256(layer);
    let put = Request::put(format!("{location}?digest={digest}")).body(layer[have..].to_vec());
    let finished = ask(put);
    if is_shared && finished.status == 503 && finished.header("retry-after").is_some() {
        // on a shared house the killed server's right to write ends by itself, later
        return false;
    }
    if finished.status == 404 {
        let code = &finished.json()["errors"][0]["code"];
        assert_eq!(code, "BLOB_UPLOAD_UNKNOWN", "{finished}");
        return false;
    }
    drop(finished.expect_status(201));
    let got = ask(Request::get(format!("/v2/{REPOSITORY}/blobs/{digest}"))).expect_status(200);
    assert!(got.body == layer);
    true
}
