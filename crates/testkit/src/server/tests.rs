//! The process handling, against a stand-in that keeps to packhouse's command line.

use super::*;

/// A file of the source tree and not one written here: a file that was just written cannot be
/// run while another thread's new process still holds it open.
const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/stand_in.sh");

fn stand_in() -> TestServerBuilder {
    TestServer::builder().binary(STAND_IN)
}

#[test]
fn a_server_is_known_by_the_address_it_announced() {
    let mut server = stand_in().start();
    assert_eq!(server.base(), "http://127.0.0.1:41");
    assert_eq!(server.localhost(), "http://localhost:41");
    assert_eq!(server.port(), 41);
    assert_eq!(server.admin_token(), "phk_admin");
    server.stop();
    assert!(server.logs().contains("drained"), "{}", server.logs());
}

#[test]
fn every_listener_is_waited_for() {
    let server = stand_in().docker_listener().start();
    assert_eq!(
        server.bases(),
        ["http://127.0.0.1:41", "http://127.0.0.1:42"]
    );
}

#[test]
fn a_public_address_on_localhost_has_the_port_listened_on() {
    let server = stand_in().public_url_on_localhost().start();
    let announced = format!("--public-url http://localhost:{}", server.port());
    server.wait_for_log(&announced);
}

#[test]
fn a_restart_can_keep_the_port_and_keeps_the_data() {
    let mut server = stand_in().port(45).start();
    let (port, folder) = (server.port(), server.data_dir().to_owned());
    std::fs::write(folder.join("mark"), "here").unwrap();
    server.kill();
    server.restart_on_same_port();
    assert_eq!(server.port(), port);
    assert!(server.data_dir().join("mark").exists());
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn admin_commands_work_on_the_servers_data_and_database() {
    let server = stand_in().database_url("postgres://x/y").start();
    let printed = server.admin(&["create-user", "ann"]);
    let folder = server.data_dir().display();
    assert_eq!(
        printed,
        format!("admin create-user ann --data-dir {folder} --database-url postgres://x/y\n"),
    );
    let refused = server.try_admin(&["fail"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(refused.stderr, "refused\n");
}

#[test]
fn a_dropped_server_is_gone() {
    let server = stand_in().start();
    let pid = server.pid();
    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn the_server_sees_its_own_environment_only() {
    let server = stand_in().env("PACKHOUSE_SECRET", "given").start();
    assert_eq!(server.wait_for_log("secret"), "secret given");
}

#[test]
#[should_panic(expected = "no such option")]
fn a_server_that_does_not_start_shows_its_log() {
    let _server = stand_in().arg("--broken").start();
}
