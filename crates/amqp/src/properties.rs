//! What a broker may pass on from a publisher that the client library cannot take: a text that is not UTF-8, a table nested
//! without end, a value of no known type.
//!
//! Works on the bytes of one frame. A bad text is mended in place, byte by byte, so that lengths stay; anything else makes
//! the properties unreadable.

/// Deeper tables have no use, and the client library reads them by recursion.
const DEEPEST: usize = 32;

/// The properties are beyond mending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

/// Mends the payload of a content header frame.
pub(crate) fn mend_content_header(payload: &mut [u8]) -> Result<()> {
    // Class, weight and body size come first.
    let mut cursor = Cursor {
        bytes: payload,
        at: 12,
    };
    let flags = cursor.u16()?;
    // In the order of AMQP 0-9-1: content-type and content-encoding, headers, delivery-mode and priority, correlation-id,
    // reply-to, expiration and message-id, timestamp, type, user-id, app-id and cluster-id. Bit 0 would announce more flags.
    for bit in (0..16).rev() {
        if flags & (1 << bit) == 0 {
            continue;
        }
        match bit {
            13 => cursor.table(DEEPEST)?,
            12 | 11 => cursor.skip(1)?,
            6 => cursor.skip(8)?,
            0 | 1 => return Err(Unreadable),
            _ => cursor.short_text()?,
        }
    }
    cursor.at_end()
}

/// Mends a method that carries a publisher's words: its exchange and routing key. Others are left alone.
pub(crate) fn mend_method(payload: &mut [u8]) -> Result<()> {
    const TAG_AND_REDELIVERED: usize = 9;
    const REPLY_CODE: usize = 2;
    // Class and method come first.
    let method = payload.first_chunk().copied();
    let mut cursor = Cursor {
        bytes: payload,
        at: 4,
    };
    match method {
        // `deliver` to a consumer.
        Some([0, 60, 0, 60]) => {
            cursor.short_text()?;
            cursor.skip(TAG_AND_REDELIVERED)?;
        }
        // `get-ok`: a message that was fetched.
        Some([0, 60, 0, 71]) => cursor.skip(TAG_AND_REDELIVERED)?,
        // `return`: a message that nobody takes.
        Some([0, 60, 0, 50]) => {
            cursor.skip(REPLY_CODE)?;
            cursor.short_text()?;
        }
        _ => return Ok(()),
    }
    cursor.short_text()?;
    cursor.short_text()
}

struct Cursor<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The range of the next `length` bytes, which are passed over.
    fn take(&mut self, length: usize) -> Result<std::ops::Range<usize>> {
        let end = self.at.checked_add(length).ok_or(Unreadable)?;
        if end > self.bytes.len() {
            return Err(Unreadable);
        }
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.take(length).map(drop)
    }

    fn u8(&mut self) -> Result<u8> {
        let range = self.take(1)?;
        Ok(self.bytes[range.start])
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn long_length(&mut self) -> Result<usize> {
        let length = u32::from_be_bytes([self.u8()?, self.u8()?, self.u8()?, self.u8()?]);
        usize::try_from(length).map_err(|_| Unreadable)
    }

    fn at_end(&self) -> Result<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    fn short_text(&mut self) -> Result<()> {
        let length = usize::from(self.u8()?);
        let range = self.take(length)?;
        mend_text(&mut self.bytes[range]);
        Ok(())
    }

    fn table(&mut self, depth: usize) -> Result<()> {
        let end = self.container(depth)?;
        while self.at < end {
            self.short_text()?;
            self.value(depth)?;
        }
        if self.at == end {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        let end = self.container(depth)?;
        while self.at < end {
            self.value(depth)?;
        }
        if self.at == end {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    /// Where a table or an array ends.
    fn container(&mut self, depth: usize) -> Result<usize> {
        let length = self.long_length()?;
        let end = self.at.checked_add(length).ok_or(Unreadable)?;
        if depth == 0 || end > self.bytes.len() {
            return Err(Unreadable);
        }
        Ok(end)
    }

    fn value(&mut self, depth: usize) -> Result<()> {
        match self.u8()? {
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'U' | b'u' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'L' | b'l' | b'd' | b'T' => self.skip(8),
            b'D' => self.skip(5),
            b'S' | b'x' => {
                let length = self.long_length()?;
                self.skip(length)
            }
            b'V' => Ok(()),
            b'A' => self.array(depth - 1),
            b'F' => self.table(depth - 1),
            _ => Err(Unreadable),
        }
    }
}

/// Puts a question mark in the place of every byte that is not UTF-8.
fn mend_text(text: &mut [u8]) {
    let mut checked = 0;
    while let Err(error) = std::str::from_utf8(&text[checked..]) {
        checked += error.valid_up_to();
        text[checked] = b'?';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A content header with these flags and properties.
    fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(flags.to_be_bytes());
        payload.extend(properties);
        payload
    }

    fn table(fields: &[u8]) -> Vec<u8> {
        let mut table = u32::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
        table.extend(fields);
        table
    }

    fn nested(depth: usize) -> Vec<u8> {
        let mut inner = table(b"");
        for _ in 1..depth {
            let mut field = b"\x01aF".to_vec();
            field.extend(inner);
            inner = table(&field);
        }
        inner
    }

    #[test]
    fn good_properties_are_left_alone() {
        let mut fields =
            b"\x04UUIDS\x00\x00\x00\x03abc\x01vV\x01nI\x00\x00\x00\x05\x01ft\x01".to_vec();
        fields.extend(b"\x01aA\x00\x00\x00\x02bx");
        let mut properties = b"\x10application/json".to_vec();
        properties.extend(table(&fields));
        properties.extend(b"\x02\x00\x00\x00\x00\x00\x00\x00\x01");
        let mut payload = header(1 << 15 | 1 << 13 | 1 << 12 | 1 << 6, &properties);
        let before = payload.clone();
        assert_eq!(mend_content_header(&mut payload), Ok(()));
        assert_eq!(payload, before);
    }

    #[test]
    fn texts_that_are_not_utf8_are_mended() {
        let mut properties = b"\x03a\xe1b".to_vec();
        properties.extend(table(b"\x05N\xe1zevV"));
        let mut payload = header(1 << 15 | 1 << 13, &properties);
        assert_eq!(mend_content_header(&mut payload), Ok(()));
        assert!(
            payload.windows(3).any(|w| w == b"a?b") && payload.windows(5).any(|w| w == b"N?zev")
        );

        let mut deliver =
            b"\x00\x3c\x00\x3c\x03tag\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01e\x04k\xff\xfey"
                .to_vec();
        assert_eq!(mend_method(&mut deliver), Ok(()));
        assert!(deliver.ends_with(b"\x04k??y"));

        let mut got =
            b"\x00\x3c\x00\x47\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\xfe\x01\xffrest".to_vec();
        assert_eq!(mend_method(&mut got), Ok(()));
        assert!(got.ends_with(b"\x01?\x01?rest"));

        let mut returned = b"\x00\x3c\x00\x32\x01\x38\x02no\x01e\x02k\xff".to_vec();
        assert_eq!(mend_method(&mut returned), Ok(()));
        assert!(returned.ends_with(b"\x01e\x02k?"));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut payload = header(1 << 13, &nested(DEEPEST));
        assert_eq!(mend_content_header(&mut payload), Ok(()));
        for depth in [DEEPEST + 1, 20_000] {
            let mut payload = header(1 << 13, &nested(depth));
            assert_eq!(mend_content_header(&mut payload), Err(Unreadable));
        }
    }

    #[test]
    fn what_is_cut_or_unknown_is_unreadable() {
        let good = header(1 << 13, &table(b"\x01aS\x00\x00\x00\x01x"));
        for length in 0..good.len() {
            assert_eq!(
                mend_content_header(&mut good[..length].to_vec()),
                Err(Unreadable),
                "{length}"
            );
        }
        for fields in [
            &b"\x01a?"[..],
            b"\x01aS\xff\xff\xff\xff",
            b"\x01aF\x00\x00\x00\x09",
            b"\xff",
        ] {
            assert_eq!(
                mend_content_header(&mut header(1 << 13, &table(fields))),
                Err(Unreadable)
            );
        }
        assert_eq!(mend_content_header(&mut header(1, b"")), Err(Unreadable));
    }
}
