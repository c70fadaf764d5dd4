//! The broker's bytes, frame by frame.

use tracing::warn;

use super::room::{Agreed, Room};
use super::stash::Stash;
use crate::properties::{Unreadable, mend_content_header, mend_method};

/// Type, channel and length.
pub(super) const HEAD: usize = 7;
const END: u8 = 0xce;
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
/// More is no method and no header, whatever the broker allows.
pub(super) const LONGEST: usize = 1 << 20;

/// Takes the broker's bytes and gives them on.
pub(super) struct Frames {
    /// Received, not looked at yet: less than a frame.
    received: Vec<u8>,
    /// To be given on.
    ready: Vec<u8>,
    given: usize,
    /// A frame that passes as it comes.
    passing: Option<Passing>,
    /// Not AMQP, or no frame one could read: the library shall say so.
    transparent: bool,
    agreed: Agreed,
    /// The longest frame the library takes, in bytes.
    longest: usize,
    stash: Option<Stash>,
}

/// What is left of a body frame, cut into pieces that are frames of their own.
struct Passing {
    /// Type and channel.
    head: [u8; 3],
    /// Left of this piece.
    piece: usize,
    /// In further pieces.
    rest: usize,
}

impl Frames {
    pub(super) fn new(room: Room, agreed: Agreed) -> Self {
        Self {
            received: Vec::new(),
            ready: Vec::new(),
            given: 0,
            passing: None,
            transparent: false,
            agreed,
            longest: usize::try_from(room.frame_max()).unwrap_or(usize::MAX),
            stash: match room {
                Room::Whole => None,
                Room::Small(stash) => stash,
            },
        }
    }

    pub(super) fn give(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.ready.len() - self.given);
        buf[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
        count
    }

    /// Takes what has come. Most of it needs no other place: so many of these bytes are good as they are now, and the rest
    /// is to be had from [`Frames::give`].
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> usize {
        let mut good = 0;
        if self.is_empty() {
            while let Some(length) = self.good_in_place(&mut bytes[good..]) {
                good += length;
            }
        }
        self.take(&bytes[good..]);
        good
    }

    fn is_empty(&self) -> bool {
        self.received.is_empty()
            && self.ready.is_empty()
            && self.passing.is_none()
            && !self.transparent
    }

    /// The length of the frame that `bytes` begins with, if it is whole and can be given on as long as it is.
    fn good_in_place(&self, bytes: &mut [u8]) -> Option<usize> {
        let [kind, _, _, length @ ..] = *bytes.first_chunk::<HEAD>()?;
        let payload = usize::try_from(u32::from_be_bytes(length)).ok()?;
        let whole = payload.checked_add(HEAD + 1)?;
        if whole > self.longest {
            return None;
        }
        let payload = bytes.get_mut(HEAD..whole)?.split_last_mut()?.1;
        match kind {
            // Those of the connection need a closer look.
            METHOD if !payload.starts_with(&[0, 10]) => {
                // As in `give_method`.
                let _ = mend_method(payload);
            }
            HEADER => mend_content_header(payload).ok()?,
            BODY | HEARTBEAT => {}
            _ => return None,
        }
        Some(whole)
    }

    fn take(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let passed = self.pass(bytes);
        let mut received = std::mem::take(&mut self.received);
        received.extend_from_slice(&bytes[passed..]);
        let mut at = 0;
        while let Some(length) = self.frame(&mut received[at..]) {
            at += length;
        }
        received.drain(..at);
        self.received = received;
    }

    /// Gives on what `bytes` begins with; its length, or none if there is too little of it yet.
    fn frame(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let head: [u8; HEAD] = match bytes.first_chunk() {
            Some(head) if !self.transparent => *head,
            None if !self.transparent && bytes.first().is_none_or(|kind| is_frame(*kind)) => {
                return None;
            }
            _ => {
                self.transparent = true;
                self.ready.extend_from_slice(bytes);
                return (!bytes.is_empty()).then_some(bytes.len());
            }
        };
        let [kind, channel @ .., _, _, _, _] = head;
        let payload = usize::try_from(u32::from_be_bytes([head[3], head[4], head[5], head[6]]))
            .unwrap_or(usize::MAX);
        let whole = payload.saturating_add(HEAD + 1);
        match kind {
            METHOD | HEADER if whole <= LONGEST => {
                if bytes.len() < whole {
                    return None;
                }
                let frame = &mut bytes[..whole];
                match kind {
                    HEADER => self.give_header(frame),
                    _ => self.give_method(frame),
                }
                Some(whole)
            }
            BODY | HEARTBEAT => {
                self.begin([kind, channel[0], channel[1]], payload);
                Some(HEAD + self.pass(&bytes[HEAD..]))
            }
            _ => {
                self.transparent = true;
                self.frame(bytes)
            }
        }
    }

    /// The next piece of a frame with so much payload left.
    fn begin(&mut self, head: [u8; 3], payload: usize) {
        let piece = payload.min(self.longest - HEAD - 1);
        self.ready.extend_from_slice(&head);
        let length = u32::try_from(piece).unwrap_or(u32::MAX);
        self.ready.extend_from_slice(&length.to_be_bytes());
        self.passing = Some(Passing {
            head,
            piece,
            rest: payload - piece,
        });
    }

    /// Gives on what belongs to the frame that passes; how many bytes.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(passing) = &mut self.passing {
            let count = passing.piece.min(bytes.len() - at);
            self.ready.extend_from_slice(&bytes[at..at + count]);
            passing.piece -= count;
            at += count;
            if passing.piece > 0 {
                break;
            }
            if passing.rest > 0 {
                let (head, rest) = (passing.head, passing.rest);
                self.ready.push(END);
                self.begin(head, rest);
            } else if let Some(end) = bytes.get(at) {
                // The frame's own, whatever it is.
                self.ready.push(*end);
                at += 1;
                self.passing = None;
            } else {
                break;
            }
        }
        at
    }

    fn give_method(&mut self, frame: &mut [u8]) {
        let end = frame.len() - 1;
        let method = &mut frame[HEAD..end];
        // `connection.tune`: the limit on channels, the longest frame, the heartbeat.
        if let [0, 10, 0, 30, _, _, frame_max @ .., _, _] = method
            && let Ok(proposal) = <&mut [u8; 4]>::try_from(frame_max)
        {
            self.agreed.tuned(u32::from_be_bytes(*proposal));
            let longest = u32::try_from(self.longest).unwrap_or(u32::MAX);
            let longest = longest.min(self.agreed.frame_max());
            *proposal = longest.to_be_bytes();
            self.longest = usize::try_from(longest).unwrap_or(usize::MAX);
        }
        // One that cannot be read is no publisher's doing; the library shall say so.
        let _ = mend_method(method);
        self.ready.extend_from_slice(frame);
    }

    /// Gives on a content header; without its properties if they cannot be read, and with a word for them if they are too
    /// long for the library.
    fn give_header(&mut self, frame: &mut [u8]) {
        // Class, weight, body size; then the flags that say which properties follow.
        const FIXED: usize = 12;
        let end = frame.len() - 1;
        let agreed = usize::try_from(self.agreed.frame_max()).unwrap_or(usize::MAX);
        let mended = match frame.len() > agreed {
            true => Err(Unreadable),
            false => mend_content_header(&mut frame[HEAD..end]),
        };
        if end < HEAD + FIXED || (mended.is_ok() && frame.len() <= self.longest) {
            self.ready.extend_from_slice(frame);
            return;
        }
        let stash = self.stash.as_ref().filter(|_| mended.is_ok());
        if let Some(instead) = stash.and_then(|stash| stash.put(frame)) {
            self.ready.extend_from_slice(&instead);
            return;
        }
        warn!(
            bytes = frame.len(),
            "a message's properties cannot be read (nested too deep, too long or malformed); it is taken without them"
        );
        self.ready.extend_from_slice(&frame[..3]);
        self.ready.extend_from_slice(&14_u32.to_be_bytes());
        self.ready.extend_from_slice(&frame[HEAD..HEAD + FIXED]);
        self.ready.extend_from_slice(&[0, 0, frame[end]]);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.received.len() + self.ready.len()
    }
}

fn is_frame(kind: u8) -> bool {
    matches!(kind, METHOD | HEADER | BODY | HEARTBEAT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::fuzz::{frame, through};

    fn session() -> Vec<u8> {
        let header = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x80\x00\x03txt";
        [
            frame(METHOD, b"\x00\x0a\x00\x0a\x00\x09whatever"),
            frame(
                METHOD,
                b"\x00\x3c\x00\x3c\x03tag\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01e\x01k",
            ),
            frame(HEADER, header),
            frame(BODY, &[b'b'; 3000]),
            frame(HEARTBEAT, b""),
        ]
        .concat()
    }

    /// The library would end the connection over a frame longer than it agreed to.
    #[test]
    fn a_header_longer_than_we_propose_loses_its_properties_whatever_the_broker_allows() {
        let tune = b"\x00\x0a\x00\x1e\x07\xff\x00\x10\x00\x00\x00\x3c";
        for (length, passes) in [(100_000_u32, true), (140_000, false)] {
            let mut header = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00".to_vec();
            header.extend((length + 7).to_be_bytes());
            header.extend(b"\x01kS");
            header.extend(length.to_be_bytes());
            header.extend(vec![b'x'; length as usize]);
            let header = frame(HEADER, &header);
            let out = through(&[frame(METHOD, tune), header.clone()].concat(), &[5000]);
            assert_eq!(out.ends_with(&header), passes, "{length}");
        }
    }

    #[test]
    fn good_frames_pass_unchanged_however_they_are_cut() {
        let session = session();
        for piece in [1, 2, 7, 8, 13, 100, 5000] {
            assert_eq!(through(&session, &[piece]), session, "{piece}");
        }
    }

    #[test]
    fn unreadable_properties_are_taken_away() {
        let bad = frame(
            HEADER,
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x00\x03\x01a?",
        );
        let bare = frame(
            HEADER,
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00",
        );
        let stream = [session(), bad, session()].concat();
        let expected = [session(), bare.clone(), session()].concat();
        for piece in [1, 9, 4096] {
            assert_eq!(through(&stream, &[piece]), expected, "{piece}");
        }
        // Readable, but longer than the broker said frames would be.
        let tune = frame(METHOD, b"\x00\x0a\x00\x1e\x00\x00\x00\x00\x10\x00\x00\x00");
        let mut long =
            b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x10\x00\x01aS"
                .to_vec();
        long.extend(4089_u32.to_be_bytes());
        long.extend([b'x'; 4089]);
        let stream = [tune.clone(), frame(HEADER, &long)].concat();
        assert_eq!(through(&stream, &[4096]), [tune, bare].concat());
    }

    #[test]
    fn what_is_not_amqp_passes_as_it_is() {
        for other in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"AMQP\x00\x00\x09\x01",
            b"\x02\xff",
        ] {
            for piece in [1, 3, 100] {
                let out = through(other, &[piece]);
                assert!(
                    other.starts_with(&out) && (out == other || is_frame(other[0])),
                    "{out:?}"
                );
            }
        }
    }

    /// A broker may propose what it likes.
    #[test]
    fn frames_are_never_cut_smaller_than_amqp_allows() {
        for proposal in 1_u32..10 {
            let tune = [
                &b"\x00\x0a\x00\x1e\x00\x00"[..],
                &proposal.to_be_bytes(),
                &[0, 60],
            ];
            let body = frame(BODY, &[b'b'; 3000]);
            let out = through(
                &[frame(METHOD, &tune.concat()), body.clone()].concat(),
                &[100],
            );
            assert!(out.ends_with(&body), "{proposal}");
        }
    }
}
