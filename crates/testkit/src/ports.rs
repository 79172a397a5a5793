//! Free TCP ports on the loopback address.

#![expect(
    clippy::expect_used,
    reason = "only tests link this crate: a broken expectation is a failed test"
)]

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

static HANDED_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port on 127.0.0.1 that nobody listened on a moment ago.
///
/// The same process never gets one port twice: tests run side by side, and the system may offer
/// a port again before its first holder has bound it.
///
/// # Panics
///
/// When the system has no port to give.
#[must_use]
pub fn free() -> u16 {
    loop {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).expect("the system has a free loopback port");
        let port = listener
            .local_addr()
            .expect("a bound listener has an address")
            .port();
        let mut handed_out = HANDED_OUT
            .lock()
            .expect("no test panics while holding this");
        if handed_out.insert(port) {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_handed_out_once() {
        let first = free();
        let second = free();
        assert_ne!(first, second);
        TcpListener::bind(("127.0.0.1", first)).unwrap();
    }
}
