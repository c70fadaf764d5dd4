//! Our part of the handshake: the broker is told of the frames that are agreed with it, whatever the client library says.

use super::room::Agreed;

/// `connection.tune-ok` as a frame: type, channel, length; class and method; the limit on channels, the longest frame, the
/// heartbeat; the end.
const TUNE_OK: [u8; 11] = [1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 31];
const TUNE_OK_LENGTH: usize = 20;
const FRAME_MAX_AT: usize = 13;
/// What the client greets with before its first frame.
const GREETING: &[u8] = b"AMQP";
const GREETING_LENGTH: usize = 8;
const HEAD: usize = 7;

/// Takes what the client library writes until it has agreed to the broker's limits.
pub(super) struct Handshake {
    agreed: Agreed,
    over: bool,
    /// Not looked at yet: less than a frame.
    taken: Vec<u8>,
    ready: Vec<u8>,
}

impl Handshake {
    pub(super) fn new(agreed: Agreed) -> Self {
        Self {
            agreed,
            over: false,
            taken: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// Takes what is written, unless the handshake is over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        if self.over {
            return false;
        }
        self.taken.extend_from_slice(bytes);
        while !self.over {
            let Some(length) = length(&self.taken).filter(|length| *length <= self.taken.len())
            else {
                return true;
            };
            let mut frame: Vec<u8> = self.taken.drain(..length).collect();
            if frame.len() == TUNE_OK_LENGTH && frame.starts_with(&TUNE_OK) {
                let frame_max = self.agreed.frame_max().to_be_bytes();
                frame[FRAME_MAX_AT..FRAME_MAX_AT + 4].copy_from_slice(&frame_max);
                self.over = true;
            }
            self.ready.append(&mut frame);
        }
        self.ready.append(&mut self.taken);
        true
    }

    /// What is to be written.
    pub(super) fn ready(&self) -> &[u8] {
        &self.ready
    }

    pub(super) fn written(&mut self, count: usize) {
        self.ready.drain(..count.min(self.ready.len()));
    }
}

/// The length of what this begins with, if that can be seen already.
fn length(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(GREETING) {
        return Some(GREETING_LENGTH);
    }
    let head: [u8; HEAD] = *bytes.first_chunk()?;
    let payload = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    Some(usize::try_from(payload).ok()?.saturating_add(HEAD + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tune_ok(frame_max: u32) -> Vec<u8> {
        let mut frame = TUNE_OK.to_vec();
        frame.extend([0x07, 0xff]);
        frame.extend(frame_max.to_be_bytes());
        frame.extend([0, 60, 0xce]);
        frame
    }

    #[test]
    fn the_broker_is_told_what_is_agreed_with_it() {
        let start_ok = [1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 11, 99, 0xce];
        let open = [1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 40, 99, 0xce];
        let session = |frame_max| {
            [
                &b"AMQP\x00\x00\x09\x01"[..],
                &start_ok,
                &tune_ok(frame_max),
                &open,
            ]
            .concat()
        };
        for piece in [1, 3, 8, 100] {
            let agreed = Agreed::default();
            agreed.tuned(100_000);
            let mut handshake = Handshake::new(agreed);
            let mut written = Vec::new();
            for bytes in session(16_384).chunks(piece) {
                if !handshake.take(bytes) {
                    written.extend_from_slice(bytes);
                }
                written.extend_from_slice(handshake.ready());
                handshake.written(usize::MAX);
            }
            assert_eq!(written, session(100_000), "{piece}");
            assert!(!handshake.take(b"more"));
        }
    }
}
