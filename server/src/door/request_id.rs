use std::cell::Cell;

use actix_http::header::HeaderValue;

const PREFIX_DIGITS: usize = 12;
const COUNT_DIGITS: usize = 10;
const DIGITS: usize = PREFIX_DIGITS + COUNT_DIGITS;

/// Numbers the requests of one worker under a prefix of its own.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: [u8; PREFIX_DIGITS],
    count: Cell<u64>,
}

/// A request's id: it stands in the answer and in the log.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; DIGITS]);

impl RequestIds {
    pub(crate) fn new() -> Self {
        let random = uuid::Uuid::now_v7().as_u128();
        let mut prefix = [b'0'; PREFIX_DIGITS];
        // the low digits of a version 7 UUID are its random ones
        write_hex(
            &mut prefix,
            u64::try_from(random & u128::from(u64::MAX)).unwrap_or_default(),
        );
        Self {
            prefix,
            count: Cell::new(0),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        let mut text = [b'0'; DIGITS];
        let (prefix, rest) = text.split_at_mut(PREFIX_DIGITS);
        prefix.copy_from_slice(&self.prefix);
        write_hex(rest, count);
        RequestId(text)
    }
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        // hex digits are text
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0)
            .unwrap_or_else(|_impossible| HeaderValue::from_static("unknown"))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The low digits of a number, without a formatter and its allocation.
fn write_hex(to: &mut [u8], mut number: u64) {
    for digit in to.iter_mut().rev() {
        let nibble = u8::try_from(number & 0xf).unwrap_or_default();
        *digit = if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        };
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_workers_differ_and_count_up() {
        let (a, b) = (RequestIds::new(), RequestIds::new());
        let first = a.next();
        assert!(first.as_str().ends_with("0000000001"), "{first}");
        assert_ne!(a.next().as_str(), b.next().as_str());
        for _ in 0..0x1e {
            a.next();
        }
        assert!(a.next().as_str().ends_with("0000000021"));
    }
}
